"""``.gallery`` files: features of a person's photos, and what is needed to choose among them. Never a photo.

A safetensors file whose every byte is settled by ``docs/gallery-format.md``: equal galleries are equal files,
whichever language wrote them.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from edgesr.errors import GalleryError, InputOutputError
from edgesr.gallery.header import MOST_HEADER, Header, Label, decode
from edgesr.gallery.storage import locked, read_private, write_private

__all__ = ["DType", "Entry", "Gallery", "locked", "pack_features", "read_gallery", "write_gallery"]

DType = Literal["int8", "fp16"]
Array = npt.NDArray[np.float32]

CODES: dict[str, str] = {"int8": "I8", "fp16": "F16"}
LARGEST_INT8, LARGEST_FP16 = 127, 65504.0
LEAST_STEP, MOST_STEP = 2.0**-40, 2.0**40


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """One photo of the gallery's person."""

    features: npt.NDArray[np.int8] | npt.NDArray[np.float16]
    """[h, w, C], as stored."""
    descriptor: Array
    """[D], from ``edgesr.faces.descriptor``."""
    photo_sha256: str
    """Of the photo file's bytes: 64 lower-case hex digits. An entry's identity; no photo is in a gallery twice."""
    quality: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """``sharpness``, ``size_px``, ``exposure``; exact to a thousandth, like ``pose``."""
    pose: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """``yaw_deg``, ``pitch_deg``, ``roll_deg``."""
    name: str | None = None
    """The photo's file name, where the user asked for it."""
    embedding: Array | None = None
    """[E] of a face embedder, where the user asked for it; all entries have one or none has."""


@dataclasses.dataclass(frozen=True, eq=False)
class Gallery:
    """What a ``.gallery`` file holds."""

    feature_space: str
    scale: int
    lr_size: int
    """h and w of the features: a side of the LR face in pixels."""
    feature_parts: Mapping[str, int]
    """Channels of each part of the features, in their order."""
    feature_scales: Mapping[str, float] | None
    """int8 step of each part: value = step * stored. float32 numbers. None for fp16."""
    dtype: DType
    entries: tuple[Entry, ...]
    embedder: str | None = None
    """What made the embeddings; None where there are none."""

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def channels(self) -> int:
        """C of the features."""
        return sum(self.feature_parts.values())

    @property
    def descriptors(self) -> Array:
        """[N, D]; [0, 0] of an empty gallery."""
        return np.stack([e.descriptor for e in self.entries]) if self.entries else np.zeros((0, 0), np.float32)

    def floats(self, indices: Sequence[int] | None = None, *, slots: int | None = None, planar: bool = False) -> Array:
        """Features as the network takes them, float32 [n, h, w, C], of the entries ``indices`` (all by default).

        ``slots``: room for so many, zeros behind the entries'. ``planar``: a channel's values lie together in memory,
        as graphs of layout NCHW want them, so that they are not copied once more.
        """
        chosen = range(len(self.entries)) if indices is None else indices
        count, size, channels = len(chosen) if slots is None else slots, self.lr_size, self.channels
        steps = np.ones(channels, np.float32)
        if self.feature_scales is not None:
            steps = _steps(self.feature_parts, self.feature_scales)
        result = np.zeros((count, channels, size, size) if planar else (count, size, size, channels), np.float32)
        for row, i in zip(result, chosen, strict=False):
            stored = self.entries[i].features
            if planar:
                # Turned round before they are floats: a quarter of the bytes to move.
                np.multiply(np.ascontiguousarray(stored.transpose(2, 0, 1)), steps[:, None, None], out=row)
            else:
                np.multiply(stored, steps, out=row)
        return result.transpose(0, 2, 3, 1) if planar else result

    def replace(self, **changes: Any) -> Gallery:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


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


def read_gallery(path: str | Path, *, feature_space: str | None = None) -> Gallery:
    """A gallery from its file. Header and sizes are checked before anything is allocated.

    ``feature_space``: refuse a gallery of any other.

    Raises:
        GalleryError: missing, damaged, beyond a limit, of another version or feature space.
    """
    path = Path(path)
    try:
        gallery = read_private(path, _read)
    except GalleryError as error:
        raise GalleryError(f"cannot read {path}: {error.what}", error.hint or "build the gallery again") from error
    except InputOutputError as error:
        raise GalleryError(error.what, "make one: edgesr gallery build FOLDER -o me.gallery") from error
    if feature_space is not None and gallery.feature_space != feature_space:
        raise GalleryError(
            f"{path} has features of {gallery.feature_space}, and this network takes {feature_space}",
            "build the gallery again with this network, or use the network it was made with",
        )
    return gallery


def decode_gallery(content: bytes) -> Gallery:
    """A gallery from the bytes of its file; its arrays are read-only views of them.

    Raises:
        GalleryError: damaged, beyond a limit, or of another version.
    """
    return _read(io.BytesIO(content), len(content))


def _read(stream: BinaryIO, size: int) -> Gallery:
    start = stream.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > MOST_HEADER or 8 + length > size:
        raise GalleryError("it is no gallery, or cut off")
    header = decode(stream.read(length))
    if 8 + length + header.data_size != size:
        raise GalleryError(f"it has {size} bytes", f"its header says {8 + length + header.data_size}")
    content = stream.read(header.data_size)
    if len(content) != header.data_size:
        raise GalleryError("it became shorter while it was read", "read it again")
    arrays: dict[str, npt.NDArray[Any]] = {}
    at = 0
    for name, (code, shape) in header.shapes.items():
        dtype = np.dtype({"F32": "<f4", "F16": "<f2", "I8": "i1"}[code])
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, dtype, count, at).reshape(shape)
        at += count * dtype.itemsize
    _check_values(arrays)
    entries = tuple(
        Entry(
            features=arrays["features"][i],
            descriptor=arrays["descriptors"][i],
            photo_sha256=label.photo_sha256,
            quality=label.quality,
            pose=label.pose,
            name=label.name,
            embedding=arrays["embeddings"][i] if "embeddings" in arrays else None,
        )
        for i, label in enumerate(header.labels)
    )
    parts = dict(header.feature_parts)
    scales = dict(zip(parts, map(float, arrays["scales"]), strict=True)) if "scales" in arrays else None
    dtype_name: DType = "int8" if scales is not None else "fp16"
    return Gallery(
        header.feature_space, header.scale, header.lr_size, parts, scales, dtype_name, entries, header.embedder
    )


def write_gallery(path: str | Path, gallery: Gallery, *, erase_old: bool = False) -> None:
    """Write a gallery, complete or not at all, readable by its owner alone (mode 0600). Takes ``locked`` itself.

    ``erase_old`` overwrites the bytes of the file that stood there before.

    Raises:
        GalleryError: it breaks a limit of the format.
        InputOutputError: it cannot be written.
    """
    write_private(Path(path), encode_gallery(gallery), erase_old=erase_old)


def encode_gallery(gallery: Gallery) -> list[bytes]:
    """The bytes of a gallery's file in chunks: equal galleries give equal bytes.

    Raises:
        GalleryError: it breaks a limit of the format.
    """
    n, size = len(gallery.entries), gallery.lr_size
    embedded = {entry.embedding is not None for entry in gallery.entries} | {gallery.embedder is not None}
    if len(embedded) > 1:
        raise GalleryError("some entries have an embedding and some have none", "all have one or none has")
    stored = np.dtype({"int8": "i1", "fp16": "<f2"}[gallery.dtype])
    columns: dict[str, list[npt.NDArray[Any]]] = {
        "descriptors": [np.asarray(e.descriptor, "<f4") for e in gallery.entries],
        "embeddings": [np.asarray(e.embedding, "<f4") for e in gallery.entries if e.embedding is not None],
        "features": [e.features for e in gallery.entries],
    }
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "descriptors": ("F32", (n, *_common_shape("descriptors", columns["descriptors"], (0,))))
    }
    if gallery.embedder is not None:
        shapes["embeddings"] = ("F32", (n, *_common_shape("embeddings", columns["embeddings"], (0,))))
    if gallery.feature_scales is not None:
        steps = [np.array([gallery.feature_scales[part] for part in gallery.feature_parts], "<f4")]
        columns["scales"], shapes["scales"] = steps, ("F32", steps[0].shape)
    blank = (size, size, gallery.channels)
    shapes["features"] = (CODES[gallery.dtype], (n, *_common_shape("features", columns["features"], blank)))
    if any(entry.features.dtype != stored for entry in gallery.entries):
        raise GalleryError(f"the features are not {gallery.dtype}", "pack_features makes them so")
    labels = tuple(Label(e.photo_sha256, e.quality, e.pose, e.name) for e in gallery.entries)
    parts = tuple(gallery.feature_parts.items())
    header = Header(gallery.feature_space, gallery.scale, size, parts, gallery.embedder, labels, shapes)
    chunks = [header.encode()]
    for name in shapes:
        for array in columns[name]:
            _check_values({name: array})
            chunks.append(np.ascontiguousarray(array).tobytes())
    return chunks


def _common_shape(what: str, arrays: Sequence[npt.NDArray[Any]], blank: tuple[int, ...]) -> tuple[int, ...]:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise GalleryError(f"its {what} have different shapes: {sorted(shapes)}")
    return next(iter(shapes), blank)


def _check_values(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse numbers that are none: they would spread through the network into a black face."""
    for name, array in arrays.items():
        if array.dtype == np.int8:
            if (array == -LARGEST_INT8 - 1).any():
                raise GalleryError("its features hold -128", "int8 features are from -127 to 127")
        elif not np.isfinite(array).all():
            raise GalleryError(f"its {name} hold values that are not finite")
        elif name == "scales" and not ((array >= LEAST_STEP) & (array <= MOST_STEP)).all():
            raise GalleryError(f"its scales are {array.tolist()}", f"from {LEAST_STEP} to {MOST_STEP} are read")


def _steps(parts: Mapping[str, int], scales: Mapping[str, float]) -> Array:
    """The int8 step of each channel, [C]."""
    return np.concatenate([np.full(count, scales[part], np.float32) for part, count in parts.items()])
