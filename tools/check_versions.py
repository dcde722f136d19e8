"""The fast tests on other versions: the wheel beside the newest packages, or beside the oldest that it allows.

python tools/check_versions.py newest --python 3.13
python tools/check_versions.py lowest --python 3.11

Makes ``build/versions/<packages>-<Python>`` by uv, installs edgesr there as a wheel with its development tools, and
runs what `make check` runs, in one process. ``newest`` is what `pip install` takes today, ``lowest`` the lower bound
of everything that pyproject.toml names. An environment has 6 GB; --fresh makes it anew. Exit code: pytest's, or uv's.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOLUTIONS = {"newest": "highest", "lowest": "lowest-direct"}
SHOWN = ("numpy", "pillow", "click", "torch", "onnxruntime", "executorch", "coremltools")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", choices=RESOLUTIONS)
    parser.add_argument("--python", required=True, help="a version, or the path of an interpreter")
    parser.add_argument("--fresh", action="store_true", help="make the environment anew")
    parser.add_argument("tests", nargs="*", help="for pytest, in place of what `make check` runs")
    given = parser.parse_intermixed_args()
    name = f"{given.packages}-{re.sub(r'[^0-9.]', '', Path(given.python).name) or 'python'}"
    environment = ROOT / "build" / "versions" / name
    python = environment / "bin" / "python"
    if given.fresh or not python.is_file():
        uv("venv", "--clear", "--seed", "--python", given.python, environment)  # with pip, which tests use
    how = ("--resolution", RESOLUTIONS[given.packages], "--reinstall-package", "edgesr")
    uv("pip", "install", "--python", python, *how, f"{ROOT}[dev]")
    told = uv("pip", "freeze", "--python", python, shown=False)
    sys.stdout.write("\n".join(line for line in told.splitlines() if line.split("==")[0] in SHOWN) + "\n")
    sys.stdout.flush()
    # The checkout is not on the path: pytest by its own program takes edgesr from where it is installed.
    command = [environment / "bin" / "pytest", "-p", "no:cacheprovider", *(given.tests or ["-m", marks()])]
    threads = {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **threads}, check=False).returncode


def marks() -> str:
    """Which tests `make check` runs."""
    found = re.search(r'pytest .*-m "([^"]+)"', (ROOT / "Makefile").read_text())
    if found is None:
        raise SystemExit("check_versions: the Makefile's `check` names no marks")
    return found[1]


def uv(*arguments: object, shown: bool = True) -> str:
    """Run uv; ends this program with its exit code where it fails."""
    command = [sys.executable, "-m", "uv", *map(str, arguments)]
    done = subprocess.run(command, stdout=None if shown else subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
