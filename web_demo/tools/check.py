#!/usr/bin/env python3
"""Checks the web booth whole: page, types, lint, the core against Python's vectors, the page in a real browser, and the
library in an app that installs it.

    python web_demo/tools/check.py

Needs what build.py needs, and Chromium. The last line is `N passed, N failed`. Exit code 3:
something cannot be had here, and one line on stderr has said what.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import build

from edgesr.booth.chromium import find_chromium

sys.path.insert(0, str(build.REPOSITORY / "tools"))
import kept_work

TOOLS = Path(__file__).resolve().parent
BUNDLE = build.ROOT / "testdata" / "booth"
"""What the page's tests are served, as a user would make it."""
SUITES = ("vitest.config.ts", "vitest.e2e.config.ts")


def main() -> int:
    if find_chromium() is None:
        print("web: no Chromium here: apt-get install chromium, or set EDGESR_CHROMIUM", file=sys.stderr)
        return 3
    try:
        npm, environment = build.prepared()  # a page that is built already needs no packages, and its checks do
    except build.BuildError as error:
        return error.told()
    kept_work.prepare()
    bundle = ["-m", "edgesr.cli", "convert", "--target", "web", "--output", BUNDLE, "--force"]
    for step in ([TOOLS / "build.py"], [TOOLS / "library.py"], [TOOLS / "vectors.py"], bundle):
        if code := subprocess.run([sys.executable, *step], check=False).returncode:
            return code
    for what in (["tsc", "--noEmit"], ["biome", "check", "--colors=off", "."]):
        print(f"== {what[0]}", flush=True)
        if subprocess.run([*npm, "exec", "--", *what], cwd=build.ROOT, env=environment, check=False).returncode:
            return 1
    audit(npm, environment)
    passed = failed = 0
    for suite in SUITES:
        print(f"== {suite}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            arguments = ["vitest", "run", "--config", suite, "--reporter=default", "--reporter=json"]
            command = [*npm, "exec", "--", *arguments, f"--outputFile.json={report}"]
            code = subprocess.run(command, cwd=build.ROOT, env=environment, check=False).returncode
            counts = json.loads(report.read_text()) if report.is_file() else {}
        passed += counts.get("numPassedTests", 0)
        # A suite that fails before its first test, or does not run at all, is a failure, too.
        failed += max(counts.get("numFailedTests", 0), int(code != 0))
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


def audit(npm: list[str], environment: dict[str, str]) -> None:
    """Known faults of what the page is made of, where the registry answers such questions."""
    done = subprocess.run(
        [*npm, "audit", "--omit=dev", "--json"],
        cwd=build.ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        found = json.loads(done.stdout)["metadata"]["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        print("== audit: the registry gives no list of known faults here, so dependencies were not audited")
        return
    print(f"== audit: {found['total']} known faults in what the page is made of")
    if found["high"] + found["critical"]:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
