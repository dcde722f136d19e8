"""How often the photos of one person's album are taken for several people's, and a stranger's photo among them is not.

    python benchmarks/album_people.py PHOTOS                      # on test, by the thresholds of edgesr.gallery.people
    python benchmarks/album_people.py PHOTOS --split val --thresholds     # what other thresholds of doubt would do
    python benchmarks/album_people.py PHOTOS --embedder face_embedding_mobilefacenet.onnx

PHOTOS: whole photos, <split>/<person>/<photo>. Albums are made of every three photos of a person; and of every two with
one photo of another person, drawn with a fixed seed. Each is judged as ``edgesr gallery build`` does: one person's, in
doubt (asked on a terminal, kept with a warning elsewhere), or surely several people's. Photos that build would leave
out are left out. Half a second of one core a photo; --keep FILE stores the embeddings.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

from edgesr.errors import EdgesrError, UsageError
from edgesr.evaluation.metrics import over_people
from edgesr.faces.detection import open_detector
from edgesr.faces.identity import DlibEmbedder, Embedder, OnnxEmbedder
from edgesr.gallery.people import Threshold, Verdict, judge_album, threshold_of
from edgesr.gallery.photos import Candidate, look

SIZE, ALBUM = 128, 3
STRANGERS = 5
"""Strangers drawn for every pair of a person's photos."""
LOWER = (0.05, 0.04, 0.03, 0.02, 0.01, 0.0)
"""What ``--thresholds`` takes off the threshold that joins people, for dlib; six times as much for ArcFace."""

Album = dict[str, np.ndarray]
"""Embeddings [n, E] of each person's photos."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--embedder", type=Path, help="an ONNX embedder instead of dlib's")
    parser.add_argument("--thresholds", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FILE.npz")
    arguments = parser.parse_args()
    embedder = OnnxEmbedder(arguments.embedder) if arguments.embedder else DlibEmbedder()
    album = embedded(arguments.photos / arguments.split, embedder, arguments.keep)
    count = sum(map(len, album.values()))
    print(f"{embedder.name}, {arguments.split}: {len(album)} people, {count} photos; 95 % intervals over people")
    usual = threshold_of(embedder.name)
    tell(usual, album)
    if arguments.thresholds:
        for lower in LOWER:
            step = lower if isinstance(embedder, DlibEmbedder) else 6 * lower
            tell(Threshold(usual.similarity, usual.similarity - step), album)
    return 0


def embedded(folder: Path, embedder: Embedder, keep: Path | None) -> Album:
    """Each person's photos as ``gallery build`` would take them; from ``keep`` where it is there."""
    if keep is not None and keep.is_file():
        with np.load(keep) as stored:
            return dict(stored)
    detector = open_detector()
    album = {}
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = [look(photo, detector, SIZE) for photo in sorted(person.iterdir())]
        faces = [one.face for one in found if isinstance(one, Candidate)]
        if len(faces) >= ALBUM:
            album[person.name] = np.stack([embedder.embed(face, embedder.locate(face)[0]) for face in faces])
    if len(album) < 2:
        raise UsageError(f"{len(album)} people with {ALBUM} photos in {folder}", "two at least are compared")
    if keep is not None:
        np.savez(keep, **album)  # type: ignore[arg-type]
    return album


def tell(threshold: Threshold, album: Album) -> None:
    """Print how albums of one person and of two are judged."""
    own, mixed = one_person(album), with_a_stranger(album)
    for what, albums in (("one person's three", own), ("two and a stranger", mixed)):
        cells = []
        for verdict in Verdict:
            shares = [(who, float(judge_album(vectors, threshold) is verdict)) for who, vectors in albums]
            found = over_people([share for _, share in shares], [who for who, _ in shares])
            cells.append(f"{verdict.value} {found.mean:.1%} [{found.low:.1%}, {found.high:.1%}]")
        print(
            f"  joined from {threshold.similarity:.3f}, doubt from {threshold.doubt:.3f}  {what:<20}", "; ".join(cells)
        )


def one_person(album: Album) -> list[tuple[str, np.ndarray]]:
    """Every three photos of every person."""
    return [
        (who, photos[list(three)])
        for who, photos in album.items()
        for three in itertools.combinations(range(len(photos)), ALBUM)
    ]


def with_a_stranger(album: Album) -> list[tuple[str, np.ndarray]]:
    """Every two photos of every person with one of somebody else, ``STRANGERS`` times."""
    random = np.random.default_rng(0)
    albums = []
    for who, photos in album.items():
        others = [name for name in album if name != who]
        for two in itertools.combinations(range(len(photos)), ALBUM - 1):
            for _ in range(STRANGERS):
                stranger = album[others[random.integers(len(others))]]
                albums.append((who, np.concatenate([photos[list(two)], stranger[[random.integers(len(stranger))]]])))
    return albums


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
