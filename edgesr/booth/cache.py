"""Web bundles that ``edgesr booth`` made of checkpoints: used again until anything they are made of changes.

Nothing here imports torch, so that a booth that was opened before opens at once.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgesr.booth.site import DESCRIPTION, site_folder
from edgesr.faces.yunet import YUNET, YUNET_VARIABLE
from edgesr.files import places
from edgesr.release import __version__

SHIPPED = Path(__file__).parent.parent / "checkpoints"


def cache_folder(checkpoint: str) -> Path:
    """Where the bundle of a shipped checkpoint's name, or of a checkpoint's folder, lies or will lie.

    Its name holds a digest of the checkpoint, the shipped networks (its int8 form may be one of them), the page, the
    detector, and edgesr's version.

    Raises:
        UnavailableError: the page is not built.
    """
    given = places.expanded(checkpoint)
    shipped = SHIPPED / checkpoint
    folder = shipped if given.name == checkpoint and not given.exists() and shipped.is_dir() else given
    folder = folder if folder.is_dir() else folder.parent  # of the weights file, which names a checkpoint as well
    if (folder / "checkpoint" / "config.json").is_file():  # of a training run
        folder = folder / "checkpoint"
    detector = os.environ.get(YUNET_VARIABLE)
    parts = [
        site_folder() / DESCRIPTION,
        Path(detector) if detector else YUNET,
        *sorted(SHIPPED.glob("*/*")),
        *sorted(SHIPPED.glob("*/onnx/manifest.json")),  # where PyTorch is not installed, of these
        *sorted(path for path in folder.glob("*") if path.suffix in (".safetensors", ".json")),
    ]
    digest = hashlib.sha256(f"{__version__} {checkpoint}".encode())
    for part in parts:
        digest.update(part.read_bytes() if part.is_file() else b"")
    return places.cache_folder() / "booth" / f"{given.name or 'booth'}-{digest.hexdigest()[:16]}"
