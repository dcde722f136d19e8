"""``edgesr eval --weights``: what a network takes from where, drawn over the exemplars (PWAve paper, Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from edgesr.enhance.heatmap import overlay
from edgesr.evaluation.methods import Methods
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import read_image, to_pixels, to_unit
from edgesr.runtime.base import fill_slots

if TYPE_CHECKING:
    from edgesr.data.faces import EvalPair

PEOPLE, SIDE = 8, 160


def weights_sheet(methods: Methods, pairs: Sequence[EvalPair]) -> Image.Image:
    """A row for the first target of each of a few people, spread evenly over ``pairs``: LR, SR, original, and each
    exemplar in grey with its weights in jet colours; green is an equal part."""
    first = list({pair.person: pair for pair in reversed(pairs) if pair.exemplars}.values())[::-1]
    runtime, slots = methods.runtime, methods.runtime.interface.slots
    rows, most = [], 0
    for pair in first[:: -(-len(first) // PEOPLE) or 1]:
        truth, lr = methods.target(pair)
        photos = [read_image(path) for path in pair.exemplars[:slots]]
        features = [runtime.encode(to_unit(photo)) for photo in photos]
        sr, weights = runtime.restore(to_unit(lr), *fill_slots(features, runtime.interface))
        drawn = [overlay(photo, share, len(photos)) for photo, share in zip(photos, weights, strict=False)]
        notes = [f"{share.mean():.0%} of it" for share in weights]
        tiles = [(lr, f"{lr.shape[1]} px"), (to_pixels(sr), ""), (truth, ""), *zip(drawn, notes, strict=False)]
        rows.append(SheetRow(pair.label, tiles))
        most = max(most, len(drawn))
    return contact_sheet(("LR", "SR", "original", *(f"exemplar {i + 1}" for i in range(most))), rows, SIDE)
