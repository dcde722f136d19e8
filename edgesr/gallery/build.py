"""From judged photos to a gallery: duplicates dropped, the best kept, each encoded once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError
from edgesr.gallery.format import Entry, Gallery
from edgesr.gallery.people import Threshold, group, in_doubt
from edgesr.gallery.photos import Candidate, Rejection, stored_name
from edgesr.gallery.quality import FINGERPRINT, Quality, duplicates
from edgesr.gallery.section import DType
from edgesr.models.interface import separate
from edgesr.runtime.base import unstacked

if TYPE_CHECKING:
    from edgesr.api import Model
    from edgesr.faces.identity import Embedder

Vector = npt.NDArray[np.float32]

MAJORITY = 0.75
"""The share above which photos are taken for one person's album: embedders err, and strangers walk through."""

QUALITY, POSE = ("exposure", "sharpness", "size_px"), ("pitch_deg", "roll_deg", "yaw_deg")


def empty_gallery(models: Sequence[Model], dtype: DType | None = None, embedder: str | None = None) -> Gallery:
    """A gallery that the features of these networks go into, a section each.

    Raises:
        UsageError: as ``Model.section``; or two of them have the same features.
    """
    sections = tuple(model.section(dtype) for model in models)
    if len({section.key for section in sections}) < len(sections):
        names = ", ".join(model.name for model in models)
        raise UsageError(f"two of {names} have the same features", "name one of them: its section serves both")
    return Gallery(sections, (), embedder)


def drop_known(
    candidates: Sequence[Candidate], gallery: Gallery, sections: Collection[int]
) -> tuple[list[Candidate], list[Candidate], list[Rejection]]:
    """Candidates whose photo is not in the gallery yet; those that are, but without features in one of ``sections``."""
    held = {entry.photo_sha256: entry.features for entry in gallery.entries}
    lacking = {photo for photo, features in held.items() if any(features[i] is None for i in sections)}
    known = set(held) - lacking
    kept: list[Candidate] = []
    incomplete: list[Candidate] = []
    rejected: list[Rejection] = []
    for one in candidates:
        if one.photo_sha256 in known:
            rejected.append(Rejection(one.path, "already in the gallery, or given twice"))
        else:
            known.add(one.photo_sha256)
            (incomplete if one.photo_sha256 in lacking else kept).append(one)
    return kept, incomplete, rejected


def drop_duplicates(candidates: Sequence[Candidate], gallery: Gallery) -> tuple[list[Candidate], list[Rejection]]:
    """Candidates that show another picture than every other and than those of the gallery; the best is kept."""
    if not candidates:
        return [], []
    stored = [entry.descriptor for entry in gallery.entries]
    descriptors = np.stack([*stored, *(one.descriptor for one in candidates)])
    # What is in the gallery stays in it, whatever comes.
    worth = [float("inf")] * len(stored) + [_worth(one.quality) for one in candidates]
    # A gallery holds no fingerprints, since they are pictures of whole photos.
    unknown = np.full(FINGERPRINT, np.nan, np.float32)
    prints = np.stack(
        [unknown] * len(stored) + [unknown if one.fingerprint is None else one.fingerprint for one in candidates]
    )
    kept, rejected = [], []
    for one, like in zip(candidates, duplicates(descriptors, worth, prints)[len(stored) :], strict=True):
        if like is None:
            kept.append(one)
        elif like < len(stored):
            rejected.append(Rejection(one.path, f"shows the same picture as entry {like + 1} of the gallery"))
        else:
            same = candidates[like - len(stored)].path.name
            rejected.append(
                Rejection(one.path, f"shows the same picture as {same}, which is larger, sharper or came first")
            )
    return kept, rejected


def embed(candidates: Iterable[Candidate], embedder: Embedder) -> dict[str, Vector]:
    """Each candidate's embedding [E], by its photo_sha256."""
    vectors = {}
    for one in candidates:
        face = one.face if one.small is None else one.small
        frame, _ = embedder.locate(face)
        vectors[one.photo_sha256] = np.asarray(embedder.embed(face, frame), np.float32)
    return vectors


@dataclasses.dataclass(frozen=True)
class People:
    """The candidates of each person; ``owner``: whose gallery it evidently is, if anyone's; ``doubtful``: people that
    may be the owner all the same."""

    groups: list[list[Candidate]]
    owner: int | None
    doubtful: tuple[int, ...] = ()


def people_of(
    candidates: Sequence[Candidate], vectors: Mapping[str, Vector], gallery: Gallery, threshold: Threshold
) -> People:
    """Who is who among the candidates.

    The owner is whoever most of the gallery's stored embeddings belong to, or where it has none, whoever has more than
    ``MAJORITY`` of the candidates, those counted that may be that person's.
    """
    stored = [entry.embedding for entry in gallery.entries if entry.embedding is not None]
    if not candidates:
        return People([], None)
    everything = np.stack([*stored, *(vectors[one.photo_sha256] for one in candidates)])
    members = group(everything, threshold.similarity)
    groups = [[candidates[i - len(stored)] for i in one if i >= len(stored)] for one in members]
    known = [len(one) - len(inside) for one, inside in zip(members, groups, strict=True)]
    owner = known.index(max(known)) if stored else 0
    doubtful = tuple(in_doubt(everything, members, owner, threshold))
    likely = sum(len(groups[i]) for i in (owner, *doubtful))
    evident = stored or likely > MAJORITY * len(candidates)
    return People(groups, owner, doubtful) if evident else People(groups, None)


def _worth(quality: Quality) -> float:
    """Ranks copies of one photo: the larger first, by steps of 40 %, then the sharper; JPEG's noise passes for
    sharpness, and must not put a small copy before its original."""
    return round(2 * math.log2(max(quality.size_px, 1.0))) + min(quality.sharpness, 0.99)


def keep_best(candidates: Sequence[Candidate], most: int) -> tuple[list[Candidate], list[Rejection]]:
    """The sharpest ``most`` candidates, in the order they came."""
    ranked = sorted(range(len(candidates)), key=lambda i: -candidates[i].quality.sharpness)
    chosen = set(ranked[:most])
    rejected = [
        Rejection(one.path, f"{most} sharper photos were there" if most else "the gallery is full")
        for i, one in enumerate(candidates)
        if i not in chosen
    ]
    return [candidates[i] for i in sorted(chosen)], rejected


def encode_entries(
    candidates: Iterable[Candidate],
    models: Sequence[Model],
    gallery: Gallery,
    *,
    keep_names: bool = False,
    embeddings: Mapping[str, Vector] | None = None,
) -> tuple[Entry, ...]:
    """Entries for ``gallery``, encoded one photo at a time. ``embeddings``: by photo_sha256.

    Each of ``models`` fills its own section; a section without its network stays empty for these entries.

    Raises:
        GalleryError: a network has no section here.
    """
    networks = {model.check_gallery(gallery): model for model in models}
    result = []
    for one in candidates:
        features = tuple(
            section.pack(separate(unstacked(networks[i].encode([one.face]))[0])) if i in networks else None
            for i, section in enumerate(gallery.sections)
        )
        result.append(
            Entry(
                features=features,
                descriptor=one.descriptor,
                photo_sha256=one.photo_sha256,
                quality={name: float(getattr(one.quality, name)) for name in QUALITY},
                pose={name: float(getattr(one.quality, name)) for name in POSE},
                name=stored_name(one.path) if keep_names else None,
                embedding=None if embeddings is None else np.asarray(embeddings[one.photo_sha256], np.float32),
            )
        )
    return tuple(result)
