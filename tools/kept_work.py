"""Work of the photo booths' tools that is done once: bundles are converted again only where their sources changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from edgesr.release import DEFAULT_CHECKPOINT

REPOSITORY = Path(__file__).resolve().parent.parent
CHECKPOINTS = REPOSITORY / "edgesr" / "checkpoints"
NETWORK = DEFAULT_CHECKPOINT
INT8 = f"{NETWORK}-int8"
"""Its int8 form, which need not be there."""

VECTORS = (
    "docs/alignment.md",
    "edgesr/faces/alignment.py",
    "edgesr/faces/descriptor.py",
    "edgesr/faces/detection.py",
    "edgesr/images/imaging.py",
    "edgesr/data/samples.py",
    "edgesr/enhance",
    "edgesr/gallery",
    "edgesr/samples",
    "edgesr/weights",
    "edgesr/faces/yunet.py",
    "tests/data/galleries",
    "tools/booth_vectors.py",
    "tools/kept_work.py",
)
"""What the vectors that the booths are tested against (``booth_vectors``) are computed from, beside the bundles."""


def prepare() -> None:
    """One thread."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def digest(*parts: str) -> str:
    """Of files and folders of the repository, by their paths from its top."""
    result = hashlib.sha256()
    for part in parts:
        path = REPOSITORY / part
        if not path.exists() and path != CHECKPOINTS / INT8:
            raise SystemExit(f"{part} is not there: the list of what test data depend on is out of date")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                result.update(str(file.relative_to(REPOSITORY)).encode() + file.read_bytes())
    return result.hexdigest()


def bundle(folder: Path, target: str, precision: str, checkpoint: str, converter: tuple[str, ...]) -> Path:
    """``folder/bundle-PRECISION``, converted and verified by edgesr; kept until ``checkpoint`` or the files of the
    ``converter`` change."""
    output = folder / f"bundle-{precision}"
    stamp, state = folder / f"bundle-{precision}.stamp", digest(*converter, f"edgesr/checkpoints/{checkpoint}")
    if not (stamp.is_file() and stamp.read_text() == state and output.is_dir()):
        command = [sys.executable, "-m", "edgesr.cli", "convert", "--target", target, "--precision", precision]
        subprocess.run(
            [*command, "--checkpoint", checkpoint, "--output", output, "--force"], check=True, cwd=REPOSITORY
        )
        stamp.write_text(state)
    return output
