"""Reading video clips, frame by frame, with all that says how and when each is shown."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.enhance.clip_colour import Colours, Converter, colours_of
from edgesr.enhance.clip_file import look_through, opened, picture
from edgesr.enhance.privacy import Strip, kept_tags
from edgesr.errors import InputOutputError
from edgesr.images.imaging import Pixels

THREADS = 4
"""Threads that decode; each keeps frames of its own, and restoring faces takes far longer."""

OWN_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "timecode", "vendor_id", "duration"}
"""What each file says of itself."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """``pixels`` uint8 [H, W, 3], upright. ``time`` and ``duration`` in the clip's time base; None: not known."""

    pixels: Pixels
    time: int | None = None
    duration: int | None = None


@dataclasses.dataclass(frozen=True)
class Look:
    """How a clip's frames are shown, which an output shares. ``aspect``: width of a pixel by its height; None: square
    or not said. ``rate``: frames a second, on average. ``base``: seconds of a tick of its frames' times."""

    rate: Fraction
    base: Fraction
    colours: Colours = Colours()
    aspect: Fraction | None = None


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video file that is whole. Sizes are those of upright frames; ``turn`` brings a stored frame there."""

    path: Path
    width: int
    height: int
    frames: int
    look: Look
    turn: tuple[bool, bool, bool] = (False, False, False)
    """Swap the sides, then mirror left and right, then top and bottom."""
    stream: int = 0
    """The picture's number in its file."""
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    """What the whole file is tagged with: when and where it was taken, by what, its title."""
    fine_colours: bool = False
    """Whether they are stored at more than half its width and height, which an output's are not."""
    notes: tuple[str, ...] = ()
    """What of it cannot be kept."""

    strip: Strip = None
    """What an output of it does not get."""

    def without(self, strip: Strip) -> Clip:
        """The clip without the tags, and streams, that an output must not have."""
        return dataclasses.replace(self, tags=kept_tags(self.tags, strip), strip=strip)

    def stream_tags(self, stream: Any) -> dict[str, str]:
        """What one of its streams is tagged with: title, and language, without which sounds are hard to tell apart."""
        tags = {name: value for name, value in stream.metadata.items() if name.lower() not in OWN_TAGS}
        language = {name: value for name, value in tags.items() if name.lower() == "language"}
        return language | kept_tags(tags, self.strip)

    def read(self) -> Iterator[Frame]:
        """Yield the clip's frames, one at a time.

        Raises:
            InputOutputError: a damaged frame, or one of another size.
        """
        convert = Converter(self.look.colours)
        with opened(self.path) as container:
            for frame in decoded(container, self.path):
                pixels = turned(convert.pixels(frame), self.turn)
                if pixels.shape[:2] != (self.height, self.width):
                    height, width = pixels.shape[:2]
                    raise InputOutputError(
                        f"{self.path} changes from {self.width}x{self.height} to {width}x{height}", "cut it there"
                    )
                time = frame.pts if frame.pts is not None else frame.dts
                yield Frame(pixels, time, frame.duration or None)


def open_clip(path: Path) -> Clip:
    """What a clip's header and first frame say; the whole file is looked through.

    Raises:
        InputOutputError: missing, no video, cut short, its frames are too large, or HDR.
        UnavailableError: no PyAV.
    """
    contents = look_through(path)
    with opened(path) as container:
        stream = picture(container, path)
        with contextlib.closing(decoded(container, path)) as frames:
            frame = next(frames, None)
        if frame is None:
            raise InputOutputError(f"{path} has no frame that can be read", "the file looks damaged")
        colours, lost = colours_of(path, frame)
        notes = list(lost)
        if frame.interlaced_frame:
            notes.append("it is interlaced, and was taken as it is stored")
        others = [s for s in container.streams if s.type not in ("audio", "subtitle") and s.index != stream.index]
        if container.chapters():  # an MP4 has a stream of their names, and they are carried over
            others = [s for s in others if s.type != "data"]
        notes += [f"its {s.type} stream {s.index} was left out" for s in others]
        turn = _turn(frame)
        aspect = stream.sample_aspect_ratio or None
        if aspect and turn[0]:
            aspect = 1 / aspect
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        rate = rate if Fraction(1, 1000) < rate <= 1000 else Fraction(25)  # damaged headers say anything
        form = frame.format
        fine = len(form.components) > 2 and max(form.chroma_width(64), form.chroma_height(64)) > 32
        index = stream.index  # a closed file's streams are not to be touched
        look = Look(rate, stream.time_base or 1 / rate, colours, aspect)
        size = (frame.height, frame.width) if turn[0] else (frame.width, frame.height)
        tags = {name: value for name, value in container.metadata.items() if name.lower() not in OWN_TAGS}
    return Clip(path, *size, contents.frames, look, turn, index, tags, fine, tuple(notes))


def decoded(container: Any, path: Path) -> Generator[Any]:
    """Frames of an open clip as their decoder gives them.

    Raises:
        InputOutputError: a damaged one.
    """
    stream = picture(container, path)
    stream.thread_type, stream.thread_count = "AUTO", THREADS
    for frame in container.decode(stream):
        if frame.is_corrupt:
            raise InputOutputError(f"{path} has a damaged frame", "copy or download it again")
        yield frame


def _turn(frame: Any) -> tuple[bool, bool, bool]:
    """What brings a frame upright, by the matrix of its container; a slanted one is taken as the nearest."""
    matrix = next((data for data in frame.side_data if str(data.type).endswith("DISPLAYMATRIX")), None)
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    return (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)


def turned(pixels: Pixels, turn: tuple[bool, bool, bool]) -> Pixels:
    """Pixels [H, W, 3], upright."""
    swap, mirror, flip = turn
    if swap:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if flip else 1, :: -1 if mirror else 1])
