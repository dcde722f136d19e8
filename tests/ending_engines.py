"""Engines for the tests of isolation: each does to its process what a damaged model does."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np

from edgesr.runtime.base import GraphRuntime


class Sound(GraphRuntime):
    """Gives its inputs' sum in every output, and prints where answers go."""

    name = "sound"

    def _open(self, *_: Any) -> None:
        print("hello")  # noqa: T201

    def _run(self, graph: str, inputs: list[Any]) -> list[Any]:
        print("running")  # noqa: T201 (engines talk)
        total = sum(float(array.sum()) for array in inputs)
        return [np.full(spec.shape, total, np.float32) for spec in self.specs[graph]["outputs"]]


class Segfaults(Sound):
    def _open(self, *_: Any) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Aborts(Sound):
    def _run(self, *_: Any) -> list[Any]:
        os.abort()


class Leaves(Sound):
    def _run(self, *_: Any) -> list[Any]:
        os._exit(3)


class Raises(Sound):
    def _run(self, *_: Any) -> list[Any]:
        raise RuntimeError("offset 7 leads\nnowhere")


class Hangs(Sound):
    def _run(self, *_: Any) -> list[Any]:
        signal.pause()
        return []
