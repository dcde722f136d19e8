"""LR faces as they are cut on a phone: by landmarks found on the small, blurred face itself.

Training and evaluation cut LR faces by the sharp photo's landmarks. How far the square that is found on the far face
lies from it was measured (``benchmarks/landmark_error.py``: ``val``, 120 photos, the ``phone-2`` camera, the detector
as ``enhance`` uses it), and this preset draws from that spread. The target stays where the sharp photo's landmarks
put it.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.data.camera import CameraDegradation
from edgesr.data.optics import similarity


@dataclasses.dataclass(frozen=True)
class Spread:
    """How squares that are found on faces of one side err: standard deviations, and by how much they are too large.

    ``shift`` along each axis, over the square's side; ``size`` and ``larger`` as logarithms; ``degrees``.
    """

    shift: float
    size: float
    degrees: float
    larger: float


MEASURED = {
    16: Spread(0.0277, 0.0969, 4.47, -0.0413),
    22: Spread(0.0131, 0.0627, 3.76, -0.0307),
    32: Spread(0.0084, 0.0465, 2.91, -0.0167),
    48: Spread(0.0050, 0.0315, 2.07, -0.0070),
    64: Spread(0.0041, 0.0198, 1.78, -0.0021),
    96: Spread(0.0025, 0.0128, 1.07, -0.0013),
}
"""The figures by the side of the face's square in the photo, in pixels."""

MOST = 2.5
"""Standard deviations that are drawn at most: the tail beyond is detections of something else."""


def spread_at(side: float) -> Spread:
    """Between measured sides by the logarithm of the side; beyond them as at the nearest."""
    sides = sorted(MEASURED)
    side = min(max(side, sides[0]), sides[-1])
    above = next(i for i, one in enumerate(sides) if one >= side)
    low, high = sides[max(above - 1, 0)], sides[above]
    share = math.log(side / low) / math.log(high / low) if high > low else 0.0
    pairs = zip(dataclasses.astuple(MEASURED[low]), dataclasses.astuple(MEASURED[high]), strict=True)
    return Spread(*(a + share * (b - a) for a, b in pairs))


@dataclasses.dataclass(frozen=True)
class MisalignedCamera:
    """``phone-2-misaligned``: the camera of ``phone-2``, its LR face cut where a detector would have found it.

    With the same generator the camera's strengths are those of ``phone-2``: the jitter is drawn after them.
    """

    camera: CameraDegradation = CameraDegradation()

    def __call__(
        self,
        hr: Tensor,
        scale: int,
        random: torch.Generator,
        drawn: int | None = None,
        part: slice = slice(None),
    ) -> Tensor:
        """Degrade as ``CameraDegradation`` does: LR images [B, 3, H / scale, W / scale] of HR images [B, 3, H, W]."""
        count = len(hr) if drawn is None else drawn
        strengths = self.camera.draw(count, random)
        jitter = torch.randn(count, 4, generator=random).clamp(-MOST, MOST)[part]
        return self.camera.photos(cut_anew(hr, jitter, spread_at(hr.shape[-1] / scale)), scale, strengths, part)


def cut_anew(hr: Tensor, jitter: Tensor, spread: Spread) -> Tensor:
    """Crops [B, 3, S, S] as another square would have cut them; cubic, mirrored where the crop does not reach.

    ``jitter`` [B, 4] is in standard deviations: right, down, size, angle.
    """
    right, down, size, angle = jitter.T
    factor = torch.exp(spread.larger + spread.size * size)
    turn = torch.deg2rad(spread.degrees * angle)
    # Grids run from -1 to 1, so a side is 2.
    theta = similarity(factor, turn, 2 * spread.shift * torch.stack((right, down), dim=1))
    grid = F.affine_grid(theta, list(hr.shape), align_corners=False).to(hr)
    return F.grid_sample(hr, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 1)
