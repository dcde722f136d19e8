"""How much an exemplar is worth by how many frames ago it was: HIME's Table 5 for a clip of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgesr.enhance.clip import Frame, open_clip
from edgesr.errors import InputOutputError
from edgesr.evaluation.methods import GREY, degrade
from edgesr.evaluation.metrics import psnr, ssim
from edgesr.faces.alignment import crop_face
from edgesr.faces.face import Detector
from edgesr.images.imaging import Pixels, resize_bicubic

if TYPE_CHECKING:
    from edgesr.api import Model

GAPS = (1, 5, 10, 30, 60, 120)
"""Frames between exemplar and target; the paper's are 30, 60 and 120."""

PAPER = {
    "30": {"psnr": 37.34, "ssim": 0.9250},
    "60": {"psnr": 37.24, "ssim": 0.9241},
    "120": {"psnr": 37.12, "ssim": 0.9227},
    "blank": {"psnr": 36.81, "ssim": 0.9207},
}
"""HIME's Table 5 by ``TemporalRow.exemplar``: x4, on video calls of its authors."""

TARGETS = 40
LEAST_SIDE = 0.9
"""A face counts as sharp from this share of the network's HR size on: it is its own ground truth."""


@dataclasses.dataclass(frozen=True)
class TemporalRow:
    """``exemplar``: bicubic, none, blank, or how many frames ago; means over ``frames`` targets,
    the same in all rows."""

    exemplar: str
    psnr: float
    ssim: float
    frames: int


def temporal_table(
    path: Path,
    model: Model,
    detector: Detector,
    gaps: Sequence[int] = GAPS,
    progress: Callable[[Iterable[Frame], int], Iterable[Frame]] = lambda frames, _: frames,
) -> list[TemporalRow]:
    """PSNR and SSIM of the clip's largest face, scaled down and restored with itself ``gap`` frames before.

    Frames whose face is smaller than the network's HR size have no ground truth and are left out, and so are gaps
    that are longer than half of what is left.

    Raises:
        InputOutputError: it cannot be read, or shows no face of that size often enough.
    """
    size = model.config.hr_size
    clip = open_clip(path)
    crops: dict[int, Pixels] = {}
    for number, shown in enumerate(progress(clip.read(), clip.frames)):
        frame = shown.pixels
        faces = detector.detect(frame)
        if faces and faces[0].alignment.side >= LEAST_SIDE * size:
            crops[number] = crop_face(frame, detector.refine(frame, faces[0]).alignment, size)
    span = max(crops) - min(crops) + 1 if crops else 0
    usable = [gap for gap in gaps if gap <= span // 2]
    targets = [t for t in crops if all(t - gap in crops for gap in usable)] if usable else []
    if not targets:
        raise InputOutputError(
            f"{path} shows a face of {LEAST_SIDE * size:.0f} pixels or more in {len(crops)} frames only",
            "the table needs a clip in which it is large for a while",
        )
    targets = [targets[round(i)] for i in np.linspace(0, len(targets) - 1, min(TARGETS, len(targets)))]
    blank = model.encode([np.full((size, size, 3), GREY, np.uint8)])
    none = model.encode([])
    names = ["bicubic", "none", "blank", *map(str, usable)]
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for t in targets:
        truth = crops[t]
        lr = degrade(truth, model.config.scale)
        images = {"bicubic": resize_bicubic(lr, size, size)}
        images["none"], _ = model.restore(lr, none)
        images["blank"], _ = model.restore(lr, blank)
        for gap in usable:
            images[str(gap)], _ = model.restore(lr, model.encode([crops[t - gap]]))
        for name, image in images.items():
            scores[name].append((psnr(image, truth), ssim(image, truth)))
    means = {name: np.mean(scores[name], axis=0).tolist() for name in names}
    return [TemporalRow(name, means[name][0], means[name][1], len(targets)) for name in names]
