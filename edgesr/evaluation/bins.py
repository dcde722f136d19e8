"""Figures of an evaluation by face size, yaw and light: where verification holds and where it does not.

All three are of the *sharp* target photo, so every network's bins are the same:

- ``size``: side in pixels of the face's square in the photo that the crop was cut from (``native_px`` of the folder's
  ``manifest.csv``): how much detail the original has. Not the LR face's size, which the network sets.
- ``yaw``: how far the nose tip lies beside the middle of the face, in eye distances: |(n - c) . e| / |e|^2 with e from
  eye to eye and c the middle between eyes and mouth, from the landmarks that YuNet finds on the target. 0 is frontal.
- ``light``: mean luminance (Rec. 601 luma of the 8-bit values, 0 to 1) of the middle half of the crop, which is face.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.data.faces import EvalPair
from edgesr.data.layout import manifest_rows
from edgesr.evaluation.methods import Evaluation
from edgesr.evaluation.metrics import Interval, over_people
from edgesr.faces.face import Detector
from edgesr.images.imaging import Pixels, read_image

EDGES: dict[str, tuple[float, ...]] = {"size": (192, 320, 512), "yaw": (0.05, 0.15), "light": (0.45, 0.6)}
"""Where bins begin and end; a value on an edge is in the upper one."""

UNKNOWN = "unknown"
"""Bin of targets without a value: no row in the manifest, or no face found."""

LUMA = np.array((0.299, 0.587, 0.114))

Values = Callable[[Path], float]
"""A target's value, nan where it has none."""


@dataclasses.dataclass(frozen=True)
class BinRow:
    """The targets of one bin: verified by method, as the wrong person, differences to it, the originals' own rate."""

    name: str
    images: int
    people: int
    psnr: dict[str, Interval]
    verified: dict[str, Interval]
    verified_as_wrong: Interval | None
    distance_right_minus_wrong: Interval | None
    originals: Interval | None

    def answer(self) -> dict[str, Any]:
        """The bin as a JSON answer has it, with intervals as [mean, low, high]."""
        return {
            "bin": self.name,
            "images": self.images,
            "people": self.people,
            "psnr": {method: _listed(interval) for method, interval in self.psnr.items()},
            "verified": {method: _listed(interval) for method, interval in self.verified.items()},
            "verified_as_wrong": _listed(self.verified_as_wrong),
            "distance_right_minus_wrong": _listed(self.distance_right_minus_wrong),
            "originals": _listed(self.originals),
        }


def bins(
    result: Evaluation, names: Sequence[str], methods: Sequence[str], right: str, originals: Sequence[float] | None
) -> list[BinRow]:
    """A row for each bin that has targets, in order.

    Args:
        names: Each target's bin.
        methods: Those to list.
        right: The method of the right person's exemplars, which ``wrong-person`` is compared with.
        originals: Whether each target's own photo passes, 1.0 or 0.0; None where nobody is verified.
    """
    order = sorted(set(names), key=lambda name: (name == UNKNOWN, _start(name)))
    rows = []
    for name in order:
        at = [i for i, one in enumerate(names) if one == name]
        part = Evaluation(
            [result.people[i] for i in at],
            {
                metric: {method: [values[i] for i in at] for method, values in by_method.items()}
                for metric, by_method in result.scores.items()
            },
        )

        def interval(metric: str, method: str, minus: str | None = None, part: Evaluation = part) -> Interval | None:
            known = metric in part.scores and {method, minus or method} <= set(part.scores[metric])
            return part.interval(method, minus, metric) if known else None

        passed = over_people([originals[i] for i in at], part.people) if originals is not None else None
        verified = {m: found for m in methods if (found := interval("verified", m)) is not None}
        rows.append(
            BinRow(
                name,
                len(at),
                len(set(part.people)),
                {method: part.interval(method) for method in methods},
                verified,
                interval("verified_as_wrong", "wrong-person"),
                interval("identity_distance", right, "wrong-person"),
                passed,
            )
        )
    return rows


def bin_names(by: str, pairs: Sequence[EvalPair], values: Values) -> list[str]:
    """Each target's bin of ``by``."""
    return [bin_name(by, values(pair.target)) for pair in pairs]


def bin_name(by: str, value: float) -> str:
    """``size < 192``, ``size 192-320``, ``size >= 512``."""
    edges = EDGES[by]
    if math.isnan(value):
        return UNKNOWN
    above = sum(value >= edge for edge in edges)
    if not above:
        return f"{by} < {edges[0]:g}"
    return f"{by} >= {edges[-1]:g}" if above == len(edges) else f"{by} {edges[above - 1]:g}-{edges[above]:g}"


def sizes(folder: Path, size: int) -> Values:
    """``native_px`` of the folder's manifest, by file below ``folder/size``.

    Raises:
        InputOutputError: there is no manifest, or it has no such column.
    """
    hint = "--by size needs the manifest.csv that edgesr data prepare writes; --by yaw,light goes without"
    known = {row["file"]: row["native_px"] for row in manifest_rows(folder, size, hint)}

    def value(path: Path) -> float:
        parent = folder / str(size)
        name = path.relative_to(parent).as_posix() if path.is_relative_to(parent) else ""
        try:
            return float(known[name])
        except (KeyError, ValueError):
            return math.nan

    return value


def yaws(detector: Detector, track: Callable[[Sequence[Path]], Iterator[Path]], paths: Sequence[Path]) -> Values:
    """How far each target's nose lies beside its middle, in eye distances."""
    found = {path: yaw(read_image(path), detector) for path in track(list(dict.fromkeys(paths)))}
    return found.__getitem__


def yaw(photo: Pixels, detector: Detector) -> float:
    """The yaw, by the module's head, of the largest face of a crop uint8 [S, S, 3]; nan where none is found."""
    faces = detector.detect(photo)
    if not faces:
        return math.nan
    eye0, eye1, nose, mouth0, mouth1 = detector.refine(photo, faces[0]).landmarks
    across = eye1 - eye0
    middle = (eye0 + eye1 + mouth0 + mouth1) / 4
    return abs(float((nose - middle) @ across / max(across @ across, 1e-9)))


def light(path: Path) -> float:
    """Mean luma of the middle half of a crop, 0 to 1."""
    photo = read_image(path)
    quarter = photo.shape[0] // 4
    return float((photo[quarter : 3 * quarter, quarter : 3 * quarter] @ LUMA).mean() / 255)


def _start(name: str) -> float:
    text = name.split(" ", 1)[1] if " " in name else "0"
    return -math.inf if text.startswith("<") else float(text.removeprefix(">= ").split("-")[0])


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.mean, interval.low, interval.high]
