"""``edgesr eval --correlation``: what the correlation loss compares, drawn (HIME paper, Figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from edgesr.enhance.heatmap import jet
from edgesr.evaluation.methods import Methods
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import Pixels, to_unit
from edgesr.training.losses.correlation import mean_correlation

if TYPE_CHECKING:
    from edgesr.data.faces import EvalPair

WINDOWS = (3, 5, 7)
PEOPLE, SIDE = 4, 160
TOP = 0.95
"""Quantile of a face's map that is drawn dark red, in all its pictures: a few pixels are far beyond."""


def correlation_sheet(methods: Methods, pairs: Sequence[EvalPair]) -> Image.Image:
    """Two rows for the first target of each of a few people: the original and the SR face, each with its correlation
    map for every window in jet colours, blue for texture and red for what is even and far from the mean colour."""
    first = list({pair.person: pair for pair in reversed(pairs)}.values())[::-1]
    rows = []
    for pair in first[:: -(-len(first) // PEOPLE) or 1]:
        truth, lr = methods.target(pair)
        sr = methods.restored_with(lr, pair.exemplars[: methods.runtime.interface.slots])
        tops = {k: float(np.quantile(maps(truth, k), TOP)) for k in WINDOWS}
        for label, face in ((pair.label, truth), ("restored", sr)):
            drawn = [(jet(maps(face, k) / max(tops[k], 1e-9)), "") for k in WINDOWS]
            rows.append(SheetRow(label, [(face, ""), *drawn]))
    return contact_sheet(("face", *(f"k = {k}" for k in WINDOWS)), rows, SIDE)


def maps(face: Pixels, window: int) -> np.ndarray:
    """The summed correlation map [H, W] of a face uint8 [H, W, 3]."""
    image = torch.from_numpy(to_unit(face)).permute(2, 0, 1)[None]
    found: np.ndarray = mean_correlation(image, window)[0].numpy()
    return found
