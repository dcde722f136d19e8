"""What of a web bundle a browser is given: its models and data, and never anything that it would execute.

The page is always the installed one. A bundle that came from anywhere is served on the origin that holds the user's
galleries, where a script of its own could read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edgesr.booth.site import site_files, site_folder

BOOTH, DETECTOR, GOLDEN = "booth.json", "detector/face_detection_yunet.onnx", "golden.safetensors"
_MODEL = re.compile(r"models/[A-Za-z0-9_-]+/(manifest\.json|encode\.onnx|restore\.onnx|golden\.safetensors)")


def is_data(name: str) -> bool:
    """Whether a file's name is that of a web bundle's models and data; everything else of one is its page."""
    return name in (BOOTH, DETECTOR, GOLDEN) or _MODEL.fullmatch(name) is not None


def served_files(folder: Path, names: Iterable[str], booth: Path | None = None) -> dict[str, Path]:
    """The installed page, and of the bundle in ``folder`` those of its ``names`` that are data.

    ``booth`` takes the place of its ``booth.json``, which names the page's files.

    Raises:
        UnavailableError: the page is not built.
    """
    page = site_folder()
    data = {name: folder / name for name in names if is_data(name)}
    return data | ({BOOTH: booth} if booth else {}) | {name: page / name for name in site_files(page)}
