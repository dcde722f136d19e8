"""How far the aligned square of a tiny, blurred face lies from that of the sharp photo it is made of.

    python benchmarks/landmark_error.py PHOTOS FACES --split val

Networks are trained and judged on LR faces cut by landmarks that were found on the sharp photo; a phone finds them on
the face as it is. The sharp photo's square is found and refined there, as ``data prepare`` does, from the landmarks of
``photos.csv``. Each photo is made smaller, so that the face's square has the side asked for, through a preset's
whole camera (messengers too); the face is found and its landmarks refined as ``enhance`` does it, and the two
squares are compared in the true square's own axes: shift over its side, size over its size, angle.

A line of JSON for each side: faces found, mean and standard deviation of each part, and the 90th percentile of the mean
distance that the square's points move, in per cent of its side and in LR pixels of a network that takes it whole.
The spread is also given robustly (1.4826 times the median deviation): what a jitter should be drawn with.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from far_faces import Original, nearest, originals

from edgesr.data.degradation import lr_faces
from edgesr.data.optics import resize
from edgesr.enhance.faces import find_faces
from edgesr.faces.alignment import Alignment
from edgesr.faces.detection import Detector, Face, open_detector
from edgesr.images.imaging import Pixels, read_image

AROUND = 4.0
"""Of a photo so many sides around the face are kept, where there are so many."""

SHARPER = 2
"""The photo goes into the camera at so many times the size it comes out with, as the presets take sharp faces."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="whole photos with photos.csv")
    parser.add_argument("faces", type=Path, help="their crops, with eval_list.csv")
    parser.add_argument("--split", default="val")
    parser.add_argument("--sides", type=int, nargs="+", default=[16, 22, 32, 48, 64, 96])
    parser.add_argument("--degradation", default="phone-2")
    parser.add_argument("--every", type=int, default=1, help="only every so many photos")
    parser.add_argument("--csv", type=Path, help="every face's figures")
    arguments = parser.parse_args()
    detector = open_detector()
    everything = originals(arguments.photos, arguments.faces, arguments.split)[:: arguments.every]
    everything = [dataclasses.replace(one, alignment=sharp(one, detector)) for one in everything]
    lines: list[list[object]] = []
    for side in arguments.sides:
        errors = []
        for original in everything:
            photo, truth = taken(original, side, arguments.degradation)
            found = nearest(find_faces(photo, detector), truth)
            if found:
                errors.append(error(found[0], truth))
                lines.append([side, original.path.name, original.pair.person, *errors[-1]])
        print(json.dumps(summary(side, np.array(errors), len(everything))), flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as stream:
            csv.writer(stream).writerows([["side", "photo", "person", "right", "down", "size", "angle"], *lines])
    return 0


def sharp(original: Original, detector: Detector) -> Alignment:
    """The square of the sharp photo's refined landmarks; the list's own where no face is found near it."""
    photo = read_image(original.path)
    found = nearest(detector.detect(photo), original.alignment)
    return detector.refine(photo, found[0]).alignment if found else original.alignment


def taken(original: Original, side: int, degradation: str) -> tuple[Pixels, Alignment]:
    """The photo through the camera, uint8, its face's square ``side`` pixels wide, and that square."""
    photo = read_image(original.path)
    (x, y), reach = original.alignment.centre, AROUND * original.alignment.side / 2
    left, top = max(0, round(x - reach)), max(0, round(y - reach))
    part = photo[top : round(y + reach), left : round(x + reach)]
    factor = side / original.alignment.side
    height, width = (max(1, round(length * factor)) for length in part.shape[:2])
    unit = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float() / 255
    light = resize(unit**2.2, (height * SHARPER, width * SHARPER), "bilinear") ** (1 / 2.2)
    random = torch.Generator().manual_seed(zlib.crc32(f"{original.pair.person}/{original.path.name}".encode()))
    small = (lr_faces(light, SHARPER, degradation, random)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    exact = np.array([width / part.shape[1], height / part.shape[0]])
    cx, cy = (np.array([x - left, y - top]) * exact).tolist()
    hx, hy = (np.array(original.alignment.half) * exact).tolist()
    return small, Alignment((cx, cy), (hx, hy))


def error(face: Face, truth: Alignment) -> tuple[float, float, float, float]:
    """Shift right and down over the true side, logarithm of the sizes' ratio, angle in degrees; along the true axes."""
    found = face.alignment
    true_half, found_half = complex(*truth.half), complex(*found.half)
    shift = (complex(*found.centre) - complex(*truth.centre)) / true_half / 2
    turn = found_half / true_half
    return shift.real, shift.imag, math.log(abs(turn)), math.degrees(math.atan2(turn.imag, turn.real))


def summary(side: int, errors: np.ndarray, count: int) -> dict[str, object]:
    right, down, size, angle = errors.T
    # Mean squared way of a square's points under shift, scaling and turning: the square's own second moment is 1/6.
    way = np.sqrt(right**2 + down**2 + (size**2 + np.radians(angle) ** 2) / 6)
    figures: dict[str, object] = {"side": side, "found": len(errors), "of": count}
    for name, values, unit in (
        ("right_%", right, 100),
        ("down_%", down, 100),
        ("size_%", size, 100),
        ("deg", angle, 1),
    ):
        middle = float(np.median(values))
        figures[name] = {
            "mean": round(unit * float(values.mean()), 2),
            "sd": round(unit * float(values.std(ddof=1)), 2),
            "robust": round(unit * 1.4826 * float(np.median(np.abs(values - middle))), 2),
        }
    figures["way_%"] = {
        "median": round(100 * float(np.median(way)), 2),
        "p90": round(100 * float(np.quantile(way, 0.9)), 2),
    }
    figures["way_pixels_p90"] = round(side * float(np.quantile(way, 0.9)), 2)
    return figures


if __name__ == "__main__":
    sys.exit(main())
