"""Photos as they come back from a file: JPEG by our own tables, WebP and HEIC by their real encoders."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from edgesr.data.jpeg import jpeg
from edgesr.errors import UnavailableError

CODECS = ("jpeg", "webp", "heic")


def through_codec(image: Tensor, codec: str, quality: float, corner: tuple[int, int] = (0, 0)) -> Tensor:
    """One image [1, 3, H, W] in [0, 1] as it comes back from ``codec`` at ``quality`` (1 to 100), at 8-bit levels.

    ``corner`` is where the image lies on the codec's grid of blocks, in pixels from a block's corner.

    Raises:
        UnavailableError: HEIC without pillow-heif.
    """
    top, left = (min(c, side - 1) for c, side in zip(corner, image.shape[-2:], strict=True))
    height, width = image.shape[-2:]
    whole = F.pad(image, (left, 0, top, 0), mode="reflect")
    if codec == "jpeg":
        decoded = jpeg(whole, torch.tensor([quality]))
    else:
        levels = whole[0].permute(1, 2, 0).mul(255).round().clamp(0, 255).byte().cpu().numpy()
        decoded = torch.from_numpy(_encoded(levels, codec, round(quality))).to(image).div(255).permute(2, 0, 1)[None]
    return decoded[..., top : top + height, left : left + width]


def _encoded(levels: npt.NDArray[np.uint8], codec: str, quality: int) -> npt.NDArray[np.uint8]:
    stream = io.BytesIO()
    if codec == "webp":
        Image.fromarray(levels).save(stream, "WEBP", quality=quality, method=0)
        with Image.open(stream, formats=["WEBP"]) as back:
            return np.array(back.convert("RGB"))
    heif = _heif()
    heif.from_pillow(Image.fromarray(levels)).save(stream, quality=quality, chroma=420)
    return np.array(heif.read_heif(stream.getvalue()).to_pillow().convert("RGB"))


def _heif() -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise UnavailableError("photos as phones store them need pillow-heif", "pip install 'edgesr[heic]'") from error
    return pillow_heif
