"""Work of the photo booths' tools that is done once: bundles are converted again only where their sources changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from edgesr.release import DEFAULT_CHECKPOINT

REPOSITORY = Path(__file__).resolve().parent.parent
CHECKPOINTS = REPOSITORY / "edgesr" / "checkpoints"
NETWORK = DEFAULT_CHECKPOINT
"""What the booths are built for unless told otherwise."""

INT8 = f"{NETWORK}-int8"
"""Its int8 form, which need not be there."""

DEPARTS = 1
"""Exit code of edgesr convert where the artifact departs from PyTorch."""

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


def forms(network: str) -> dict[str, Path]:
    """The checkpoints of a network by its shipped name or its checkpoint's folder: ``float``, and ``int8`` where one of
    its name and ``-int8`` lies beside it, as the shipped ones do."""
    folder = CHECKPOINTS / network
    if not (folder / "config.json").is_file():
        from edgesr.errors import CheckpointError
        from edgesr.models.description import find_checkpoint

        try:
            folder = find_checkpoint(network).resolve()
        except CheckpointError as error:
            raise SystemExit(f"assets: {error}") from error
    int8 = folder.with_name(f"{folder.name}-int8")
    return {"float": folder} | ({"int8": int8} if int8.is_dir() else {})


def digest(*parts: str | Path) -> str:
    """Of files and folders by their paths, those of the repository from its top."""
    result = hashlib.sha256()
    for part in parts:
        path = REPOSITORY / part
        if not path.exists() and path != CHECKPOINTS / INT8:
            raise SystemExit(f"{part} is not there: the list of what test data depend on is out of date")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                named = file.relative_to(REPOSITORY) if file.is_relative_to(REPOSITORY) else file
                result.update(str(named).encode() + file.read_bytes())
    return result.hexdigest()


def bundle(folder: Path, target: str, precision: str, checkpoint: Path, converter: tuple[str, ...]) -> Path:
    """``folder/bundle-PRECISION``, converted and verified by edgesr; kept until ``checkpoint`` or the files of the
    ``converter`` change."""
    output = folder / f"bundle-{precision}"
    stamp, state = folder / f"bundle-{precision}.stamp", digest(*converter, checkpoint)
    if not (stamp.is_file() and stamp.read_text() == state and output.is_dir()):
        # What is broken off leaves another network's bundle, or none: the stamp may not call it this one's.
        stamp.unlink(missing_ok=True)
        named = checkpoint.name if checkpoint.parent == CHECKPOINTS else checkpoint
        command = [sys.executable, "-m", "edgesr.cli", "convert", "--target", target, "--precision", precision]
        subprocess.run([*command, "--checkpoint", named, "--output", output, "--force"], check=True, cwd=REPOSITORY)
        stamp.write_text(state)
    return output


def spared(folder: Path, target: str, precision: str, checkpoint: Path, converter: tuple[str, ...]) -> Path | None:
    """``bundle`` of an int8 twin, without which its float form makes a booth: None where the parity gate refuses the
    conversion, which is kept too. The shipped booth's may not be refused."""
    if checkpoint == CHECKPOINTS / INT8:
        return bundle(folder, target, precision, checkpoint, converter)
    refused, state = folder / f"bundle-{precision}.refused", digest(*converter, checkpoint)
    if not (refused.is_file() and refused.read_text() == state):
        try:
            return bundle(folder, target, precision, checkpoint, converter)
        except subprocess.CalledProcessError as error:
            if error.returncode != DEPARTS:
                raise
        refused.write_text(state)
    said = f"assets: {checkpoint.name} departs from PyTorch on {target} (edgesr convert says where): float alone\n"
    sys.stdout.write(said)
    return None


def form(
    folder: Path, target: str, name: str, precision: str, checkpoint: Path | None, converter: tuple[str, ...]
) -> Path | None:
    """The bundle of a network's form, ``float`` or ``int8``; None where it has none. Nothing of another stays."""
    made = None
    if checkpoint is not None:
        made = (spared if name == "int8" else bundle)(folder, target, precision, checkpoint, converter)
    if made is None:
        forget(folder, precision, name)
    return made


def forget(folder: Path, precision: str, name: str) -> None:
    """Take away what another network left of a form that this one has not."""
    shutil.rmtree(folder / f"bundle-{precision}", ignore_errors=True)
    for file in (f"bundle-{precision}.stamp", f"python-{name}.gallery"):
        (folder / file).unlink(missing_ok=True)
