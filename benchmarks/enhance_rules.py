"""What rules of ``edgesr enhance`` rest on: which network serves a face of any size, with its own detail or without.

    python benchmarks/enhance_rules.py FACES --split val --phone   faces with a camera's blur, noise and files
    python benchmarks/enhance_rules.py FACES --split val           the same of faces that are merely small

Every n-th target of ``eval_list.csv`` is taken; figures are means of the PSNR in dB on 128-pixel crops.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import edgesr
from edgesr.data.faces import read_eval_list
from edgesr.enhance.detail import keep_own_detail
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, read_image, resize_bicubic

NETWORKS = (edgesr.DEFAULT_CHECKPOINT, "hime-small-x8-photo")
SIDES = (10, 12, 16, 20, 22, 24, 28, 32, 36, 40, 45, 50, 56, 64, 80, 96)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--phone", action="store_true", help="LR faces with blur, noise and JPEG")
    arguments = parser.parse_args()
    networks = {name: edgesr.load(name) for name in NETWORKS}
    for row in sizes(networks, arguments):
        print(json.dumps(row), flush=True)


def sizes(networks, arguments):
    """A face of ``side`` pixels: bicubic, and each network with and without the face's own detail put back."""
    pairs = read_eval_list(arguments.faces, arguments.split, 128)[:: arguments.every]
    for side in SIDES:
        found: dict[str, list[float]] = {}
        for pair in pairs:
            truth = read_image(pair.target)
            small = _small(truth, side, arguments.phone, pair.target.name)
            found.setdefault("bicubic", []).append(psnr(resize_bicubic(small, 128, 128), truth))
            for name, network in networks.items():
                size = network.config.lr_size
                if not size / 2 <= side <= 4 * size:
                    continue
                lr = resize_bicubic(small, size, size)
                sr, _ = network.restore(lr, _features(network, pair.exemplars[:3]))
                found.setdefault(name, []).append(psnr(sr, truth))
                found.setdefault(f"{name} own detail", []).append(psnr(keep_own_detail(sr, small, size), truth))
        yield {"side": side, **{name: round(float(np.mean(values)), 3) for name, values in found.items()}}


_CACHE: dict = {}


def _features(network, paths):
    kept = []
    for path in paths:
        key = (network.name, path)
        if key not in _CACHE:
            _CACHE[key] = network.encode([read_image(path)])[0]
        kept.append(_CACHE[key])
    return np.stack(kept) if kept else network.encode([])


def _small(truth: Pixels, side: int, phone: bool, name: str) -> Pixels:
    if not phone:
        return resize_bicubic(truth, side, side)
    whole = np.asarray(Image.fromarray(truth).resize((side * 4, side * 4), Image.Resampling.BICUBIC))
    return degrade(whole, 4, "phone", name)


if __name__ == "__main__":
    main()
