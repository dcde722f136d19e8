"""One network's share of a gallery: what its features mean, and how each exemplar's are stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgesr.errors import GalleryError
from edgesr.models.interface import Code, FeatureMap, joined
from edgesr.runtime.base import Array, Features

DType = Literal["int8", "fp16"]
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

    def floats(self, stored: Sequence[Stored], *, slots: int | None = None, planar: bool = False) -> Features:
        """Features of several exemplars as the network takes them, float32: maps [n, h, w, C], codes [n, length].

        ``slots``: room for so many, zeros behind the exemplars'. ``planar``: a channel's values lie together in memory,
        as graphs of layout NCHW want them, so that they are not copied once more.
        """
        count = len(stored) if slots is None else slots
        maps = [self._map_floats(which, stored, count, planar) for which in range(len(self.maps))]
        codes = [np.zeros((count, code.length), np.float32) for code in self.codes]
        for i, code in enumerate(codes, len(maps)):
            for row, arrays in zip(code, stored, strict=False):
                row[:] = arrays[i]
        return joined([*maps, *codes])

    def _map_floats(self, which: int, stored: Sequence[Stored], count: int, planar: bool) -> Array:
        size, channels = self.maps[which].size, self.maps[which].channels
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
        """What a section lacks to hold the features that ``other`` of the same key describes, or has otherwise: what
        follows on "the gallery"; None where they mean the same."""
        if (self.maps, self.codes) != (other.maps, other.codes):
            ours, wanted = _described(self), _described(other)
            for name in wanted:
                if name not in ours:
                    return f"has no {name} of {wanted[name]}"
                if ours[name] != wanted[name]:
                    return f"has {name} of {ours[name]}, not of {wanted[name]}"
            if extra := [name for name in ours if name not in wanted]:
                return f"has {extra[0]} of {ours[extra[0]]}, which is none of {', '.join(wanted)}"
            return f"has {', '.join(ours)} in another order than {', '.join(wanted)}"
        if self.steps is not None:
            theirs = other.steps or {}
            for part, step in self.steps.items():
                if part not in theirs or np.float32(theirs[part]) != np.float32(step):  # files hold float32
                    known = f"{theirs[part]:.6g}" if part in theirs else "none"
                    return f"has the int8 step {step:.6g} of {part}, not {known}"
        return None


def _described(section: Section) -> dict[str, str]:
    """Maps and codes for people, by name: ``32x32 pixels with f_ref 64 + g_ref 64``."""
    maps = {
        m.name: f"{m.size}x{m.size} pixels with {' + '.join(f'{part} {count}' for part, count in m.parts)}"
        for m in section.maps
    }
    return maps | {code.name: f"{code.length} numbers" for code in section.codes}


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
