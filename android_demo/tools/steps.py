"""What every step of the plain build uses: where things lie, how programs are run, and whether anything changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pom import ROOT, WORK

REPOSITORY = ROOT.parent
ASSETS = ROOT / "app" / "src" / "main" / "assets"
MODELS = ASSETS / "models"
SCREENSHOTS = ROOT / "out" / "screenshots"

QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
"""Programs that run once and briefly gain more from starting quickly than from a better compiler."""

START = time.monotonic()

Check = tuple[str, bool, str]
"""What must hold, whether it does, what was found."""


def say(what: str) -> None:
    print(f"== {what} (+{time.monotonic() - START:.0f} s)", flush=True)


def attempt(*command: object) -> tuple[int, str]:
    """Run a program; its exit code and what it said."""
    listed = [str(part) for part in command]
    done = subprocess.run(listed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout


def run(*command: object) -> str:
    """Run a program; where it fails, show what it said and end."""
    code, said = attempt(*command)
    if code:
        sys.exit(f"{said}\nandroid: {Path(str(command[0])).name} failed ({code})")
    return said


def path_of(parts: Iterable[object]) -> str:
    """A class path."""
    return os.pathsep.join(map(str, parts))


def changed(name: str, inputs: Iterable[Path], extra: str = "") -> Callable[[], None] | None:
    """None where nothing changed since the last time; else what to call when the step is done."""
    digest = hashlib.sha256(extra.encode())
    for one in inputs:
        for file in sorted(one.rglob("*")) if one.is_dir() else [one]:
            if file.is_file():
                digest.update(str(file).encode())
                digest.update(file.read_bytes() if file.stat().st_size < 1 << 24 else str(file.stat().st_size).encode())
    stamp = WORK / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return None

    def note() -> None:
        stamp.write_text(digest.hexdigest())

    return note


def fresh(folder: Path) -> Path:
    """The folder, emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
