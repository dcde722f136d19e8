"""What every architecture's network is: two functions, of which the first needs no LR face."""

from __future__ import annotations

import abc
from typing import Any

from torch import Tensor, nn

from edgesr.models.architecture import NetworkConfig
from edgesr.models.interface import Interface, joined, separate

Kept = Tensor | tuple[Tensor, ...]
"""What is kept of exemplars: the one map, or all maps and codes in the order of the network's ``Interface``."""


class Network(nn.Module, abc.ABC):
    """``encode`` once per gallery photo, ``restore`` once per LR face; a forward pass is one after the other."""

    config: NetworkConfig
    """What it was built from."""

    @property
    def interface(self) -> Interface:
        """Sizes and names of what it takes and gives."""
        return self.config.interface

    @abc.abstractmethod
    def encode(self, exemplars: Tensor) -> Kept:
        """Features of sharp photos [N, 3, H, W], RGB in [0, 1]: maps [N, C, h, w] and codes [N, length]."""

    @abc.abstractmethod
    def restore(self, lr: Tensor, features: Any, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The SR face and each exemplar's weight at each LR pixel.

        ``lr`` [B, 3, h, w] RGB in [0, 1]; ``features`` as ``encode`` gives them, with the exemplars of a face along
        the second axis, [B, n, C, h, w], n >= 0; ``valid`` [B, n], 1 where the slot holds an exemplar and 0 where it
        is empty (its features must be finite). Returns ``sr`` [B, 3, h * s, w * s], RGB, not clamped, and ``weights``
        [B, n, h, w].
        """

    def restore_and_more(self, lr: Tensor, features: Any, valid: Tensor) -> tuple[Tensor, ...]:
        """What ``restore`` gives and, behind it, smaller faces [B, 3, h', w'] on the way to the SR face, which training
        compares with the original at their size."""
        return self.restore(lr, features, valid)

    def forward(self, lr: Tensor, exemplars: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        """``restore_and_more(lr, encode(exemplars), valid)`` with ``exemplars`` [B, n, 3, H, W]: the training form."""
        b, n = exemplars.shape[:2]
        if n:
            kept = separate(self.encode(exemplars.flatten(0, 1)))
            return self.restore_and_more(lr, joined([one.unflatten(0, (b, n)) for one in kept]), valid)
        empty = [lr.new_zeros(b, 0, *planar(shape)) for shape in self.interface.kept.values()]
        return self.restore_and_more(lr, joined(empty), valid)


def planar(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A map's canonical shape [h, w, C] as networks have it, [C, h, w]; a code's as it is."""
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape
