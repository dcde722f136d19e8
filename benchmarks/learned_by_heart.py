"""How much better does a network know the photos it was trained on? PSNR gain over bicubic, without exemplars.

    python benchmarks/learned_by_heart.py --faces ../shared/faces [--photos 360] CHECKPOINT...

A gain on ``train`` that grows while that on ``val`` does not is learned by heart.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch

from edgesr.data.faces import FaceSet
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, resize_bicubic
from edgesr.models import load_checkpoint
from edgesr.runtime.base import fill_slots
from edgesr.runtime.torch import TorchRuntime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="a shipped name or a folder")
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--photos", type=int, default=360, help="at most, of each split; drawn with a fixed seed")
    given = parser.parse_args()
    for name in given.checkpoints:
        model = load_checkpoint(name).model
        for split in ("train", "val"):
            images = FaceSet.read(given.faces, split, model.config.hr_size).images
            chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[: given.photos]
            gains = [gain(TorchRuntime(model), images[i].permute(1, 2, 0).numpy()) for i in chosen]
            print(f"{name} {split}: {statistics.mean(gains):+.2f} dB over bicubic on {len(gains)} photos")


def gain(runtime: TorchRuntime, face: Pixels) -> float:
    """Of one photo, uint8 [S, S, 3], in dB."""
    config = runtime.interface
    lr = degrade(face, config.scale)
    features, valid = fill_slots([], config)
    sr, _ = runtime.restore(lr.astype("float32") / 255, features, valid)
    restored = (sr.clip(0, 1) * 255).round().astype("uint8")
    return psnr(restored, face) - psnr(resize_bicubic(lr, config.hr_size, config.hr_size), face)


if __name__ == "__main__":
    main()
