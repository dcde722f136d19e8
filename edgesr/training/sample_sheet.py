"""A look at what a network in training makes of a few faces."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from edgesr.data.faces import EvalPair
from edgesr.evaluation.methods import Methods
from edgesr.evaluation.metrics import psnr
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import read_image
from edgesr.runtime.base import Runtime

PEOPLE, SIDE = 6, 160


def sample_sheet(runtime: Runtime, pairs: Sequence[EvalPair], degradation: str = "bicubic") -> Image.Image:
    """The first target of each of a few people, spread evenly over ``pairs``: exemplar, LR, bicubic, SR, original."""
    first = list({pair.person: pair for pair in reversed(pairs) if pair.exemplars}.values())[::-1]
    shown = first[:: -(-len(first) // PEOPLE) or 1]
    if not shown:
        return contact_sheet((), [], SIDE)
    methods = Methods(runtime, shown, degradation=degradation)
    name = f"n={methods.control}"
    rows = []
    for pair in shown:
        restored = methods.restore(pair)
        bicubic, sr = restored.images["bicubic"], restored.images[name]
        tiles = [
            (read_image(pair.exemplars[0]), f"1 of {len(pair.exemplars)}"),
            (restored.lr, f"{restored.lr.shape[1]} px"),
            (bicubic, f"{psnr(bicubic, restored.truth):.2f} dB"),
            (sr, f"{psnr(sr, restored.truth):.2f} dB"),
            (restored.truth, ""),
        ]
        rows.append(SheetRow(pair.label, tiles))
    return contact_sheet(("exemplar", "LR", "bicubic", name, "original"), rows, SIDE)
