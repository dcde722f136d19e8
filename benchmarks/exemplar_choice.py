"""What choosing exemplars costs, and what it is worth.

    python benchmarks/exemplar_choice.py                                  # microseconds on a gallery of 50
    python benchmarks/exemplar_choice.py --faces FOLDER [--split test]     # and PSNR against random choice

The second restores every target with every three of its person's other photos (so random choice is measured
exactly, as the mean over all of them), by hime-small-x4 at LR 32 and hime-small-x8 at LR 16: ten minutes of one core
for 20 people.
Landmarks are YuNet's, of the crop that is described: the LR crop enlarged for the target.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import edgesr
from edgesr.data.faces import people, split_folder
from edgesr.errors import EdgesrError
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import over_people, psnr
from edgesr.faces.alignment import Array
from edgesr.faces.descriptor import TEMPLATE, Descriptor, describe
from edgesr.faces.detection import FaceDetector
from edgesr.gallery.choice import choose
from edgesr.gallery.quality import judge
from edgesr.images.imaging import Pixels, read_image, resize_bicubic

GALLERY, SLOTS, ROUNDS = 50, 3, 2000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, help="folder of aligned faces: <pixels>/<split>/<person>/<photo>")
    parser.add_argument("--split", default="test")
    parser.add_argument("--people", type=int, default=None, help="only the first so many")
    parser.add_argument("--detector", type=Path, help="YuNet's file, if not the usual")
    arguments = parser.parse_args()
    cost()
    if arguments.faces:
        for name in ("hime-small-x4", "hime-small-x8"):
            worth(name, split_folder(arguments.faces, arguments.split, 128), arguments)
    return 0


def cost() -> None:
    """Microseconds of a choice and of a descriptor, medians with the 10th and 90th percentile."""
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (GALLERY, 128, 128, 3)).astype(np.uint8)
    points = np.array(TEMPLATE)
    gallery = np.stack([describe(face, points * 128) for face in faces])
    lr = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    query = describe(lr, points * 32)
    quality = random.uniform(0.3, 1, GALLERY)
    timed: dict[str, Callable[[], object]] = {
        f"choose {SLOTS} of {GALLERY}": lambda: choose(gallery, query, SLOTS, quality),
        "describe an LR face of 32": lambda: describe(lr, points * 32),
        "describe an exemplar of 128": lambda: describe(faces[0], points * 128),
    }
    for what, call in timed.items():
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter_ns()
            call()
            times.append((time.perf_counter_ns() - start) / 1000)
        low, high = np.percentile(times, [10, 90])
        print(f"{what:30} {statistics.median(times):8.0f} us [{low:.0f}, {high:.0f}]")


def worth(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    """PSNR of chosen, random and best three, with intervals over people."""
    model = edgesr.load(name)
    detector = FaceDetector(arguments.detector)
    rows: dict[str, list[float]] = {}
    who: list[str] = []
    for person, files in itertools.islice(people(folder).items(), arguments.people):
        print(f"{name}: {person}", file=sys.stderr)
        photos = [read_image(file) for file in files]
        points = [landmarks(detector, photo) for photo in photos]
        described = np.stack([describe(photo, p) for photo, p in zip(photos, points, strict=True)])
        sharpness = np.array([judge(photo, usual(p), 128).sharpness for photo, p in zip(photos, points, strict=True)])
        features = model.encode(photos)
        for target, truth in enumerate(photos):
            others = [i for i in range(len(photos)) if i != target]
            lr = degrade(truth, model.config.scale)

            def restored(chosen: tuple[int, ...], lr: Pixels = lr, truth: Pixels = truth) -> float:
                return psnr(model.restore(lr, features[list(chosen)])[0], truth)  # noqa: B023 (used at once)

            figures = {three: restored(three) for three in itertools.combinations(others, SLOTS)}
            picked = choose(described[others], query(detector, lr), SLOTS, sharpness[others])
            random = statistics.fmean(figures.values())
            row = {
                "no exemplar": restored(()),
                "random three": random,
                "chosen three": figures[tuple(sorted(others[i] for i in picked))],
                "best three (oracle)": max(figures.values()),
            }
            for what, value in row.items():
                rows.setdefault(what, []).append(value)
            who.append(person)
    print(f"\n{name}, {len(who)} targets of {len(set(who))} people, PSNR in dB, 95 % intervals over people")
    for what, values in rows.items():
        off = [v - r for v, r in zip(values, rows["random three"], strict=True)]
        print(f"  {what:22} {over_people(values, who):.3f}   minus random {over_people(off, who):+.4f}")


def landmarks(detector: FaceDetector, crop: Pixels) -> Array | None:
    """YuNet's landmarks of an aligned crop, with its mirror image around it."""
    margin = len(crop) // 2
    padded = np.pad(crop, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    found = detector.detect(padded)
    return detector.refine(padded, found[0]).landmarks - margin if found else None


def query(detector: FaceDetector, lr: Pixels) -> Descriptor:
    """The descriptor of an LR face, whose landmarks are found on its enlargement."""
    points = landmarks(detector, resize_bicubic(lr, 128, 128))
    return describe(lr, None if points is None else points * len(lr) / 128)


def usual(points: Array | None) -> Array:
    return np.array(TEMPLATE) * 128 if points is None else points


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
