"""Reading and writing video clips through OpenCV, frame by frame."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.atomic import file_aside
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.imaging import Pixels

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "MJPG"}
"""What OpenCV's own build writes everywhere."""

MOST_FRAME = 36_000_000
"""Pixels of a frame: 8K passes."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video file."""

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    """As its header says; a damaged file has fewer."""

    def read(self) -> Iterator[Pixels]:
        """Frames uint8 [H, W, 3], one at a time."""
        capture = _open(self.path)
        try:
            while True:
                good, frame = capture.read()
                if not good:
                    return
                yield np.ascontiguousarray(frame[..., ::-1])
        finally:
            capture.release()


def open_clip(path: Path) -> Clip:
    """What a clip's header says.

    Raises:
        InputOutputError: missing, no video, or its frames are too large.
        UnavailableError: no OpenCV.
    """
    if not path.is_file():
        raise InputOutputError(f"no file {path}")
    capture = _open(path)
    try:
        import cv2

        names = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT)
        width, height, fps, frames = (capture.get(name) for name in names)
    finally:
        capture.release()
    if not 0 < width * height <= MOST_FRAME:
        raise InputOutputError(f"{path} has frames of {width:.0f}x{height:.0f}", "at most 36 megapixels are read")
    return Clip(path, int(width), int(height), fps if 0 < fps <= 1000 else 25.0, max(0, int(frames)))


class ClipWriter:
    """A clip that is being written."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        """``size``: width and height, even as codecs want them."""
        cv2 = _cv2()
        code = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(path), code, fps, size)
        self._size = size
        if not self._writer.isOpened():
            raise InputOutputError(f"OpenCV cannot write {path.name} here", "use another suffix: .mp4 or .avi")

    def write(self, frame: Pixels) -> None:
        """A frame uint8 [H, W, 3] of the clip's size."""
        if frame.shape[1::-1] != self._size:
            raise ValueError(f"a frame of {frame.shape[1::-1]} in a clip of {self._size}")
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def close(self) -> None:
        self._writer.release()


@contextlib.contextmanager
def write_clip(path: Path, size: tuple[int, int], fps: float) -> Iterator[ClipWriter]:
    """A clip to write frames to; it is there at the end, complete or not at all.

    Raises:
        UsageError: a suffix that is not written.
        InputOutputError: it cannot be written.
    """
    if path.suffix.lower() not in CODECS:
        raise UsageError(f"cannot write {path.name!r} as a clip", f"use {', '.join(CODECS)}")
    with file_aside(path) as aside:
        writer = ClipWriter(aside, size, fps)
        try:
            yield writer
        finally:
            writer.close()


def _open(path: Path) -> Any:
    cv2 = _cv2()
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(str(path))
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        raise InputOutputError(f"{path} is no video that can be read", "it is damaged, or of a codec that is not here")
    return capture


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise UnavailableError("video needs OpenCV", "pip install 'edgesr[faces]'") from error
    return cv2
