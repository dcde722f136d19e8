"""Batches from shards beside batches from memory: samples a second of training, and memory at a million photos.

    python benchmarks/training_data.py FACES                    # promise: shards at least 0.95x memory
    python benchmarks/training_data.py FACES --photos 1000000    # writes some 7 GB, and removes them

The crops of FACES' ``train`` are repeated to as many photos (each copy of a person is a person of its own) and written
as shards. A training step is timed on batches from memory (FACES once) and from the shards in turns, on the shipped
network's architecture; then batches alone, and what the process holds: anonymous memory, which is ours, and pages of
mapped files, which the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from edgesr.data.batches import BatchSampler, Curriculum
from edgesr.data.faces import Faces, FaceSet
from edgesr.data.layout import people
from edgesr.data.shards import ShardedFaces, write_shards
from edgesr.models import PRESETS
from edgesr.training.config import TrainConfig
from edgesr.training.trainer import Trainer

SIZE, BATCH, LEAST = 128, 16, 0.95


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=10, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", type=Path, default=None)
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(dir=arguments.scratch))
    try:
        ratio = measure(arguments, scratch)
    finally:
        shutil.rmtree(scratch)
    print(f"training from shards is {ratio:.3f}x training from memory, at least {LEAST} promised")
    return int(ratio < LEAST)


def measure(arguments: argparse.Namespace, scratch: Path) -> float:
    repeated(arguments.faces, scratch / "faces", arguments.photos)
    started = time.monotonic()
    written = write_shards(scratch / "faces", scratch / "shards", SIZE)
    print(f"{written.photos:,} photos of {written.people:,} people, {written.shards} shards, ", end="")
    print(f"{sum(p.stat().st_size for p in (scratch / 'shards').iterdir()) / 1e9:.2f} GB, ", end="")
    print(f"written in {time.monotonic() - started:.0f} s")
    print("before opening:", memory())
    disk = ShardedFaces.open(scratch / "shards", SIZE, "train")
    print("opened:", memory())
    alone(disk, "shards")
    print("after 200 batches:", memory(), flush=True)
    memory_set = FaceSet.read(arguments.faces, "train", SIZE)
    alone(memory_set, "memory")
    print(f"with {len(memory_set):,} photos in memory besides:", memory(), flush=True)
    trainers = {name: trainer(faces, scratch / name) for name, faces in (("memory", memory_set), ("disk", disk))}
    ratios = []
    for turn in range(arguments.rounds + 1):
        seconds = {}
        for name, one in trainers.items():
            one.step = turn * arguments.steps  # the same numbers of exemplars for both
            begun = time.process_time()
            for _ in range(arguments.steps):
                one.train_step()
            seconds[name] = time.process_time() - begun
        if turn:  # the first warms up
            ratios.append(seconds["memory"] / seconds["disk"])
        rates = {name: f"{BATCH * arguments.steps / value:.2f}" for name, value in seconds.items()}
        print(f"round {turn}: samples a CPU second {json.dumps(rates)}", flush=True)
    return float(np.median(ratios))


def repeated(faces: Path, out: Path, count: int) -> None:
    """A folder whose people are those of ``faces`` again and again, as links to their files."""
    album = list(people(faces / str(SIZE) / "train").items())
    made = copy = 0
    while made < count:
        for name, photos in album:
            folder = out / str(SIZE) / "train" / f"{name}-{copy:04}"
            folder.mkdir(parents=True)
            for photo in photos:
                (folder / photo.name).symlink_to(photo.resolve())
            made += len(photos)
            if made >= count:
                break
        copy += 1


def alone(faces: Faces, name: str, batches: int = 200) -> None:
    """Prints batches a second without a network, as training asks for them."""
    sampler = BatchSampler(faces, 4, BATCH, Curriculum(), 0, torch.device("cpu"))
    started, cpu = time.monotonic(), time.process_time()
    for step in range(batches):
        sampler.batch(step, 0.5)
    wall, cpu = time.monotonic() - started, time.process_time() - cpu
    print(
        f"batches alone from {name}: {BATCH * batches / wall:.0f} samples/s, {1e3 * cpu / batches:.1f} ms CPU a batch"
    )


def trainer(faces: Faces, run: Path) -> Trainer:
    config = TrainConfig(steps=10_000, batch_size=BATCH, precision="bf16-mixed")
    return Trainer(run, "hime-small-x4", PRESETS["hime-small-x4"], config, faces)


def memory() -> str:
    """Of this process: what is its own now, mapped files now, and the most of both so far."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    own, mapped = (int(lines[key].split()[0]) / 1024 for key in ("RssAnon", "RssFile"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"RSS {own:.0f} MB own, {mapped:.0f} MB mapped files (most so far {most:.0f} MB)"


if __name__ == "__main__":
    sys.exit(main())
