"""The interface every runtime implements, and the adapter from its graphs' layouts to the canonical one.

Canonical arrays, whatever runs behind them (float32, RGB in [0, 1]):
exemplar [H, W, 3], features [h, w, C], lr [h, w, 3], sr [H, W, 3] (not clamped), weights [slots, h, w].
A network that keeps several maps and codes of an exemplar gives and takes a tuple of them in place of ``features``.
"""

from __future__ import annotations

import abc
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.models.interface import FEATURES, Interface, joined, separate
from edgesr.process import threads as thread_choice
from edgesr.process.exclusive import Exclusive

Array = npt.NDArray[np.float32]
Features = Array | tuple[Array, ...]
"""What a network keeps of exemplars: its one map, or all maps and codes in the order of its ``Interface``."""


class Runtime(abc.ABC):
    """Runs the two graphs of one network, one exemplar and one LR face at a time.

    It may be used from several threads, each of which gets its own result. In a process that was forked off one that
    has used it, it raises ForkError.
    """

    name: str
    """Of the engine: torch, executorch, litert, onnxruntime, coreml, mil-evaluator, onnxruntime-web and its browser."""
    interface: Interface
    """With the ``lr_size`` and ``slots`` that the graphs were made for."""
    accelerator: str = ""
    """What the engine says that it computes on, where that is not the CPU alone."""

    @property
    def planar(self) -> bool:
        """Whether ``restore`` takes features soonest where a channel's values lie together in memory."""
        return False

    @abc.abstractmethod
    def encode(self, exemplar: Array) -> Features:
        """Features [h, w, C] of one sharp photo [H, W, 3]."""

    @abc.abstractmethod
    def restore(self, lr: Array, features: Features, valid: Array) -> tuple[Array, Array]:
        """SR face and weights from ``lr`` [h, w, 3], ``features`` [slots, h, w, C] and ``valid`` [slots]."""


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """A graph's input or output as the artifact has it."""

    name: str
    """Ours: exemplar, features (or features_NAME of each map and code), lr, valid, sr, weights."""
    file_name: str
    """The artifact's own name for it."""
    shape: tuple[int, ...]
    layout: str
    """Order of the axes: NCHW, NHWC, N, NC or NHW."""
    dtype: str = "float32"

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TensorSpec:
        return cls(
            name=fields["name"],
            file_name=fields.get("file_name", fields["name"]),
            shape=tuple(fields["shape"]),
            layout=fields["layout"],
            dtype=fields.get("dtype", "float32"),
        )

    def from_canonical(self, array: Array) -> npt.NDArray[Any]:
        """A canonical array in the artifact's shape, layout and dtype."""
        if array.ndim == len(self.shape) - 1:
            array = array[None]
        if self.layout == "NCHW":
            array = array.transpose(0, 3, 1, 2)
        if array.shape != self.shape:
            raise ValueError(f"{self.name} has shape {array.shape} where the artifact takes {self.shape}")
        return np.ascontiguousarray(array, dtype=self.dtype)

    def to_canonical(self, array: npt.NDArray[Any]) -> Array:
        """The artifact's output as a canonical array; a batch of one loses its axis."""
        array = np.asarray(array, np.float32).reshape(self.shape)
        if self.layout == "NCHW":
            array = array.transpose(0, 2, 3, 1)
        if self.layout in ("NCHW", "NHWC") and not self.name.startswith(FEATURES):
            array = array[0]
        return array


class GraphRuntime(Runtime):
    """A runtime of two static graphs that take and give named arrays; subclasses only run them."""

    library = ""
    """What the engine shares with all others of its process, as ``Exclusive`` takes it."""
    lock: AbstractContextManager[Any] | None = None
    """One for all objects of a class whose engine works for one at a time; None: each object has its own."""
    alone = True
    """False where the engine itself lets several threads run one network."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        interface: Interface,
        tensors: Mapping[str, Any],
        threads: int | None = None,
    ) -> None:
        """``files`` and ``tensors`` as in a bundle's manifest; ``threads`` None: as ``edgesr.process.threads`` chooses.

        Raises:
            ForkError: this process was forked off one that has used the engine.
        """
        self.interface = interface
        self.exclusive = Exclusive(self.name, self.library, self.lock, self.alone)
        self.specs = {
            graph: {side: [TensorSpec.from_dict(t) for t in specs] for side, specs in sides.items()}
            for graph, sides in tensors.items()
        }
        with self.exclusive():
            self._open(folder, files, threads or thread_choice.count())

    @property
    def planar(self) -> bool:
        return any(spec.name.startswith(FEATURES) and spec.layout == "NCHW" for spec in self.specs["restore"]["inputs"])

    @abc.abstractmethod
    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        """Load the artifact."""

    @abc.abstractmethod
    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """What ``run`` does, called by one thread at a time (unless not ``alone``)."""

    def run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Run ``encode`` or ``restore``: arrays in the order and layout of the manifest's tensors."""
        with self.exclusive():
            return self._run(graph, inputs)

    def milliseconds(self, graph: str, inputs: list[npt.NDArray[Any]], count: int) -> list[float]:
        """Of each of ``count`` runs, as ``timed``."""
        return timed(lambda: self.run(graph, inputs), count)

    def encode(self, exemplar: Array) -> Features:
        outputs = self._call("encode", {"exemplar": exemplar})
        return joined([outputs[name][0] for name in self.interface.kept])

    def restore(self, lr: Array, features: Features, valid: Array) -> tuple[Array, Array]:
        outputs = self._call("restore", restorer_inputs(self.interface, lr, features, valid))
        return outputs["sr"], outputs["weights"]

    def _call(self, graph: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        specs = self.specs[graph]
        outputs = self.run(graph, [spec.from_canonical(arrays[spec.name]) for spec in specs["inputs"]])
        return {spec.name: spec.to_canonical(array) for spec, array in zip(specs["outputs"], outputs, strict=True)}


def timed(call: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of each of ``count`` calls, after one that is not timed and brings their memory into the caches."""
    call()
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def fill_slots(features: Sequence[Features], interface: Interface) -> tuple[Features, Array]:
    """What ``Runtime.restore`` takes: features [slots, h, w, C], zero in empty slots, and the mask [slots]."""
    filled = [np.zeros((interface.slots, *shape), np.float32) for shape in interface.kept.values()]
    valid = np.zeros(interface.slots, np.float32)
    for i, kept in enumerate(features[: interface.slots]):
        valid[i] = 1.0
        for slots, one in zip(filled, separate(kept), strict=True):
            slots[i] = one
    return joined(filled), valid


def restorer_inputs(interface: Interface, lr: Array, features: Features, valid: Array) -> dict[str, Array]:
    """The restorer's tensors by name, in their order."""
    return {"lr": lr, **dict(zip(interface.kept, separate(features), strict=True)), "valid": valid}


def stacked(features: Sequence[Features], interface: Interface) -> Features:
    """What is kept of several exemplars in one: maps [N, h, w, C] and codes [N, length], N = 0 too."""
    kept = [separate(one) for one in features]
    return joined(
        [
            np.stack([one[i] for one in kept]) if kept else np.zeros((0, *shape), np.float32)
            for i, shape in enumerate(interface.kept.values())
        ]
    )


def unstacked(features: Features) -> list[Features]:
    """The inverse of ``stacked``: what is kept of each exemplar."""
    return [joined(one) for one in zip(*separate(features), strict=True)]
