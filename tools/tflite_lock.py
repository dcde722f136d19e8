"""Lock the TFLite environment's packages: every file's SHA-256, for every system, into convert/tflite_requirements.txt.

python tools/tflite_lock.py

Takes names, versions and the text above them from the file itself: change a version there and run it. Nothing else is
looked up, so the list has to be whole: `edgesr setup tflite` installs it, and `pip check` in that environment tells.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "convert" / "tflite_requirements.txt"
PYTHON = "3.11"
PROJECT = f'[project]\nname = "lock"\nversion = "0"\nrequires-python = "=={PYTHON}.*"\n'
"""By which uv knows that no other Python matters."""


def main() -> int:
    """0, or 1 where a package has no files by that version."""
    lines = LOCK.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    pins = [re.sub(r"\s*\\$", "", line) for line in lines if line and not line.startswith(("#", " "))]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(PROJECT)
        (Path(folder) / "pins.in").write_text("\n".join(pins) + "\n")
        compiled = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", "pins.in", "--quiet", "--universal", "--no-deps",
             "--python-version", PYTHON, "--generate-hashes", "--no-header", "--no-annotate"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if compiled.returncode:
        sys.stderr.write(compiled.stderr)
        return 1
    LOCK.write_text("\n".join(head) + "\n" + compiled.stdout)
    sys.stdout.write(f"{len(pins)} packages, {compiled.stdout.count('--hash=')} files: {LOCK}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
