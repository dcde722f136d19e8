"""Two wheels of one, to publish: edgesr without the weights for PyTorch, and edgesr-weights with them alone.

python tools/split_wheel.py dist/edgesr-0.1.0-py3-none-any.whl dist/apart/

A wheel with all weights has 57 MB, of which 33 are for those who install PyTorch: the light one has 24. Both install
into one folder, so an installation of both is one of the whole wheel.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

WEIGHTS = re.compile(r"edgesr/checkpoints/[^/]+/model\.safetensors")
LICENCE = "LicenseRef-edgesr-weights"
WHEEL = "Wheel-Version: 1.0\nGenerator: split_wheel.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def main(arguments: Sequence[str]) -> int:
    """Split a wheel; prints both files."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    for path in split(Path(arguments[0]), Path(arguments[1])):
        sys.stdout.write(f"{path}\n")
    return 0


def split(wheel: Path, folder: Path) -> tuple[Path, Path]:
    """Write the two wheels into ``folder``; returns edgesr's and that of the weights."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    version = wheel.name.split("-")[1]
    information = f"edgesr-{version}.dist-info"
    licence = files[f"{information}/licenses/LICENSES/{LICENCE}.txt"]
    weights = {name: content for name, content in files.items() if WEIGHTS.fullmatch(name)}
    rest = {name: content for name, content in files.items() if name not in weights and not name.endswith("/RECORD")}
    folder.mkdir(parents=True, exist_ok=True)
    own = f"edgesr_weights-{version}.dist-info"
    weights |= {
        f"{own}/METADATA": metadata(version).encode(),
        f"{own}/WHEEL": WHEEL.encode(),
        f"{own}/licenses/{LICENCE}.txt": licence,
    }
    first, second = folder / wheel.name, folder / f"edgesr_weights-{version}-py3-none-any.whl"
    write(first, rest, information)
    write(second, weights, own)
    return first, second


def metadata(version: str) -> str:
    """Of the weights; they fit one version of edgesr."""
    return (
        f"Metadata-Version: 2.4\nName: edgesr-weights\nVersion: {version}\n"
        "Summary: The networks of edgesr as PyTorch takes them\n"
        f"License-Expression: {LICENCE}\nLicense-File: {LICENCE}.txt\n"
        f"Requires-Python: >=3.11\nRequires-Dist: edgesr=={version}\n"
    )


def write(path: Path, files: Mapping[str, bytes], information: str) -> None:
    """A wheel of these files, with their RECORD."""
    rows = [f"{name},sha256={digest(content)},{len(content)}" for name, content in files.items()]
    record = "\n".join([*rows, f"{information}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in {**files, f"{information}/RECORD": record.encode()}.items():
            archive.writestr(name, content)


def digest(content: bytes) -> str:
    """SHA-256 as RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
