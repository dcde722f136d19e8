#!/usr/bin/env python3
"""Checks the iOS booth on plain Linux: Swift's format, everything compiled with warnings as errors in Swift 6 mode,
the core against Python's vectors, engine and screens against stand-ins for Apple's frameworks, and the project's files.

    .venv/bin/python ios_demo/tools/check.py [--only PATTERN] [--network NAME-or-folder]

With another network than the shipped booth's the suites run that restore faces, engine and screens, and the example.
Swift comes by ``swift-here`` (0.5 GB over the network the first time). The last line is `N passed, N failed`.
Exit code 3: something cannot be had here, and one line on stderr has said what.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
REPOSITORY = ROOT.parent
sys.path.insert(0, str(REPOSITORY / "tools"))
from kept_work import NETWORK  # noqa: E402

SWIFT = TOOLS / "swift-here"
WRITTEN = ROOT / ".build" / "written"
"""Galleries that Swift's tests write for Python to read."""

DATA = (REPOSITORY / "web_demo" / "tools" / "vectors.py", TOOLS / "assets.py")
"""What makes the tests' data: for every booth, of the shipped booth's network, and for this one."""

SCRIPTS = (("project.py",), ("standins.py",), ("example.py",), ("drawings.py", str(ROOT / ".work" / "drawn")))
"""Checks of their own, beside this one: the project's files, what stand-ins follow, the library's example, and drawings
of the pages that the screen tests wrote, which are not those of the README: browsers draw letters a little
differently."""

FORMATTED = ("Package.swift", "Sources", "Tests", "App", "host", "Examples", "library")
STRICT = ("-Xswiftc", "-warnings-as-errors")
SUITES = ("BoothCoreTests", "BoothEngineTests", "ScreenTests")
OF_A_NETWORK = SUITES[1:]
EXAMPLE = SCRIPTS[2]
MOST_SECONDS = 1200
CANNOT = 3
COUNTS = re.compile(r"(\d+) passed, (\d+) failed")


class Tally:
    """What passed and what failed so far, and how long each step took."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def step(self, what: str, start: float, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed
        sys.stdout.write(
            f"== {what}: {passed} passed, {failed} failed, {time.monotonic() - start:.0f} s\n",
        )
        sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", help="Swift tests whose names match this pattern, and nothing else")
    parser.add_argument("--network", default=NETWORK, help=f"a shipped name or a checkpoint's folder; now {NETWORK}")
    arguments = parser.parse_args()
    only, network = arguments.only, arguments.network
    if swift("swift", "--version", stdout=subprocess.DEVNULL).returncode:
        return CANNOT
    other = network != NETWORK
    makers = [[DATA[1], "--network", network]] if other else [[maker] for maker in DATA]
    for maker in makers:
        if code := subprocess.run([sys.executable, *maker], check=False).returncode:
            return code
    if other:
        said = "the web booth's vectors are of " + NETWORK
        sys.stdout.write(f"== {network}: BoothCoreTests are left out, {said}, and what no network changes\n")
    tally = Tally()
    if not (only or other):
        start = time.monotonic()
        found = [name for name in FORMATTED if (ROOT / name).exists()]
        code = swift("swift", "format", "lint", "--strict", "--recursive", "--configuration", ".swift-format", *found)
        tally.step("swift-format", start, int(not code.returncode), int(code.returncode != 0))
    start = time.monotonic()
    code = swift("swift", "build", "--build-tests", "--quiet", *STRICT)
    tally.step(
        "core, engine, app and tests in Swift 6 mode", start, int(not code.returncode), int(code.returncode != 0)
    )
    if not code.returncode:
        tests(tally, [only] if only else OF_A_NETWORK if other else SUITES, written=not (only or other))
    if not only:
        for name, *words in (EXAMPLE,) if other else SCRIPTS:
            run_script(tally, TOOLS / name, *words)
    sys.stdout.write(f"{tally.passed} passed, {tally.failed} failed\n")
    return int(tally.failed > 0 or tally.passed == 0)


def swift(*command: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    """A command beside the toolchain, in the package; ``stdout`` may be a pipe."""
    return subprocess.run([SWIFT, *command], cwd=ROOT, env=environment(), stdout=stdout, text=True, check=False)


def environment() -> dict[str, str]:
    """What the tests are told: where ONNX Runtime lies, which runs the face detector, and where to write."""
    given = dict(os.environ) | {"EDGESR_WRITTEN": str(WRITTEN)}
    if library := onnxruntime():
        bound = [one for one in (os.environ.get("SWIFT_HERE_BIND"), str(library.parent)) if one]
        given |= {"EDGESR_ONNXRUNTIME": str(library), "SWIFT_HERE_BIND": ":".join(bound)}
    return given


def onnxruntime() -> Path | None:
    """The C library in Python's package of ONNX Runtime."""
    import importlib.util

    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted((Path(spec.origin).parent / "capi").glob("libonnxruntime.so.*"))), None)


def tests(tally: Tally, suites: Sequence[str], written: bool) -> None:
    """Swift's tests, and what Python reads of what those of the core wrote."""
    shutil.rmtree(WRITTEN, ignore_errors=True)
    WRITTEN.mkdir(parents=True)
    for suite in suites:
        start = time.monotonic()
        # Each on its own: what stands in for the phone is one for all screens. None may hang for ever.
        command = ["timeout", str(MOST_SECONDS), SWIFT, "swift", "test", "--disable-xctest", "--skip-build", *STRICT]
        done = subprocess.run(
            [*command, "--filter", suite], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=False
        )
        passed, failed = counted(done.stdout, done.returncode)
        if failed:
            sys.stdout.write(told(done.stdout))
        tally.step(f"swift test: {suite}", start, passed, failed)
    if not written:
        return
    start = time.monotonic()
    results = [read_back(path) for path in sorted(WRITTEN.glob("*.gallery"))]
    # Nothing written is nothing proven.
    failed = sum(not good for good in results) + int(not results)
    tally.step("Swift's galleries in Python, byte for byte", start, sum(results), failed)


def counted(output: str, code: int) -> tuple[int, int]:
    """Tests that passed, and that failed or were skipped: nothing is left out here. A run that broke off has failed."""
    ends = {
        end: len(re.findall(rf"^\S+ Test (?!run with)\S.* {end}\b", output, re.M))
        for end in ("passed after", "failed after", "skipped")
    }
    failed = ends["failed after"] + ends["skipped"]
    broken = code != 0 or not re.search(r"^\S+ Test run with \d+ tests passed", output, re.M)
    return ends["passed after"], max(failed, int(broken))


def told(output: str) -> str:
    """What a run that failed said: its issues, and its end, where a trap says where it was."""
    lines = output.splitlines()
    issues = [line for line in lines if " recorded an issue " in line or " skipped" in line]
    return "\n".join([*issues[:40], *lines[-25:], ""])


def read_back(path: Path) -> bool:
    """Whether Python reads a gallery that Swift wrote, and would write the same bytes."""
    from edgesr.errors import EdgesrError
    from edgesr.gallery.format import encode_gallery, read_gallery

    try:
        gallery = read_gallery(path)
    except EdgesrError as error:
        sys.stdout.write(f"{path.name}: {error}\n")
        return False
    return len(gallery) > 0 and b"".join(encode_gallery(gallery)) == path.read_bytes()


def run_script(tally: Tally, path: Path, *arguments: str) -> None:
    """A check of its own: what it counts in its last line, or else one, and none where it cannot be had here."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, path, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines() or [""]
    found = COUNTS.fullmatch(lines[-1])
    passed, failed = (int(found[1]), int(found[2])) if found else (int(not done.returncode), 0)
    sys.stdout.write("".join(f"{line}\n" for line in (lines[:-1] if found else lines)))
    tally.step(path.name, start, passed, max(failed, int(done.returncode not in (0, CANNOT))))


if __name__ == "__main__":
    sys.exit(main())
