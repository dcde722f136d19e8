"""Where face embedders with ArcFace's interface look, for the evaluation's and for the loss's alike."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class CropBox:
    """A square within an aligned face, in shares of its side."""

    left: float
    top: float
    side: float

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.left + self.side, self.top + self.side


ARCFACE_BOX = CropBox(0.11811, 0.11994, 0.76465)
"""Where ArcFace's 112 px template lies in a face aligned by CelebA-HQ's rule.

The rule applied to the template's own five points gives a square of side 146.47 px centred at (55.94, 55.67), of
which the template's 112 px are this box: exact for a face with the template's proportions, an approximation for any
other. docs/losses.md has what that costs.
"""
