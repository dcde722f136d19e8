"""Contact sheets: a row a face, a column a method."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from edgesr.images.imaging import Pixels


@dataclasses.dataclass(frozen=True)
class SheetRow:
    """One face: its name and an image with a note for every column; None leaves a place empty."""

    label: str
    tiles: Sequence[tuple[Pixels | None, str]]


def contact_sheet(columns: Sequence[str], rows: Sequence[SheetRow], side: int) -> Image.Image:
    """Every image at ``side`` pixels, enlarged without smoothing: small ones show their pixels."""
    gap, line = 8, 26
    font = ImageFont.load_default(15)
    step = side + gap
    sheet = Image.new("RGB", (step * len(columns) + gap, line + len(rows) * (step + 2 * line)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, column in enumerate(columns):
        pen.text((gap + i * step + side / 2, line / 2), column, "black", font, anchor="mm")
    for j, row in enumerate(rows):
        top = line + j * (step + 2 * line)
        pen.text((gap, top + line / 2), row.label, "black", font, anchor="lm")
        for i, (image, note) in enumerate(row.tiles):
            left = gap + i * step
            if image is not None:
                tile = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
                sheet.paste(tile, (left, top + line))
            pen.text((left + side / 2, top + line + side + line / 2), note, "dimgray", font, anchor="mm")
    return sheet
