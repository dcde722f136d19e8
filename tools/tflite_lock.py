"""Lock what `edgesr setup` installs: every file's SHA-256, for every system, in convert/tflite and convert/arm64.

python tools/tflite_lock.py [LIST...]

Takes names, versions and the text above them from the files themselves: change a version there and run it. Nothing else
is looked up: `edgesr setup` installs the lists alone and tells whether what they hold starts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "convert"
PYTHONS = {
    "tflite/converter_requirements.txt": "3.12",
    "tflite/runtime_requirements.txt": "3.11",
    "arm64/requirements.txt": "3.11",
    "arm64/executorch_requirements.txt": "3.11",
}
"""By which uv knows which Pythons do not matter; onnx2tf declares 3.12."""


def main() -> int:
    """0, or 1 where a package has no files by that version."""
    chosen = sys.argv[1:] or PYTHONS
    return max(lock(FOLDER / name, PYTHONS[name]) for name in chosen)


def lock(path: Path, python: str) -> int:
    """Write one list anew."""
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    pins = [re.sub(r"\s*\\$", "", line) for line in lines if line and not line.startswith(("#", " "))]
    project = f'[project]\nname = "lock"\nversion = "0"\nrequires-python = "=={python}.*"\n'
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(project)
        (Path(folder) / "pins.in").write_text("\n".join(pins) + "\n")
        compiled = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", "pins.in", "--quiet", "--universal", "--no-deps",
             "--python-version", python, "--generate-hashes", "--no-header", "--no-annotate"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if compiled.returncode:
        sys.stderr.write(compiled.stderr)
        return 1
    path.write_text("\n".join(head) + "\n" + compiled.stdout)
    sys.stdout.write(f"{len(pins)} packages, {compiled.stdout.count('--hash=')} files: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
