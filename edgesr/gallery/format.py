"""``.gallery`` files: features of a person's photos, and what is needed to choose among them. Never a photo.

A safetensors file whose every byte is settled by ``docs/gallery-format.md``: equal galleries are equal files,
whichever language wrote them. One file a person: a section for each network, all of the same entries.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from edgesr.errors import GalleryError, InputOutputError
from edgesr.gallery.header import HASH_AT, MOST_HEADER, STEPS, Header, Label, decode, is_current, without_hash
from edgesr.gallery.header_v1 import decode_v1
from edgesr.gallery.section import LARGEST_INT8, NUMPY, DType, Section, Stored, pack_features
from edgesr.gallery.storage import locked, read_private, write_private
from edgesr.runtime.base import Array, Features

__all__ = ["DType", "Entry", "Gallery", "Section", "locked", "pack_features", "read_gallery", "write_gallery"]

LEAST_STEP, MOST_STEP = 2.0**-40, 2.0**40


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """One photo of the gallery's person."""

    features: tuple[Stored | None, ...]
    """The features by section of the gallery; None where that network was not at hand when the photo was added."""
    descriptor: Array
    """[D], from ``edgesr.faces.descriptor``."""
    photo_sha256: str
    """SHA-256 of the photo file's bytes, 64 lower-case hex digits. It identifies an entry: no photo is there twice."""
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

    sections: tuple[Section, ...]
    """One a network, each of another feature space, scale or LR size."""
    entries: tuple[Entry, ...] = ()
    embedder: str | None = None
    """What made the embeddings; None where there are none."""
    extensions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What other programs keep here; carried through every change, and not looked at."""

    def __len__(self) -> int:
        return len(self.entries)

    def held(self, section: int) -> list[int]:
        """The entries that a section has features of."""
        return [i for i, entry in enumerate(self.entries) if entry.features[section] is not None]

    def floats(
        self,
        indices: Sequence[int] | None = None,
        *,
        section: int = 0,
        slots: int | None = None,
        planar: bool = False,
    ) -> Features:
        """Features of the entries ``indices`` as a section's network takes them: its one map, float32 [n, h, w, C], or
        all maps and codes in the order of its ``Interface``.

        By default of all entries that the section holds; ``slots`` and ``planar`` as in ``Section.floats``.

        Raises:
            GalleryError: the section does not hold one of the entries.
        """
        stored = []
        for i in self.held(section) if indices is None else indices:
            features = self.entries[i].features[section]
            if features is None:
                raise GalleryError(f"entry {i + 1} has no features for {self.sections[section].feature_space}")
            stored.append(features)
        return self.sections[section].floats(stored, slots=slots, planar=planar)

    def replace(self, **changes: Any) -> Gallery:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def read_gallery(path: str | Path) -> Gallery:
    """A gallery from its file. Header and sizes are checked before anything is allocated.

    Raises:
        GalleryError: missing, damaged, beyond a limit, or of another version.
    """
    path = Path(path)
    try:
        return read_private(path, _read)
    except GalleryError as error:
        raise GalleryError(f"cannot read {path}: {error.what}", error.hint or "build the gallery again") from error
    except InputOutputError as error:
        raise GalleryError(error.what, "make one: edgesr gallery build FOLDER -o me.gallery") from error


def version_of(path: Path) -> int:
    """The format version of a gallery's file that was read before.

    Raises:
        GalleryError, InputOutputError: as ``read_gallery``.
    """
    return read_private(path, lambda stream, size: _header_of(stream, size)[2].version)


def decode_gallery(content: bytes) -> Gallery:
    """A gallery from the bytes of its file; its arrays are read-only views of them.

    Raises:
        GalleryError: damaged, beyond a limit, or of another version.
    """
    return _read(io.BytesIO(content), len(content))


def _header_of(stream: BinaryIO, size: int) -> tuple[bytes, bytes, Header]:
    """The bytes of the header's length, those of the header, and what they say."""
    start = stream.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > MOST_HEADER or 8 + length > size:
        raise GalleryError("it is no gallery, or cut off")
    written = stream.read(length)
    return start, written, decode(written) if is_current(written) else decode_v1(written)


def _read(stream: BinaryIO, size: int) -> Gallery:
    start, written, header = _header_of(stream, size)
    whole = len(start) + len(written) + header.data_size
    if whole != size:
        damage = "it is cut off" if size < whole else "something was appended to it"
        raise GalleryError(f"it has {size} bytes, its header says {whole}", f"{damage}: build it again")
    content = stream.read(header.data_size)
    if len(content) != header.data_size:
        raise GalleryError("it became shorter while it was read", "read it again")
    if header.content_sha256 is not None:
        digest = hashlib.sha256(start + without_hash(written))
        digest.update(content)
        if digest.hexdigest() != header.content_sha256:
            raise GalleryError("it is damaged: its content is not what was written")
    arrays: dict[str, npt.NDArray[Any]] = {}
    at = 0
    for name, (code, shape) in header.tensors.items():
        dtype = np.dtype(NUMPY[code])
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, dtype, count, at).reshape(shape)
        at += count * dtype.itemsize
    _check_values(arrays)
    return Gallery(_sections(header, arrays), _entries(header, arrays), header.embedder, header.extensions)


def _sections(header: Header, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[Section, ...]:
    result = []
    for i, section in enumerate(header.sections):
        steps = None
        if section.dtype == "int8":
            steps = dict(zip(section.parts, map(float, arrays[f"{i}.{STEPS}"]), strict=True))
        result.append(dataclasses.replace(section, steps=steps))
    return tuple(result)


def _entries(header: Header, arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[Entry, ...]:
    features: list[dict[int, Stored]] = []
    for i, (section, rows) in enumerate(zip(header.sections, header.rows, strict=True)):
        columns = [arrays[f"{i}.{name}"] for name in section.tensors]
        features.append({entry: tuple(column[row] for column in columns) for row, entry in enumerate(rows)})
    return tuple(
        Entry(
            features=tuple(held.get(i) for held in features),
            descriptor=arrays["descriptors"][i],
            photo_sha256=label.photo_sha256,
            quality=label.quality,
            pose=label.pose,
            name=label.name,
            embedding=arrays["embeddings"][i] if "embeddings" in arrays else None,
        )
        for i, label in enumerate(header.labels)
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
    entries = gallery.entries
    embedded = {entry.embedding is not None for entry in entries} | {gallery.embedder is not None}
    if len(embedded) > 1:
        raise GalleryError("some entries have an embedding and some have none", "all have one or none has")
    if any(len(entry.features) != len(gallery.sections) for entry in entries):
        raise GalleryError(f"an entry has other than {len(gallery.sections)} sections")
    columns = {
        "descriptors": [np.asarray(e.descriptor, "<f4") for e in entries],
        "embeddings": [np.asarray(e.embedding, "<f4") for e in entries if e.embedding is not None],
    }
    rows = tuple(tuple(gallery.held(i)) for i in range(len(gallery.sections)))
    header = Header(
        sections=gallery.sections,
        rows=rows,
        embedder=gallery.embedder,
        labels=tuple(Label(e.photo_sha256, e.quality, e.pose, e.name) for e in entries),
        descriptor_size=_length("descriptors", columns["descriptors"]),
        embedding_size=_length("embeddings", columns["embeddings"]),
        extensions=gallery.extensions,
    )
    written = header.encode()
    chunks = [len(written).to_bytes(8, "little"), written]
    for i, section in enumerate(gallery.sections):
        columns |= _columns(i, section, [entries[row].features[i] for row in rows[i]])
    for name in header.tensors:
        for array in columns[name]:
            _check_values({name: array})
            chunks.append(np.ascontiguousarray(array).tobytes())
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    chunks[1] = written[:HASH_AT] + digest.hexdigest().encode() + written[HASH_AT + 64 :]
    return chunks


def _columns(i: int, section: Section, held: Sequence[Stored | None]) -> dict[str, list[npt.NDArray[Any]]]:
    """A section's arrays by the names of its tensors."""
    result: dict[str, list[npt.NDArray[Any]]] = {}
    if (section.steps is None) != (section.dtype == "fp16") or {*(section.steps or section.parts)} != {*section.parts}:
        raise GalleryError(f"its scales are {section.steps}, and its features {section.dtype} of {[*section.parts]}")
    if section.steps is not None:
        result[f"{i}.{STEPS}"] = [np.array([section.steps[part] for part in section.parts], "<f4")]
    for at, (name, (code, shape)) in enumerate(section.tensors.items()):
        arrays = [stored[at] for stored in held if stored is not None and len(stored) == len(section.tensors)]
        if len(arrays) < len(held) or any(array.shape != shape for array in arrays):
            raise GalleryError(f"its {name} have other shapes than {list(shape)}")
        if any(array.dtype != np.dtype(NUMPY[code]) for array in arrays):
            raise GalleryError(f"the {name} are not {code}", "Section.pack makes them so")
        result[f"{i}.{name}"] = arrays
    return result


def _length(what: str, arrays: Sequence[npt.NDArray[Any]]) -> int:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise GalleryError(f"its {what} have different shapes: {sorted(shapes)}")
    return next(iter(shapes), (0,))[0]


def _check_values(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse numbers that are none: they would spread through the network into a black face."""
    for name, array in arrays.items():
        if array.dtype == np.int8:
            if (array == -LARGEST_INT8 - 1).any():
                raise GalleryError("its features hold -128", "int8 features are from -127 to 127")
        elif not np.isfinite(array).all():
            raise GalleryError(f"its {name} hold values that are not finite")
        elif name.endswith(f".{STEPS}") and not ((array >= LEAST_STEP) & (array <= MOST_STEP)).all():
            raise GalleryError(f"its scales are {array.tolist()}", f"from {LEAST_STEP} to {MOST_STEP} are read")
