"""What the rules of ``edgesr enhance`` rest on: which network for which face, and when exemplars are not believed.

    python benchmarks/enhance_rules.py FACES --split val --part sizes      a face of any size: which way is best
    python benchmarks/enhance_rules.py FACES --split val --part fallback   right, wrong and damaged exemplars

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
from edgesr.enhance.consistency import believe, disagreement
from edgesr.enhance.detail import keep_own_detail
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, read_image, resize_bicubic

NETWORKS = ("hime-small-x4", "hime-small-x8")
SIDES = (10, 12, 16, 20, 22, 24, 28, 32, 36, 40, 45, 50, 56, 64, 80, 96)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--part", choices=["sizes", "fallback"], required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--phone", action="store_true", help="LR faces with blur, noise and JPEG")
    arguments = parser.parse_args()
    networks = {name: edgesr.load(name) for name in NETWORKS}
    for row in (sizes if arguments.part == "sizes" else fallback)(networks, arguments):
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
                found.setdefault(f"{name} own detail", []).append(psnr(keep_own_detail(sr, small), truth))
        yield {"side": side, **{name: round(float(np.mean(values)), 3) for name, values in found.items()}}


def fallback(networks, arguments):
    """PSNR by whose exemplars, and what believing them only as far as they agree with the face changes."""
    for name, network in networks.items():
        pairs = read_eval_list(arguments.faces, arguments.split, 128)[:: arguments.every]
        strangers = {p.person: p for p in pairs}
        people = sorted(strangers)
        found: dict[str, dict[str, list[float]]] = {}
        for pair in pairs:
            truth = read_image(pair.target)
            lr = degrade(truth, network.config.scale, "phone" if arguments.phone else "bicubic", pair.target.name)
            none, _ = network.restore(lr, _features(network, []))
            other = strangers[people[(people.index(pair.person) + 1) % len(people)]]
            right = _features(network, pair.exemplars[:3])
            cases = {
                "right": right,
                "wrong": _features(network, other.exemplars[:3]),
                "upside down": _features(network, pair.exemplars[:3], flip=True),
                "noise": np.random.default_rng(0).normal(0, right.std(), right.shape).astype(np.float32),
                "mixed up": right[:, ::-1, ::-1].copy(),
            }
            before = psnr(none, truth)
            for case, features in cases.items():
                sr, _ = network.restore(lr, features)
                ratio = disagreement(sr, none, lr)
                blended, share = believe(sr, none, lr)
                row = found.setdefault(case, {})
                for key, value in {
                    "n=0": before,
                    "exemplars": psnr(sr, truth),
                    "with fallback": psnr(blended, truth),
                    "share": share,
                    "ratio": ratio,
                }.items():
                    row.setdefault(key, []).append(value)
        for case, row in found.items():
            mean = {key: round(float(np.mean(values)), 3) for key, values in row.items()}
            spread = [round(float(v), 3) for v in np.percentile(row["ratio"], [5, 50, 90, 95, 99])]
            pairs_of = list(zip(row["ratio"], row["n=0"], row["exemplars"], strict=True))
            yield {"network": name, "exemplars of": case, **mean, "ratio 5 50 90 95 99 %": spread, "all": pairs_of}


_CACHE: dict = {}


def _features(network, paths, flip: bool = False):
    kept = []
    for path in paths:
        key = (network.name, path, flip)
        if key not in _CACHE:
            photo = read_image(path)
            _CACHE[key] = network.encode([np.ascontiguousarray(photo[::-1]) if flip else photo])[0]
        kept.append(_CACHE[key])
    return np.stack(kept) if kept else network.encode([])


def _small(truth: Pixels, side: int, phone: bool, name: str) -> Pixels:
    if not phone:
        return resize_bicubic(truth, side, side)
    whole = np.asarray(Image.fromarray(truth).resize((side * 4, side * 4), Image.Resampling.BICUBIC))
    return degrade(whole, 4, "phone", name)


if __name__ == "__main__":
    main()
