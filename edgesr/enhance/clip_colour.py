"""What a clip's samples mean: matrix, range, primaries and transfer, in the numbers of ITU-T H.273."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.enhance.clip_file import load_av
from edgesr.errors import InputOutputError
from edgesr.images.imaging import Pixels

UNSPECIFIED = 2
BT709, BT601 = 1, 6

MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
"""The matrices that are read, and libswscale's number of each: BT.709, FCC, BT.601 twice, SMPTE 240M, BT.2020."""

TRANSFERS = {1, UNSPECIFIED, 4, 5, 6, 7, 11, 12, 13, 14, 15}
"""The transfers of an ordinary picture. The networks have learnt from such alone."""

HDR = {16: "HDR (PQ)", 18: "HDR (HLG)"}
HDR_HINT = "save it as an ordinary clip (SDR) first: phones do so when they share it as most compatible"


@dataclasses.dataclass(frozen=True)
class Colours:
    """``matrix`` between RGB and YUV; ``full``: samples from 0 to 255 instead of 16 to 235."""

    matrix: int = BT709
    full: bool = False
    primaries: int = BT709
    transfer: int = BT709


def colours_of(path: Path, frame: Any) -> tuple[Colours, tuple[str, ...]]:
    """What a decoded frame's samples mean, and what of them cannot be kept.

    Raises:
        InputOutputError: HDR, or another meaning that is not known; named.
    """
    form = frame.format
    if frame.color_trc in HDR or any(
        str(data.type).endswith(("DOVI_METADATA", "DOVI_RPU_BUFFER")) for data in frame.side_data
    ):
        raise InputOutputError(f"{path} is {HDR.get(frame.color_trc, 'HDR (Dolby Vision)')}", HDR_HINT)
    if frame.color_trc not in TRANSFERS:
        raise InputOutputError(f"{path} has transfer characteristics {frame.color_trc} of H.273", HDR_HINT)
    notes = []
    depth = max(component.bits for component in form.components)
    if depth > 8:
        notes.append(f"its {depth} bits a sample became 8")
    if any(component.is_alpha for component in form.components):
        notes.append("its transparency was left out")
    if form.is_rgb or form.has_palette:
        return Colours(BT709, False, frame.color_primaries, frame.color_trc), tuple(notes)
    matrix = frame.colorspace
    if matrix in (UNSPECIFIED, 3) or len(form.components) < 3:
        # As players guess: what is written is larger, so they would guess otherwise of it.
        matrix = BT709 if frame.width >= 1280 or frame.height > 576 else BT601
    if matrix not in MATRICES:
        raise InputOutputError(
            f"{path} has matrix coefficients {matrix} of H.273", "save it with those of BT.709 first"
        )
    grey = len(form.components) < 3 and frame.color_range != 1
    full = frame.color_range == 2 or form.name.startswith("yuvj") or grey
    return Colours(matrix, full, frame.color_primaries, frame.color_trc), tuple(notes)


class Converter:
    """Between frames of a codec and RGB pixels; exact to a level, where libswscale's defaults sink by one to three."""

    def __init__(self, colours: Colours) -> None:
        from av.video.reformatter import Interpolation as Flags
        from av.video.reformatter import VideoReformatter

        self.colours = colours
        self._scaler = VideoReformatter()
        self._how = {
            "interpolation": Flags.BICUBIC | Flags.ACCURATE_RND | Flags.FULL_CHR_H_INT | Flags.FULL_CHR_H_INP,
            "threads": 1,
        }
        self._matrix, self._range = MATRICES[colours.matrix], 2 if colours.full else 1

    def pixels(self, frame: Any) -> Pixels:
        """A decoded frame as uint8 [H, W, 3]."""
        rgb = frame.format.is_rgb or frame.format.has_palette
        source = {} if rgb else {"src_colorspace": self._matrix, "src_color_range": self._range}
        done = self._scaler.reformat(frame, format="rgb24", dst_color_range=2, **source, **self._how)
        return np.asarray(done.to_ndarray(), np.uint8)

    def frame(self, pixels: Pixels) -> Any:
        """uint8 [H, W, 3], even sides, as a frame to encode (4:2:0)."""
        rgb = load_av().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        target = {"dst_colorspace": self._matrix, "src_color_range": 2, "dst_color_range": self._range}
        return self._scaler.reformat(rgb, format="yuv420p", **target, **self._how)
