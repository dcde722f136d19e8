"""What a photo shows of a face beyond what the network could see is kept: a face larger than the LR size has more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.enhance.noise import luminance, noise_of
from edgesr.images.imaging import Pixels

Planes = npt.NDArray[np.float32]


def keep_own_detail(sr: Pixels, native: Pixels, lr_size: int) -> Pixels:
    """SR + w * up(band(native - down(SR))), uint8 [H, H, 3].

    ``native`` uint8 [S, S, 3] is the aligned face at the size it has in the photo. Of what it has and the restored face
    has not, ``band`` is what ``lr_size`` pixels cannot hold: the network never saw it. The rest it saw, and changed
    for a reason: blur, noise and blocks are not put back. w is ``signal`` of the native face. Everything is resized by
    the bicubic kernel with a = -0.5. A face that is no larger than the LR size stays as it was restored.
    """
    size, side = sr.shape[0], native.shape[0]
    if side <= lr_size:
        return sr
    given = sr.astype(np.float32)
    missing = band(native.astype(np.float32) - resize_planes(given, side), lr_size)
    weight = np.float32(signal(native, lr_size))
    return np.rint((given + weight * resize_planes(missing, size)).clip(0, 255)).astype(np.uint8)


def band(image: Planes, lr_size: int) -> Planes:
    """The part of ``image`` float32 [S, S, C] that is lost when it is scaled down to ``lr_size`` and up again."""
    return image - resize_planes(resize_planes(image, lr_size), image.shape[0])


def signal(native: Pixels, lr_size: int) -> float:
    """Wiener's weight: the share of a face's detail beyond the LR size that is not noise, 0 to 1, by luminance.

    1 - noise^2 / variance of the band. In a clean photo all of the detail counts, in a dark one little of it.
    """
    power = float(luminance(band(native.astype(np.float32), lr_size)).var())
    return max(0.0, 1 - noise_of(luminance(native)) ** 2 / power) if power > 0 else 0.0


def resize_planes(image: Planes, size: int) -> Planes:
    """float32 [S, S, C] to [size, size, C]: bicubic with a = -0.5, antialiased going down, not rounded."""
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image[..., c])).resize((size, size), Image.Resampling.BICUBIC))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)
