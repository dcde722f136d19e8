"""The reference runtime: the network itself, in PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from edgesr.models.interface import Interface, joined, separate
from edgesr.models.network import Network
from edgesr.process.exclusive import Exclusive
from edgesr.runtime.base import Array, Features, Runtime


class TorchRuntime(Runtime):
    """Runs a network in float32 on the device it lies on."""

    name = "torch"

    def __init__(self, model: Network, interface: Interface | None = None) -> None:
        """``interface`` may differ from the model's in sizes and ``slots``, where the network takes any."""
        self.exclusive = Exclusive(self.name, "torch", alone=False)  # nothing that it computes is kept in the network
        self.model = model.eval()
        self.interface = interface or model.interface

    @property
    def planar(self) -> bool:
        return True

    @torch.inference_mode()
    def encode(self, exemplar: Array) -> Features:
        with self.exclusive():
            kept = separate(self.model.encode(self._planes(exemplar)[None]))
        return joined([self._array(one[0].movedim(0, -1) if one.ndim == 4 else one[0]) for one in kept])

    @torch.inference_mode()
    def restore(self, lr: Array, features: Features, valid: Array) -> tuple[Array, Array]:
        kept = [self._planes(one)[None] if one.ndim == 4 else self._tensor(one)[None] for one in separate(features)]
        with self.exclusive():
            sr, weights = self.model.restore(
                self._planes(lr)[None],
                joined(kept),
                self._tensor(valid)[None],
            )
        return self._array(sr[0].permute(1, 2, 0)), self._array(weights[0])

    def _planes(self, array: Array) -> torch.Tensor:
        """[.., h, w, C] -> [.., C, h, w], in memory too: PyTorch's convolutions would copy it, each for itself."""
        return self._tensor(np.moveaxis(array, -1, -3))

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(next(self.model.parameters()).device)

    @staticmethod
    def _array(tensor: torch.Tensor) -> Array:
        array: Array = tensor.float().contiguous().cpu().numpy()
        return array
