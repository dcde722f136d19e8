"""Whether a face in a photo is the gallery's person, where the gallery holds embeddings and their embedder is here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgesr.enhance.regions import Network
from edgesr.errors import EdgesrError, UnavailableError
from edgesr.faces.identity import DlibEmbedder, Embedder, OnnxEmbedder
from edgesr.faces.right_person import NO_EMBEDDINGS, other_person
from edgesr.gallery.format import Gallery
from edgesr.images.imaging import Pixels


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingJudge:
    """Judges by ``edgesr.faces.right_person``; galleries without embeddings, or of another embedder, are not judged."""

    embedder: Embedder

    def __call__(self, native: Pixels, sr: Pixels, network: Network) -> bool | None:
        """``native`` uint8 [S, S, 3], ``sr`` restored without exemplars, with the photo's own detail, which tells
        more of who it is than a network that was not shown it. None where it cannot be told."""
        gallery = network.gallery
        if gallery is None or not self.tells(gallery):
            return None
        embeddings = [entry.embedding for entry in gallery.entries if entry.embedding is not None]
        return other_person(self.embedder, sr, native.shape[0], np.stack(embeddings)).is_other

    def tells(self, gallery: Gallery) -> bool:
        """Whether the gallery holds embeddings of this embedder."""
        stored = any(entry.embedding is not None for entry in gallery.entries)
        return stored and gallery.embedder == self.embedder.name


def open_judge(
    networks: list[Network], embedder: Path | None = None, report: Callable[[str], None] = lambda _: None
) -> EmbeddingJudge | None:
    """The judge for these galleries; None where none of them can be judged, which ``report`` is told.

    Raises:
        EdgesrError: an ``embedder`` that was named and cannot be opened.
    """
    galleries = [network.gallery for network in networks if network.gallery is not None]
    names = {gallery.embedder for gallery in galleries} - {None}
    if not galleries:
        return None
    if not names:
        report(NO_EMBEDDINGS)
        return None
    if embedder is not None:
        judge = EmbeddingJudge(OnnxEmbedder(embedder))
        if judge.embedder.name not in names:
            raise UnavailableError(
                f"the gallery's embeddings are of {', '.join(map(str, names))}, not of {judge.embedder.name}",
                "give the embedder that it was built with, or build it again",
            )
        return judge
    try:
        judge = EmbeddingJudge(DlibEmbedder())
    except EdgesrError as error:
        report(f"{NO_EMBEDDINGS}: {error.what}")
        return None
    if judge.embedder.name not in names:
        report(f"{NO_EMBEDDINGS}: they are of {', '.join(map(str, names))}")
        return None
    return judge
