"""How long ``edgesr gallery build`` takes for photos of 12 megapixels, and whether its memory grows with their number.

    python benchmarks/gallery_build.py [--photos 50] [--detector FILE]

The photos are composed: one sample person (London set, CC-BY 4.0), relit and turned differently in each, in a canvas
of 4000x3000 with texture and noise, so that a JPEG is as large as a phone's. Prints a line a run, then the verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from edgesr.data.samples import sample_faces

WIDTH, HEIGHT = 4000, 3000
LIMIT = 60
GROWTH = 48
"""MiB that five times as many photos may take more: their features, 0.7 MiB each, and crops, 0.2."""


def background(random: np.random.Generator) -> Image.Image:
    """Texture at three scales and sensor noise, in colour."""
    canvas = np.full((HEIGHT, WIDTH), 120, np.float32)
    for cells, strength in ((8, 40), (64, 25), (512, 12)):
        small = random.normal(size=(max(2, HEIGHT * cells // WIDTH), cells)).astype(np.float32)
        canvas += strength * np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    colour = canvas[..., None] + random.normal(0, 12, 3).astype(np.float32)
    return Image.fromarray((colour + random.normal(0, 4, canvas.shape)[..., None]).clip(0, 255).astype(np.uint8))


def relit(face: np.ndarray, random: np.random.Generator) -> Image.Image:
    """The face under a light from one side, mirrored or not, so that no two are one picture."""
    v, u = np.mgrid[0 : face.shape[0], 0 : face.shape[1]] / face.shape[0] * 2 - 1
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.2, 0.5)
    light = 1 + strength * (np.cos(angle) * u + np.sin(angle) * v) + random.uniform(-0.25, 0.25) * (u * u + v * v - 0.5)
    lit = (face * light[..., None]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(lit[:, ::-1] if random.random() < 0.5 else lit)


def compose(folder: Path, count: int) -> float:
    """Write the photos; returns their mean size in MB."""
    person = sample_faces(256)[0]
    for i in range(count):
        random = np.random.default_rng(i)
        photo = background(random)
        side = int(random.uniform(700, 1600))
        face = relit(person.exemplar if i % 2 else person.target, random).resize((side, side), Image.Resampling.BICUBIC)
        face = face.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC, expand=True)
        mask = Image.new("L", face.size)
        box = (side // 8, side // 8, face.width - side // 8, face.height - side // 8)
        mask.paste(255, box)
        photo.paste(
            face, (int(random.uniform(0, WIDTH - face.width)), int(random.uniform(0, HEIGHT - face.height))), mask
        )
        photo.save(folder / f"{i:03}.jpg", quality=92)
    return sum(p.stat().st_size for p in folder.iterdir()) / count / 1e6


def build(photos: list[Path], out: Path, extra: list[str]) -> dict[str, float]:
    """One run of the command in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "edgesr.cli",
        "gallery",
        "build",
        *map(str, photos),
        "-o",
        str(out),
        "--json",
        *extra,
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(done.stdout)
    if "kept" not in answer:
        raise SystemExit(f"the build failed: {answer}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The largest child so far: runs must be ordered by what they are expected to take.
    return {"seconds": seconds, "cpu": cpu, "peak_mib": after.ru_maxrss / 1024, "kept": answer["kept"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--detector")
    arguments = parser.parse_args()
    extra = ["--detector", arguments.detector] if arguments.detector else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        size = compose(folder, arguments.photos)
        photos = sorted(folder.iterdir())
        print(f"{len(photos)} composed photos of {WIDTH}x{HEIGHT}, {size:.1f} MB each; {os.cpu_count()} cores")
        runs = []
        for count in (max(1, len(photos) // 5), len(photos)):
            load = os.getloadavg()[0]
            run = build(photos[:count], Path(name) / f"{count}.gallery", extra)
            runs.append(run)
            print(
                f"{count:4} photos: {run['seconds']:6.1f} s, {run['cpu']:6.1f} s of CPU, "
                f"peak {run['peak_mib']:.0f} MiB, {run['kept']:.0f} kept (load before: {load:.1f})"
            )
    # Of the CPU's time, which a busy machine does not stretch: one process of one thread, so no less than its time
    # on an idle machine.
    fast = runs[1]["cpu"] < LIMIT * len(photos) / 50
    flat = runs[1]["peak_mib"] < runs[0]["peak_mib"] + GROWTH
    print(f"under {LIMIT} s for 50: {'kept' if fast else 'BROKEN'}; memory flat: {'kept' if flat else 'BROKEN'}")
    return int(not (fast and flat))


if __name__ == "__main__":
    sys.exit(main())
