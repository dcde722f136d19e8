"""Whose face is whose, where a folder shows several people: photos grouped by their face embeddings."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgesr.errors import UsageError

Array = npt.NDArray[np.float64]

WITHOUT_EMBEDDER = (
    "no face embedder: whether these faces are one person's cannot be told, and all are taken for one person's"
)
EMBEDDER_HINT = "pip install 'edgesr[identity]', or pass --embedder FILE with an ONNX embedder"


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The least mean cosine similarity of two groups that are one person's; from ``doubt`` on they may be; below it
    they are not. And how often pairs of photos of the ``test`` split were put together (``joined``) or kept apart
    (``split``) wrongly."""

    similarity: float
    doubt: float
    joined: float | None = None
    split: float | None = None


DLIB = Threshold(0.925, doubt=0.895, joined=0.0, split=0.068)
ARCFACE = Threshold(0.325, doubt=0.265, joined=0.0, split=0.046)


def threshold_of(embedder: str) -> Threshold:
    """The threshold of an embedder by its ``name``; networks trained as ArcFace is are much alike."""
    if embedder == "dlib ResNet":
        return DLIB
    if embedder == "face_embedding_mobilefacenet.onnx":
        return ARCFACE
    return Threshold(ARCFACE.similarity, ARCFACE.doubt)


def group(embeddings: npt.ArrayLike, threshold: float) -> list[list[int]]:
    """Indices of the photos of each person, the person with most photos first, of equals the first photo's.

    ``embeddings`` [N, E], any length but 0. The two groups whose photos are most alike on average (mean cosine
    similarity of all pairs) are joined until none are as alike as ``threshold``. Deterministic.

    Raises:
        UsageError: an embedding is 0 or holds numbers that are none.
    """
    vectors = np.asarray(embeddings, np.float64)
    if vectors.size == 0:
        return []
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.ndim != 2 or not np.isfinite(vectors).all() or not (norms > 0).all():
        raise UsageError("embeddings must be finite and not 0", "one row a photo")
    unit = vectors / norms
    groups = [[i] for i in range(len(unit))]
    # Mean similarity of pairs between groups is the product of the groups' mean vectors, so sums are all that is kept.
    between = unit @ unit.T
    np.fill_diagonal(between, -np.inf)
    sizes = np.ones(len(unit))
    while len(groups) > 1:
        i, j = sorted(divmod(int(np.argmax(between)), len(groups)))
        if between[i, j] < threshold:
            break
        joined = (between[i] * sizes[i] + between[j] * sizes[j]) / (sizes[i] + sizes[j])
        joined[i] = -np.inf
        between[i], between[:, i] = joined, joined
        sizes[i] += sizes[j]
        groups[i] = sorted(groups[i] + groups[j])
        keep = np.arange(len(groups)) != j
        between, sizes = between[keep][:, keep], sizes[keep]
        del groups[j]
    return sorted(groups, key=lambda members: (-len(members), members[0]))


class Verdict(enum.Enum):
    """Whose photos an album's are."""

    ONE = "one person's"
    DOUBT = "in doubt"
    SEVERAL = "several people's"


def judge_album(embeddings: npt.ArrayLike, threshold: Threshold) -> Verdict:
    """Whether the photos [N, E] of an album are one person's; in doubt where all that look unlike the rest may be."""
    groups = group(embeddings, threshold.similarity)
    if len(groups) <= 1:
        return Verdict.ONE
    return Verdict.DOUBT if len(in_doubt(embeddings, groups, 0, threshold)) == len(groups) - 1 else Verdict.SEVERAL


def in_doubt(embeddings: npt.ArrayLike, groups: Sequence[Sequence[int]], main: int, threshold: Threshold) -> list[int]:
    """Which groups, as ``group`` gives them, may be the person of group ``main`` all the same.

    Their photos' mean cosine similarity to those of ``main`` is ``threshold.doubt`` or more.
    """
    vectors = np.asarray(embeddings, np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    means = [unit[list(members)].mean(0) for members in groups]
    return [i for i, mean in enumerate(means) if i != main and float(mean @ means[main]) >= threshold.doubt]
