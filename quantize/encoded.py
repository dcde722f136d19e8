"""A prepared encoder that computes nothing twice: photos come again and again while layers are tried one by one."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from torch import Tensor
from torch.fx import GraphModule

from edgesr.models.network import Kept

from .points import Point, WeightPoint

KEPT = 128
"""Photos' features that are kept, half a megabyte each."""


class KeptEncoder:
    """Features of photos, by what of the encoder is rounded: a restorer's layers change nothing in them."""

    def __init__(self, module: GraphModule) -> None:
        self.module = module
        self._points = [part for part in module.modules() if isinstance(part, Point | WeightPoint)]
        self._kept: OrderedDict[tuple[bytes, tuple[bool, ...]], Kept] = OrderedDict()

    def anew(self, photo: Tensor) -> Kept:
        """Encode a photo as a call does, without looking at what was kept."""
        kept: Kept = self.module(photo)
        return kept

    def __call__(self, photo: Tensor) -> Kept:
        """[1, 3, H, W] -> [1, C, h, w], or all maps and codes; not to be changed."""
        digest = hashlib.sha256(photo.numpy().tobytes()).digest()
        key = digest, tuple(point.enabled for point in self._points)
        if key not in self._kept:
            self._kept[key] = self.anew(photo)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
