"""The reference runtime: the network itself, in PyTorch."""

from __future__ import annotations

import numpy as np
import torch

from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME
from edgesr.process.exclusive import Exclusive
from edgesr.runtime.base import Array, Runtime


class TorchRuntime(Runtime):
    """Runs a ``HIME`` in float32 on the device it lies on."""

    name = "torch"

    def __init__(self, model: HIME, config: HIMEConfig | None = None) -> None:
        """``config`` may differ from the model's in ``lr_size`` and ``slots``: the network takes any."""
        self.exclusive = Exclusive(self.name, "torch", alone=False)  # nothing that it computes is kept in the network
        self.model = model.eval()
        self.config = config or model.config

    @property
    def planar(self) -> bool:
        return True

    @torch.inference_mode()
    def encode(self, exemplar: Array) -> Array:
        with self.exclusive():
            features = self.model.encode(self._planes(exemplar)[None])
        return self._array(features[0].permute(1, 2, 0))

    @torch.inference_mode()
    def restore(self, lr: Array, features: Array, valid: Array) -> tuple[Array, Array]:
        with self.exclusive():
            sr, weights = self.model.restore(
                self._planes(lr)[None],
                self._planes(features)[None],
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
