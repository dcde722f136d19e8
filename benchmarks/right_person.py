"""How often the check for somebody else's gallery errs, and the thresholds that it rests on.

    python benchmarks/right_person.py FACES                          # on test, by the package's own thresholds
    python benchmarks/right_person.py FACES --split val --thresholds   # which thresholds val would choose
    python benchmarks/right_person.py FACES --embedder face_embedding_mobilefacenet.onnx

Every photo of a person in turn is the tiny face: at 16 pixels (restored by hime-small-x8) and 32 (hime-small-x4) from
crops of 128, at 64 (hime-small-x4) from crops of 256, each restored with no exemplar. It is held against its own
person's other photos and against those of every other person. "Enlarged" is the same by bicubic. FACES as in
``benchmarks/exemplar_choice.py``; two minutes of one core for 20 people.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from edgesr.api import Model
from edgesr.data.faces import people, split_folder
from edgesr.errors import EdgesrError, UsageError
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import over_people
from edgesr.faces.identity import DlibEmbedder, Embedder, OnnxEmbedder, Vector
from edgesr.faces.right_person import CALIBRATIONS, SIZES, similarity
from edgesr.images.imaging import Pixels, read_image, resize_bicubic
from edgesr.models import load_checkpoint
from edgesr.runtime.torch import TorchRuntime

MADE_BY = {16: ("hime-small-x8", 128), 32: ("hime-small-x4", 128), 64: ("hime-small-x4", 256)}
"""The network that restores a face of so many pixels, and the side of the crops that it is made of."""

ENTRIES = (1, 3, 7)

Similarities = list[tuple[str, str, float]]
"""(the face's person, the gallery's person, mean similarity)."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder of aligned faces: <pixels>/<split>/<person>/<photo>")
    parser.add_argument("--split", default="test")
    parser.add_argument("--embedder", type=Path, help="an ONNX embedder instead of dlib's")
    parser.add_argument("--thresholds", action="store_true", help="the best thresholds of this split, too")
    parser.add_argument("--people", type=int, default=None, help="only the first so many")
    arguments = parser.parse_args()
    embedder = OnnxEmbedder(arguments.embedder) if arguments.embedder else DlibEmbedder()
    print(f"{embedder.name}, {arguments.split}; 95 % intervals over people")
    for size in SIZES:
        measure(size, embedder, arguments)
    return 0


def measure(size: int, embedder: Embedder, arguments: argparse.Namespace) -> None:
    """Print both errors for faces of ``size`` pixels, restored and enlarged."""
    name, side = MADE_BY[size]
    album = people(split_folder(arguments.faces, arguments.split, side))
    several = [who for who, files in album.items() if len(files) > 1][: arguments.people]
    if len(several) < 2:
        raise UsageError(f"{len(several)} people with several photos in {arguments.faces}", "two at least are compared")
    photos = {who: [read_image(file) for file in album[who]] for who in several}
    galleries = {who: [embedded(embedder, photo)[0] for photo in shown] for who, shown in photos.items()}
    network, calibration = at_size(name, size), CALIBRATIONS.get(embedder.name)

    def restored(lr: Pixels) -> Pixels:
        return network.restore(lr, network.encode([]))[0]

    def enlarged(lr: Pixels) -> Pixels:
        return resize_bicubic(lr, side, side)

    for way in (restored, enlarged):
        faces, missed = [], 0
        for who, shown in photos.items():
            for at, photo in enumerate(shown):
                vector, found = embedded(embedder, way(degrade(photo, side // size)))
                faces.append((who, at, vector))
                missed += not found
        against = {k: similarities(faces, galleries, k) for k in (None, *ENTRIES)}
        best = best_threshold(against[None])
        threshold = calibration.thresholds[SIZES.index(size)] if calibration and way is restored else best
        by = f"restored by {name}" if way is restored else "enlarged, with the best threshold of this split"
        print(f"{size} px, {by}: {len(faces)} faces of {len(photos)} people, no face found in {missed}")
        for entries, found_similarities in against.items():
            print(f"  {'all' if entries is None else entries} entries: {rates(found_similarities, threshold)}")
        if arguments.thresholds:
            print(f"  best threshold here {best:.3f}: {rates(against[None], best)}")
        sys.stdout.flush()


def at_size(name: str, size: int) -> Model:
    """A shipped network for LR faces of ``size`` pixels, which is not always the size it was made for."""
    checkpoint = load_checkpoint(name)
    return Model(TorchRuntime(checkpoint.model, checkpoint.model.config.replace(lr_size=size)), name)


def embedded(embedder: Embedder, face: Pixels) -> tuple[Vector, bool]:
    frame, found = embedder.locate(face)
    return embedder.embed(face, frame), found


def similarities(
    faces: list[tuple[str, int, Vector]], galleries: dict[str, list[Vector]], entries: int | None
) -> Similarities:
    """Of each face to each person's gallery of the first ``entries`` photos, its own photo left out."""
    found = []
    for who, at, vector in faces:
        for other, gallery in galleries.items():
            shown = [g for i, g in enumerate(gallery) if (other, i) != (who, at)][:entries]
            found.append((who, other, similarity(vector, np.stack(shown))))
    return found


def best_threshold(found: Similarities) -> float:
    """Of least sum of both errors, over people alike; in the middle where many are as good."""
    at = np.unique(np.round([s for _, _, s in found], 3))
    right = np.array([s for who, other, s in found if who == other])
    wrong = np.array([s for who, other, s in found if who != other])
    sums = np.array([(right < t).mean() + (wrong >= t).mean() for t in at])
    return float(np.median(at[sums <= sums.min() + 1e-9]))


def rates(found: Similarities, threshold: float) -> str:
    right = [(who, s < threshold) for who, other, s in found if who == other]
    wrong = [(who, s >= threshold) for who, other, s in found if who != other]
    alarm, miss = (over_people([100.0 * e for _, e in errors], [who for who, _ in errors]) for errors in (right, wrong))
    return f"below {threshold:.3f}: false alarm {alarm:.1f} %, miss {miss:.1f} %"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
