"""Evaluation on fixed pairs: every method restores the same targets, and is measured against the same originals."""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from edgesr.data.layout import EvalPair
from edgesr.errors import InputOutputError
from edgesr.evaluation.metrics import Interval, over_people, psnr
from edgesr.images.imaging import Pixels, downsample_bicubic, read_image, resize_bicubic, to_pixels, to_unit
from edgesr.process import extras
from edgesr.runtime.base import Features, Runtime, fill_slots

Measure = Callable[[Pixels, Pixels], Mapping[str, float]]
"""A function of an image and the original that gives figures by metric."""

GREY = 128
ENCODED_KEPT = 256
"""Exemplars whose features are kept: a person's photos and the next person's come again soon, 0.5 MB each."""


@dataclasses.dataclass(frozen=True)
class Restored:
    """One target: what was given, what each method made of it (those that apply), and the original; all uint8."""

    lr: Pixels
    images: dict[str, Pixels]
    truth: Pixels


Verify = Callable[[Restored, EvalPair, Sequence[Path]], Mapping[str, Mapping[str, float]]]
"""A function of a restored target, its pair and the wrong person's exemplars: figures by method, then metric."""


class Methods:
    """The methods that are compared, in the order of ``names``.

    - ``bicubic``: the anchor.
    - ``no-exemplar-net``: another network, trained without exemplars, where one is given.
    - ``n=0``, ``n=1``, ...: the target's first n exemplars; targets with fewer are left out of that row. Counts
      that the runtime has no slots for, or no target has exemplars for, are left out altogether.
    - ``wrong-person``: the exemplars of the next person in the list, ``control`` of them; not measured where
      nobody else is there.
    - ``blank``: ``control`` mid-grey photos.
    - ``target-as-exemplar``: the target itself in the first slot: how much the exemplar path can carry.
    """

    control: int
    """Exemplars of the controls: the largest count that every target has exemplars for."""

    def __init__(
        self,
        runtime: Runtime,
        pairs: Sequence[EvalPair],
        *,
        counts: Sequence[int] = (0, 1, 3),
        with_target: bool = False,
        with_blank: bool = False,
        no_exemplar_net: Runtime | None = None,
        others: Sequence[EvalPair] | None = None,
        degradation: str = "bicubic",
    ) -> None:
        """``others`` lends its people as wrong persons, where ``pairs`` is only a part of a list."""
        self.degradation = degradation
        self.runtime, self.no_exemplar_net = runtime, no_exemplar_net
        numbers = [len(pair.exemplars) for pair in pairs]
        self.counts = [n for n in counts if n <= min(runtime.interface.slots, max(numbers))]
        self.control = max((n for n in self.counts if n <= min(numbers)), default=0)
        self.names = [
            "bicubic",
            *(["no-exemplar-net"] if no_exemplar_net else []),
            *(f"n={n}" for n in self.counts),
            "wrong-person",
            *(["blank"] if with_blank and self.control else []),
            *(["target-as-exemplar"] if with_target else []),
        ]
        self.galleries = _galleries(pairs if others is None else others, self.control)
        self._features = functools.lru_cache(maxsize=ENCODED_KEPT)(self._encode)

    def restore(self, pair: EvalPair) -> Restored:
        """The target by every method that applies to it.

        Raises:
            InputOutputError: a photo is unreadable or of another size than the network's.
        """
        interface = self.runtime.interface
        truth, lr = self.target(pair)
        features: dict[str, list[Features]] = {}
        for n in self.counts:
            if n <= len(pair.exemplars):
                features[f"n={n}"] = [self._features(path) for path in pair.exemplars[:n]]
        if self.control and (wrong := self.wrong_exemplars(pair.person)):
            features["wrong-person"] = [self._features(path) for path in wrong]
        if "blank" in self.names:
            features["blank"] = [self._blank] * self.control
        if "target-as-exemplar" in self.names:
            more = pair.exemplars[: max(self.control - 1, 0)]
            features["target-as-exemplar"] = [self._features(path) for path in (pair.target, *more)]
        images = {"bicubic": resize_bicubic(lr, interface.hr_size, interface.hr_size)}
        if self.no_exemplar_net is not None:
            images["no-exemplar-net"] = _restore(self.no_exemplar_net, lr, [])
        images |= {method: _restore(self.runtime, lr, given) for method, given in features.items()}
        return Restored(lr, images, truth)

    def target(self, pair: EvalPair) -> tuple[Pixels, Pixels]:
        """The original and the LR face that is made of it, uint8."""
        interface = self.runtime.interface
        truth = _read_crop(pair.target, interface.hr_size)
        return truth, degrade(truth, interface.scale, self.degradation, pair.label)

    def restored_with(self, lr: Pixels, exemplars: Sequence[Path]) -> Pixels:
        """An LR face restored with these exemplars, whoever's they are."""
        return _restore(self.runtime, lr, [self._features(path) for path in exemplars])

    def wrong_exemplars(self, person: str) -> tuple[Path, ...]:
        """``control`` exemplars of the next person in the list who has as many; none where nobody else is there."""
        names = list(self.galleries)
        following = [name for name in names if name > person] + [name for name in names if name < person]
        return self.galleries[following[0]] if following else ()

    def _encode(self, path: Path) -> Features:
        return self.runtime.encode(to_unit(_read_crop(path, self.runtime.interface.hr_size)))

    @functools.cached_property
    def _blank(self) -> Features:
        size = self.runtime.interface.hr_size
        return self.runtime.encode(to_unit(np.full((size, size, 3), GREY, np.uint8)))


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Figures of every method on every target, in the order of ``people``; nan where a method does not apply."""

    people: list[str]
    scores: dict[str, dict[str, list[float]]]
    """The figures by metric, then by method."""

    @property
    def psnr(self) -> dict[str, list[float]]:
        """PSNR in dB by method."""
        return self.scores["psnr"]

    def values(self, method: str, minus: str | None = None, metric: str = "psnr") -> list[float]:
        """A method's figures, or its differences to another on the same targets."""
        values = self.scores[metric][method]
        if minus is None:
            return values
        # Equal also where both are infinite, whose difference would be undefined.
        return [0.0 if a == b else a - b for a, b in zip(values, self.scores[metric][minus], strict=True)]

    def interval(self, method: str, minus: str | None = None, metric: str = "psnr") -> Interval:
        """Mean of ``values`` over people, on those targets that were measured."""
        measured = [
            (v, person)
            for v, person in zip(self.values(method, minus, metric), self.people, strict=True)
            if not math.isnan(v)
        ]
        return over_people([v for v, _ in measured], [person for _, person in measured])

    def images(self, method: str) -> int:
        """Targets that the method was measured on."""
        return sum(not math.isnan(v) for v in self.psnr[method])


def psnr_alone(image: Pixels, truth: Pixels) -> dict[str, float]:
    """The measure of a quick validation."""
    return {"psnr": psnr(image, truth)}


def evaluate(
    runtime: Runtime,
    pairs: Sequence[EvalPair],
    *,
    counts: Sequence[int] = (0, 1, 3),
    with_target: bool = False,
    degradation: str = "bicubic",
    progress: Callable[[Sequence[EvalPair]], Iterator[EvalPair]] = iter,
) -> Evaluation:
    """PSNR of bicubic, each of ``counts`` exemplars and a wrong person's: what training validates with."""
    methods = Methods(runtime, pairs, counts=counts, with_target=with_target, degradation=degradation)
    return measure_methods(methods, pairs, progress=progress)


def measure_methods(
    methods: Methods,
    pairs: Sequence[EvalPair],
    *,
    measure: Measure = psnr_alone,
    verify: Verify | None = None,
    progress: Callable[[Sequence[EvalPair]], Iterator[EvalPair]] = iter,
) -> Evaluation:
    """Restore every target by every method and measure it; ``verify`` adds what hangs on the exemplars too."""
    scores: dict[str, dict[str, list[float]]] = {}

    def note(i: int, method: str, figures: Mapping[str, float]) -> None:
        for metric, value in figures.items():
            rows = scores.setdefault(metric, {name: [math.nan] * len(pairs) for name in methods.names})
            rows[method][i] = value

    for i, pair in enumerate(progress(pairs)):
        restored = methods.restore(pair)
        for method, image in restored.images.items():
            note(i, method, measure(image, restored.truth))
        if verify is not None:
            for method, figures in verify(restored, pair, methods.wrong_exemplars(pair.person)).items():
                note(i, method, figures)
    return Evaluation([pair.person for pair in pairs], scores)


def degrade(hr: Pixels, scale: int, degradation: str = "bicubic", name: str = "") -> Pixels:
    """The LR photo of a sharp one, 8 bits; uint8 [H, W, 3] -> [H / s, W / s, 3].

    ``bicubic`` is antialiased bicubic. A phone's preset draws its strengths by the photo's ``name``, so that every
    network gets the same LR photo.
    """
    if degradation == "bicubic" and not extras.has_torch():
        return downsample_bicubic(hr, scale)  # of 200,000 values three are a level apart
    import torch

    from edgesr.data.degradation import lr_faces

    unit = torch.from_numpy(to_unit(hr)).permute(2, 0, 1)[None]
    lr = lr_faces(unit, scale, degradation, torch.Generator().manual_seed(zlib.crc32(name.encode())))
    return to_pixels(lr[0].permute(1, 2, 0).numpy())


def _read_crop(path: Path, size: int) -> Pixels:
    image = read_image(path)
    if image.shape[:2] != (size, size):
        raise InputOutputError(
            f"{path} is {image.shape[1]}x{image.shape[0]}, not {size}x{size}",
            f"this network is measured on aligned crops of {size}x{size} pixels: edgesr data prepare PHOTOS "
            f"--size {size} makes them",
        )
    return image


def _restore(runtime: Runtime, lr: Pixels, features: Sequence[Features]) -> Pixels:
    sr, _ = runtime.restore(to_unit(lr), *fill_slots(features, runtime.interface))
    return to_pixels(sr)


def _galleries(pairs: Sequence[EvalPair], exemplars: int) -> dict[str, tuple[Path, ...]]:
    """The first ``exemplars`` of each person's first target, by name in order; people with fewer are left out."""
    first = {pair.person: pair.exemplars for pair in reversed(pairs)}
    return {name: first[name][:exemplars] for name in sorted(first) if len(first[name]) >= exemplars}
