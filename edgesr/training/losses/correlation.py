"""The correlation loss of the HIME paper (Section 4): the texture around each pixel, compared."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.errors import UsageError


def correlation_loss(sr: Tensor, hr: Tensor, window: int = 5, dilation: int = 1) -> Tensor:
    """L_cor of Eq. 9: mean absolute difference of the correlation maps (Eq. 8) of [N, C, H, W] images.

    The map of an image centred by each channel's mean is cor(i, j, x, y) = <I(x, y), I(x - i, y - j)> / k^2, with
    i and j the k multiples of ``dilation`` around 0, so that k = 1 leaves the squared pixel (as Section 5.3 says,
    and a map of k x k; the bounds +-(k + 1) / 2 printed below Eq. 8 would make it k + 2 wide). A neighbour outside
    the image counts as 0, the channel's mean, as in FlowNet2's correlation layer. The mean is over all
    N * k^2 * H * W entries, as for the other L1 losses: times k^2 it is the sum over the window.

    The maps are never held: cor(-i, -j) is cor(i, j) shifted, so half of the displacements, counted twice, do,
    and each is a product of two overlapping views, summed over channels at once.

    Raises:
        UsageError: ``window`` is even or below 1, or ``dilation`` is below 1.
    """
    check_window(window, dilation)
    sr, hr = _centred(sr), _centred(hr)
    height, width = sr.shape[-2:]
    total = sr.new_zeros(())
    for dy, dx in _half_plane(window, dilation):
        if dy >= height or abs(dx) >= width:
            continue  # nothing overlaps
        difference = _products(sr, dy, dx) - _products(hr, dy, dx)
        total = total + difference.abs().sum() * (1 if dy == dx == 0 else 2)
    entries = len(sr) * window**2 * height * width
    return total / (window**2 * entries)


def mean_correlation(image: Tensor, window: int) -> Tensor:
    """The correlation map (Eq. 8) of [N, C, H, W] images summed over its window: [N, H, W], what Figure 6 draws.

    High where a neighbourhood is even and far from each channel's mean, low where it changes from pixel to pixel.

    Raises:
        UsageError: ``window`` is even or below 1.
    """
    check_window(window, 1)
    centred = _centred(image)
    # Each neighbour's product with the same pixel: the pixel times the neighbours' mean, those outside counting as 0.
    neighbours = F.avg_pool2d(centred, window, 1, window // 2)
    return (centred * neighbours).sum(1)


def check_window(window: int, dilation: int) -> None:
    """Raises UsageError unless the window has a centre and the dilation is a whole step."""
    if window < 1 or window % 2 == 0:
        raise UsageError(f"the correlation window is {window}", "it must be an odd number of pixels: 1, 3, 5, 7, ...")
    if dilation < 1:
        raise UsageError(f"the correlation dilation is {dilation}", "it must be 1 or more")


def _centred(image: Tensor) -> Tensor:
    # Differences of products of pixels are small: half precision would round them away.
    image = image.to(torch.promote_types(image.dtype, torch.float32))
    return image - image.mean(dim=(-2, -1), keepdim=True)


def _half_plane(window: int, dilation: int) -> list[tuple[int, int]]:
    """The displacements (dy, dx) of the window, one of each pair +-(dy, dx)."""
    reach = window // 2
    steps = [(dy, dx) for dy in range(reach + 1) for dx in range(-reach, reach + 1) if dy > 0 or dx >= 0]
    return [(dy * dilation, dx * dilation) for dy, dx in steps]


def _products(image: Tensor, dy: int, dx: int) -> Tensor:
    """<I(y, x), I(y - dy, x - dx)> wherever both lie inside: [N, H - dy, W - |dx|]."""
    height, width = image.shape[-2:]
    here = image[..., dy:, max(dx, 0) : width + min(dx, 0)]
    there = image[..., : height - dy, max(-dx, 0) : width - max(dx, 0)]
    return (here * there).sum(dim=1)
