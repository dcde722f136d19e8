"""Galleries made up for tests: small, of every kind, each entry unlike the others."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.gallery.format import Entry, Gallery, encode_gallery
from edgesr.gallery.header import HASH_AT, without_hash
from edgesr.gallery.section import DType, Section
from edgesr.models.interface import Code, FeatureMap

PARTS = {"f_ref": 3, "g_ref": 2}
STEPS = {"f_ref": 0.5, "g_ref": 0.25}
SIZE = 4


def section(dtype: DType = "int8", **changes: Any) -> Section:
    """One map of two parts, as HIME's."""
    maps = (FeatureMap("features", sum(PARTS.values()), SIZE, tuple(PARTS.items())),)
    steps = STEPS if dtype == "int8" else None
    return dataclasses.replace(Section("made-up-0a1b2c3d4e5f", 4, SIZE, maps, (), dtype, steps), **changes)


OTHER = Section(
    "made-up-too", 8, 8, (FeatureMap("deep", 3, 8), FeatureMap("fine", 2, 16)), (Code("style", 6),),
    "int8", {"deep": 0.5, "fine": 0.125},
)  # fmt: skip
"""A network of two maps of different sizes and a code."""


def entry(
    seed: int,
    dtype: DType = "int8",
    *,
    name: str | None = None,
    embedded: bool = False,
    sections: tuple[Section, ...] | None = None,
) -> Entry:
    random = np.random.default_rng(seed)
    sections = (section(dtype),) if sections is None else sections
    values = [
        [random.normal(0, 8, shape).astype(np.float32) for _, shape in each.tensors.values()] for each in sections
    ]
    return Entry(
        features=tuple(each.pack(one) for each, one in zip(sections, values, strict=True)),
        descriptor=random.normal(size=7).astype(np.float32),
        photo_sha256=hashlib.sha256(str(seed).encode()).hexdigest(),
        quality={"sharpness": 0.5 + seed / 1000, "size_px": 140.0, "exposure": 0.4},
        pose={"yaw_deg": -3.25, "pitch_deg": 0.0, "roll_deg": 1.5},
        name=name,
        embedding=random.normal(size=5).astype(np.float32) if embedded else None,
    )


def gallery(*seeds: int, dtype: DType = "int8", names: bool = False, embedded: bool = False) -> Gallery:
    return Gallery(
        sections=(section(dtype),),
        entries=tuple(
            entry(seed, dtype, name=f"photo {seed}.jpg" if names else None, embedded=embedded) for seed in seeds
        ),
        embedder="made up" if embedded else None,
    )


def of_two_networks(*seeds: int) -> Gallery:
    """Two sections, of which the second has no features of the second entry; and an extension."""
    sections = (section("fp16"), OTHER)
    entries = [entry(seed, sections=sections) for seed in seeds]
    if len(entries) > 1:
        entries[1] = dataclasses.replace(entries[1], features=(entries[1].features[0], None))
    return Gallery(sections, tuple(entries), None, {"booth": '{"theme":"dark"}', "a_1": "Zoë"})


KINDS: dict[str, Callable[..., Gallery]] = {
    "int8": gallery,
    "fp16": functools.partial(gallery, dtype="fp16"),
    "names": functools.partial(gallery, names=True),
    "embeddings": functools.partial(gallery, embedded=True),
    "two networks": of_two_networks,
}


def content(made: Gallery) -> bytes:
    return b"".join(encode_gallery(made))


def stored_of(entry: Entry, section: int = 0) -> npt.NDArray[Any]:
    """The first map of an entry in a section that has it."""
    held = entry.features[section]
    assert held is not None
    return held[0]


def with_header(header: bytes, data: bytes) -> bytes:
    """A file of this header, with the right hash where the header has one of ours."""
    start = len(header).to_bytes(8, "little")
    at = header.find(b'"content_sha256":"') + len('"content_sha256":"')
    if at == HASH_AT:
        digest = hashlib.sha256(start + without_hash(header) + data).hexdigest()
        header = header[:at] + digest.encode() + header[at + 64 :]
    return start + header + data
