"""One network's share of a gallery: what its features mean, and how each exemplar's are stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgesr.errors import GalleryError
from edgesr.models.interface import Code, FeatureMap

DType = Literal["int8", "fp16"]
Array = npt.NDArray[np.float32]
Stored = tuple[npt.NDArray[Any], ...]
"""What a section keeps of one exemplar: its maps [size, size, C] as int8 or fp16, and behind them its codes [length],
float32."""

CODES: dict[DType, str] = {"int8": "I8", "fp16": "F16"}
"""What safetensors calls them."""
NUMPY: dict[str, str] = {"F32": "<f4", "F16": "<f2", "I8": "i1"}
LARGEST_INT8, LARGEST_FP16 = 127, 65504.0


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """What a network's features are: its feature space, scale and LR size tell it from every other section."""

    feature_space: str
    scale: int
    lr_size: int
    """Side of the LR face in pixels."""
    maps: tuple[FeatureMap, ...]
    codes: tuple[Code, ...]
    dtype: DType
    """How the maps are stored; codes are float32."""
    steps: Mapping[str, float] | None
    """int8 step of each part of the maps: value = step * stored. float32 numbers. None for fp16."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What a section is found by."""
        return self.feature_space, self.scale, self.lr_size

    @property
    def parts(self) -> dict[str, int]:
        """Channels of each part of all maps, in their order."""
        return {name: channels for each in self.maps for name, channels in each.parts}

    @property
    def tensors(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Name, dtype and shape of what is stored of one exemplar, in order."""
        maps = {one.name: (CODES[self.dtype], (one.size, one.size, one.channels)) for one in self.maps}
        return maps | {one.name: ("F32", (one.length,)) for one in self.codes}

    def step_of_channel(self, which: int) -> Array:
        """The int8 step of each channel of a map, [C]; ones for fp16."""
        one = self.maps[which]
        return np.ones(one.channels, np.float32) if self.steps is None else _steps(dict(one.parts), self.steps)

    def pack(self, values: Sequence[Array]) -> Stored:
        """float32 maps and codes of one exemplar as they are stored.

        Raises:
            GalleryError: they are not what this section holds, or not finite.
        """
        names = list(self.tensors)
        shapes = [shape for _, shape in self.tensors.values()]
        if [value.shape for value in values] != shapes:
            raise GalleryError(
                f"{[value.shape for value in values]} do not fit {dict(zip(names, shapes, strict=True))}"
            )
        count = len(self.maps)
        maps = [
            pack_features(value, self.dtype, dict(one.parts), self.steps)
            for value, one in zip(values[:count], self.maps, strict=True)
        ]
        codes = [np.asarray(value, np.float32) for value in values[count:]]
        if not all(np.isfinite(code).all() for code in codes):
            raise GalleryError("the codes hold values that are not finite", "the model is damaged: convert again")
        return (*maps, *codes)

    def floats(
        self, stored: Sequence[Stored], *, which: int = 0, slots: int | None = None, planar: bool = False
    ) -> Array:
        """A map of several exemplars as the network takes it, float32 [n, h, w, C].

        ``slots``: room for so many, zeros behind the exemplars'. ``planar``: a channel's values lie together in memory,
        as graphs of layout NCHW want them, so that they are not copied once more.
        """
        one = self.maps[which]
        count, size, channels = len(stored) if slots is None else slots, one.size, one.channels
        steps = self.step_of_channel(which)
        result = np.zeros((count, channels, size, size) if planar else (count, size, size, channels), np.float32)
        for row, arrays in zip(result, stored, strict=False):
            if planar:
                # Turned round before they are floats: a quarter of the bytes to move.
                np.multiply(np.ascontiguousarray(arrays[which].transpose(2, 0, 1)), steps[:, None, None], out=row)
            else:
                np.multiply(arrays[which], steps, out=row)
        return result.transpose(0, 2, 3, 1) if planar else result

    def differs(self, other: Section) -> str | None:
        """What keeps the features of two sections of one key from meaning the same; None where they do."""
        if (self.maps, self.codes) != (other.maps, other.codes):
            return f"maps and codes {describe(self)}, not {describe(other)}"
        if self.steps is not None:
            theirs = other.steps or {}
            for part, step in self.steps.items():
                if part not in theirs or np.float32(theirs[part]) != np.float32(step):  # files hold float32
                    known = f"{theirs[part]:.6g}" if part in theirs else "none"
                    return f"the int8 step {step:.6g} of {part}, not {known}"
        return None


def describe(section: Section) -> str:
    """Maps and codes for people: ``features 32x32 of f_ref 64 + g_ref 64``."""
    maps = (f"{m.name} {m.size}x{m.size} of {' + '.join(f'{n} {c}' for n, c in m.parts)}" for m in section.maps)
    return ", ".join((*maps, *(f"{code.name} {code.length}" for code in section.codes)))


def pack_features(
    features: Array, dtype: DType, parts: Mapping[str, int], scales: Mapping[str, float] | None
) -> npt.NDArray[Any]:
    """float32 [..., C] as it is stored.

    int8: x / step in float32, rounded half to even, clamped to -127..127; fp16: clamped to its range, rounded half
    to even.

    Raises:
        GalleryError: values that are not finite, or no scales for int8.
    """
    features = np.asarray(features, np.float32)
    if not np.isfinite(features).all():
        raise GalleryError("the features hold values that are not finite", "the model is damaged: convert again")
    if dtype == "fp16":
        return features.clip(-LARGEST_FP16, LARGEST_FP16).astype(np.float16)
    if scales is None:
        raise GalleryError("this network has no int8 scales", "store its features with --dtype fp16")
    with np.errstate(over="ignore"):
        levels = np.rint(features / _steps(parts, scales))
    return levels.clip(-LARGEST_INT8, LARGEST_INT8).astype(np.int8)


def _steps(parts: Mapping[str, int], scales: Mapping[str, float]) -> Array:
    return np.concatenate([np.full(count, scales[part], np.float32) for part, count in parts.items()])
