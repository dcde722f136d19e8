#!/usr/bin/env python3
"""Builds and checks the app on plain Linux: ``build.py apk`` makes a signed debug APK, ``check`` tests it, too.

Sources, resources and versions are those of the Gradle project. Everything that is made lies in
``.work/``; a step whose inputs have not changed is left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

import consumer
import package
import testing
from compiling import Compiler
from steps import ROOT, SCREENSHOTS, WORK, Check, say

from edgesr.files.claims import claimed


def show(checks: Iterable[Check]) -> None:
    for what, ok, found in checks:
        print(f"  {'ok  ' if ok else 'FAIL'} {what}{f': {found}' if found else ''}")


def keep_screenshots() -> None:
    """Put the screenshots beside README, to be committed: in 256 colours, a third of the bytes."""
    from PIL import Image

    for picture in SCREENSHOTS.glob("*.png"):
        small = Image.open(picture, formats=("PNG",)).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
        small.save(ROOT / "screenshots" / picture.name, optimize=True)


def made(arguments: argparse.Namespace) -> tuple[int, int]:
    """Build what was asked for, and check it; how many checks passed, and how many failed."""
    compiler = Compiler()
    compiler.modules()
    if arguments.job == "check":
        compiler.tests()
    compiler.compile_noted()
    checks: list[Check] = []
    if not arguments.no_package:
        package.make(compiler)
        checks = package.verify(compiler)
    show(checks)
    passed = failed = 0
    if arguments.job == "check":
        if not arguments.only:
            built = consumer.check(compiler)
            show(built)
            checks += built
        passed, failed = testing.run_tests(compiler, arguments.only)
        if not arguments.only:
            read = testing.read_back()
            show(read)
            checks += read
    return passed + sum(ok for _, ok, _ in checks), failed + sum(not ok for _, ok, _ in checks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=["apk", "check"])
    parser.add_argument("--only", help="test classes whose name holds this pattern")
    parser.add_argument("--no-package", action="store_true", help="leave the package out, where only tests matter")
    parser.add_argument("--keep-screenshots", action="store_true", help="put them beside README, to be committed")
    arguments = parser.parse_args()
    with claimed(WORK, wait=True):  # whoever builds at the same time takes the same folder
        passed, failed = made(arguments)
    if arguments.keep_screenshots:
        keep_screenshots()
    apk = package.APK
    say(f"{apk.relative_to(ROOT)}: {apk.stat().st_size / 1e6:.1f} MB" if apk.is_file() else "done")
    if arguments.job == "check":
        print(f"{passed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
