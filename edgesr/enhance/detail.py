"""What the photo itself shows of a face is kept: the network adds to it, and takes nothing away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.images.imaging import Pixels

Planes = npt.NDArray[np.float32]


def keep_own_detail(sr: Pixels, native: Pixels, share: float = 1.0) -> Pixels:
    """One step of back-projection: SR + up(native - down(SR)), uint8 [H, H, 3].

    ``native`` uint8 [S, S, 3] is the aligned face at the size it has in the photo. A face larger than the network's
    LR size loses detail on its way in; so it comes back. Both ways go the bicubic kernel with a = -0.5.
    """
    size, side = sr.shape[0], native.shape[0]
    given = sr.astype(np.float32)
    missing = native.astype(np.float32) - resize_planes(given, side)
    return np.rint((given + share * resize_planes(missing, size)).clip(0, 255)).astype(np.uint8)


def resize_planes(image: Planes, size: int) -> Planes:
    """float32 [S, S, C] to [size, size, C]: bicubic with a = -0.5, antialiased going down, not rounded."""
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., c])).resize((size, size), Image.Resampling.BICUBIC))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)
