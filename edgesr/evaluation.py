"""Evaluation on fixed pairs: bicubic, 0, 1, 3, ... exemplars, and the wrong person's exemplars."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edgesr.data.faces import EvalPair
from edgesr.imaging import Pixels, read_image, resize_bicubic, to_pixels, to_unit
from edgesr.metrics import Interval, over_people, psnr
from edgesr.models.bicubic import bicubic_downsample
from edgesr.runtime.base import Array, Runtime, fill_slots


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """PSNR in dB of every method on every target, in the order of ``people``."""

    people: list[str]
    psnr: dict[str, list[float]]

    def interval(self, method: str, minus: str | None = None) -> Interval:
        """Mean PSNR of a method, or its mean difference to another on the same targets, over people."""
        values = self.psnr[method]
        if minus is not None:
            values = [a - b for a, b in zip(values, self.psnr[minus], strict=True)]
        return over_people(values, self.people)


def degrade(hr: Pixels, scale: int) -> Pixels:
    """The LR photo of a sharp one: antialiased bicubic, 8 bits; uint8 [H, W, 3] -> [H / s, W / s, 3]."""
    import torch

    unit = torch.from_numpy(to_unit(hr)).permute(2, 0, 1)[None]
    return to_pixels(bicubic_downsample(unit, scale)[0].permute(1, 2, 0).numpy())


def evaluate(
    runtime: Runtime,
    pairs: Sequence[EvalPair],
    *,
    counts: Sequence[int] = (0, 1, 3),
    with_target: bool = False,
    progress: Callable[[Sequence[EvalPair]], Iterator[EvalPair]] = iter,
) -> Evaluation:
    """Measure every method on the same pairs.

    ``counts`` of exemplars that the runtime has no slots for, or no pair has photos for, are left out.
    ``wrong-person`` takes the exemplars of the next person in the list, as many as the largest count.
    ``with_target`` adds ``target-as-exemplar``: how much the exemplar path can carry (a diagnostic).
    """
    config = runtime.config
    encoded: dict[Path, Array] = {}

    def features_of(paths: Sequence[Path]) -> list[Array]:
        for path in paths:
            if path not in encoded:
                encoded[path] = runtime.encode(to_unit(read_image(path)))
        return [encoded[path] for path in paths]

    available = max(len(pair.exemplars) for pair in pairs)
    counts = [n for n in counts if n <= min(config.slots, available)]
    strangers = _strangers(pairs)
    results: dict[str, list[float]] = {}
    for pair in progress(pairs):
        truth = read_image(pair.target)
        lr = degrade(truth, config.scale)
        exemplars = {f"n={n}": list(pair.exemplars[:n]) for n in counts}
        exemplars["wrong-person"] = list(strangers[pair.person][: max(counts)])
        if with_target:
            exemplars["target-as-exemplar"] = [pair.target, *pair.exemplars[: max(counts) - 1]]
        outputs = {"bicubic": resize_bicubic(lr, config.hr_size, config.hr_size)}
        for method, paths in exemplars.items():
            sr, _ = runtime.restore(to_unit(lr), *fill_slots(features_of(paths), config))
            outputs[method] = to_pixels(sr)
        for method, image in outputs.items():
            results.setdefault(method, []).append(psnr(image, truth))
    return Evaluation([pair.person for pair in pairs], results)


def _strangers(pairs: Sequence[EvalPair]) -> dict[str, tuple[Path, ...]]:
    """For each person, the exemplars of the next one in the list."""
    first = {pair.person: pair.exemplars for pair in reversed(pairs)}
    names = sorted(first)
    return {name: first[names[(i + 1) % len(names)]] for i, name in enumerate(names)}
