"""Worst faces side by side with maps of what quantization changed, as images inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, resize_bicubic

from .faces import ReportFace

SCALES = (4, 8, 16, 32, 64, 128, 255)
"""Ends of the error maps' colour scale, in levels of 255; the smallest that holds nearly all differences is taken."""
HELD = 0.999

Restore = Callable[[ReportFace], Pixels]


def side_by_side(faces: Sequence[ReportFace], reference: Restore, networks: Mapping[str, Restore]) -> dict[str, Any]:
    """Pictures of each face: LR, original, bicubic, float network, every other network with its map of departures.

    Returns ``scale`` (the level at the maps' bright end), ``legend`` (an image) and ``faces``: ``key``, ``label``,
    ``split`` and ``tiles`` of ``title``, ``note``, ``image`` (a data URI) and ``map`` (likewise, or None).
    """
    floats = [reference(face) for face in faces]
    restored = {name: [restore(face) for face in faces] for name, restore in networks.items()}
    departures = {
        name: [_departure(image, wanted) for image, wanted in zip(images, floats, strict=True)]
        for name, images in restored.items()
    }
    everything = [departure for of_one in departures.values() for departure in of_one]
    held = float(np.quantile(np.stack(everything), HELD)) if everything else 0.0
    scale = next(s for s in SCALES if s >= held or s == SCALES[-1])
    found = []
    for i, face in enumerate(faces):
        side = face.truth.shape[0]
        anchor = resize_bicubic(face.lr, side, side)
        tiles = [
            _tile(f"LR, {face.lr.shape[0]} px", "", np.asarray(_enlarged(face.lr, side))),
            _tile("original", "", face.truth),
            _tile("bicubic", f"{psnr(anchor, face.truth):.2f} dB", anchor),
            _tile("float, PyTorch", f"{psnr(floats[i], face.truth):.2f} dB", floats[i]),
        ]
        for name in networks:
            lost = psnr(floats[i], face.truth) - psnr(restored[name][i], face.truth)
            tile = _tile(name, f"{lost:.2f} dB lost", restored[name][i])
            tiles.append({**tile, "map": data_uri(_coloured(departures[name][i], scale))})
        found.append({"key": face.key, "label": face.label, "split": face.split, "tiles": tiles})
    ramp = np.tile(np.linspace(0, scale, 160), (10, 1))
    return {"scale": scale, "legend": data_uri(_coloured(ramp, scale)), "faces": found}


def data_uri(image: Pixels) -> str:
    """The image as lossless WebP inside an address, so that the page needs no other file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="WEBP", lossless=True, quality=100, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _tile(title: str, note: str, image: Pixels) -> dict[str, Any]:
    return {"title": title, "note": note, "image": data_uri(image), "map": None}


def _departure(image: Pixels, wanted: Pixels) -> npt.NDArray[np.float32]:
    """Mean absolute difference over R, G, B in levels of 255, [S, S]."""
    return np.abs(image.astype(np.float32) - wanted.astype(np.float32)).mean(2)


def _coloured(levels: npt.NDArray[np.floating], scale: int) -> Pixels:
    """Black where equal, bright at ``scale``, by a map that is even to the eye and to the colour-blind."""
    from matplotlib import colormaps

    colours = colormaps["inferno"](np.clip(levels / scale, 0, 1))
    return np.rint(colours[..., :3] * 255).astype(np.uint8)


def _enlarged(image: Pixels, side: int) -> Image.Image:
    return Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
