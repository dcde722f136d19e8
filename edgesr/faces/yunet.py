"""The face detector's file: YuNet comes with the package; a user may name another."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgesr.errors import InputOutputError, UnavailableError
from edgesr.files.places import expanded
from edgesr.files.reading import open_plain

YUNET_VARIABLE = "EDGESR_YUNET"
"""Names another copy, or another YuNet, to use in place of the package's."""

YUNET = Path(__file__).parent.parent / "weights" / "face_detection_yunet.onnx"
"""YuNet of March 2023 as exported again in May 2026 for OpenCV 5, which takes pictures of any size (MIT licence)."""

LICENCE = YUNET.with_suffix(".LICENSE")

SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
BYTES = 229_738


def find_yunet(given: Path | None = None) -> Path:
    """The detector's file: ``given``, else the environment variable's, else the package's; the first named one decides.

    Raises:
        UnavailableError: it is not there; says who named it.
    """
    variable = os.environ.get(YUNET_VARIABLE)
    path = given or (expanded(variable) if variable else YUNET)
    if path.is_file():
        return path
    if given:
        raise UnavailableError(f"no face detector {given}", "without --detector the one of the package serves")
    if variable:
        raise UnavailableError(
            f"no face detector {path}, which {YUNET_VARIABLE} names", "unset it, and the one of the package serves"
        )
    raise UnavailableError(f"the face detector is missing from the package: no file {path}", "install edgesr again")


def is_genuine(path: Path) -> bool:
    """Whether a file is the detector that edgesr was measured with.

    Raises:
        InputOutputError: it cannot be read.
    """
    try:
        with open_plain(path) as stream:
            content = stream.read(BYTES + 1)
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror}", "check its permissions") from error
    return hashlib.sha256(content).hexdigest() == SHA256
