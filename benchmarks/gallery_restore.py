"""Is restoring from a gallery at least 1.7x faster than encoding as many photos as it has slots and restoring?

    python benchmarks/gallery_restore.py [--rounds 40] [--model hime-small-x4 or a bundle] [--threads 1]

Both ways take the same aligned photos and the same LR face from memory, in turns in one process: with the gallery
(exemplars chosen by their descriptors, features dequantized, restored), and without (the photos encoded, restored).
Time is the CPU's, so that a busy machine does not blur it. The ratio is taken round by round. Exit code 1 where its
median is below 1.7. By the count of operations it is 2.0. The same from files (crops of twice the network's size as
JPEG, and the gallery's file) stands beside it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import edgesr
from edgesr.data.samples import sample_faces
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Entry, decode_gallery, encode_gallery, read_gallery, write_gallery
from edgesr.images.imaging import resize_bicubic, write_image

LIMIT = 1.7
WARM_UP = 3


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def compared(slow: list[float], fast: list[float]) -> list[float]:
    """The ratio of each round."""
    return [a / b for a, b in zip(slow, fast, strict=True)]


def spread(values: list[float]) -> str:
    low, high = np.percentile(values, [10, 90])
    return f"{statistics.median(values):8.2f} (p10 {low:.2f}, p90 {high:.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--model", default=edgesr.DEFAULT_CHECKPOINT)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = edgesr.load(arguments.model, threads=arguments.threads, least_slots=3)
    slots = model.config.slots
    faces = sample_faces(model.config.hr_size)
    photos = [face.exemplar for face in faces]
    blank = empty_gallery([model])
    entries = tuple(
        Entry(
            (blank.sections[0].pack([model.encode([photo])[0]]),),
            describe(photo, None),
            f"{i:064x}",
        )
        for i, photo in enumerate(photos)
    )
    gallery = decode_gallery(b"".join(encode_gallery(blank.replace(entries=entries))))
    lr = resize_bicubic(faces[0].target, model.config.lr_size, model.config.lr_size)
    folder = Path(tempfile.mkdtemp(prefix="edgesr-benchmark-"))
    files = [folder / f"{i}.jpg" for i in range(slots)]
    for photo, file in zip(photos, files, strict=False):
        write_image(resize_bicubic(photo, *(2 * side for side in photo.shape[:2])), file)
    write_gallery(folder / "me.gallery", gallery)
    ways = {
        "from the gallery": lambda: model.restore(lr, gallery),
        f"encode {slots} and restore": lambda: model.restore(lr, model.encode(photos[:slots])),
        "choosing alone": lambda: model.choose(lr, gallery),
        "from its file": lambda: model.restore(lr, read_gallery(folder / "me.gallery")),
        f"encode {slots} files and restore": lambda: model.restore(lr, model.encode(files)),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds + WARM_UP):
        for name, work in ways.items():
            times[name].append(timed(work))
    kept = {name: values[WARM_UP:] for name, values in times.items()}
    print(f"{arguments.model}, {model.runtime.name}, {arguments.threads} thread(s), {arguments.rounds} rounds")
    for name, values in kept.items():
        print(f"{name:28} {spread(values)} ms of CPU")
    ratios = compared(kept[f"encode {slots} and restore"], kept["from the gallery"])
    from_files = compared(kept[f"encode {slots} files and restore"], kept["from its file"])
    print(f"{'ratio, from files':28} {spread(from_files)}")
    median = statistics.median(ratios)
    verdict = "kept" if median >= LIMIT else "BROKEN"
    print(f"{'ratio':28} {spread(ratios)}, at least {LIMIT} is promised: {verdict}")
    shutil.rmtree(folder)
    return int(median < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
