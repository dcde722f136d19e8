"""Two runtimes on the same inputs, compared to the last bit."""

from __future__ import annotations

import numpy as np

from edgesr.models.interface import separate
from edgesr.runtime.base import Array, Features, Runtime


class Beside(Runtime):
    """A runtime, and another one that is given the same inputs, whose outputs are compared with its own."""

    def __init__(self, runtime: Runtime, other: Runtime) -> None:
        self.runtime, self.other = runtime, other
        self.name, self.interface = runtime.name, runtime.interface
        self.equal: dict[str, bool] = {}
        """By output, whether both gave the same bits whatever they were asked."""
        self.largest = 0.0
        """Difference of an output, relative to its peak."""

    @property
    def all_equal(self) -> bool:
        """Whether every output that was asked for gave the same bits."""
        return bool(self.equal) and all(self.equal.values())

    def encode(self, exemplar: Array) -> Features:
        """As the first gives it."""
        features = self.runtime.encode(exemplar)
        theirs = separate(self.other.encode(exemplar))
        for name, one, other in zip(self.interface.kept, separate(features), theirs, strict=True):
            self._compare(name, one, other)
        return features

    def restore(self, lr: Array, features: Features, valid: Array) -> tuple[Array, Array]:
        """As the first gives it."""
        both = self.runtime.restore(lr, features, valid)
        for name, one, other in zip(("sr", "weights"), both, self.other.restore(lr, features, valid), strict=True):
            self._compare(name, one, other)
        return both

    def _compare(self, name: str, one: Array, other: Array) -> None:
        self.equal[name] = self.equal.get(name, True) and one.tobytes() == other.tobytes()
        peak = float(np.abs(other).max()) or 1.0
        self.largest = max(self.largest, float(np.abs(one - other).max()) / peak)
