"""PSNR against its formula, and intervals that are over people, not over images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, MakePeople, lively

from edgesr.data.faces import EvalPair
from edgesr.evaluation.methods import degrade, evaluate
from edgesr.evaluation.metrics import Interval, over_people, psnr, psnr_unit
from edgesr.images.imaging import read_image, resize_bicubic
from edgesr.runtime.torch import TorchRuntime

random = np.random.default_rng(0)
A, B = (random.integers(0, 256, (9, 7, 3), np.uint8) for _ in range(2))


def test_psnr_is_its_formula() -> None:
    total = 0
    for a, b in zip(A.reshape(-1).tolist(), B.reshape(-1).tolist(), strict=True):
        total += (a - b) ** 2
    assert psnr(A, B) == pytest.approx(20 * math.log10(255) - 10 * math.log10(total / A.size), abs=1e-9)


@pytest.mark.parametrize(("difference", "decibel"), [(255, 0.0), (1, 48.1308), (16, 24.0484)])
def test_psnr_of_a_constant_difference(difference: int, decibel: float) -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + np.uint8(difference)) == pytest.approx(decibel, abs=1e-3)
    assert psnr(black + np.uint8(difference), black) == psnr(black, black + np.uint8(difference))


def test_equal_images_have_infinite_psnr() -> None:
    assert psnr(A, A) == math.inf
    assert psnr_unit(A / 255, A / 255) == math.inf


def test_both_scales_of_psnr_agree() -> None:
    assert psnr_unit(A / 255, B / 255) == pytest.approx(psnr(A, B), abs=1e-6)


def test_an_interval_is_over_people_not_over_images() -> None:
    few = over_people([1.0, 3.0], ["ann", "bob"])
    many = over_people([1.0] * 50 + [3.0] * 50, ["ann"] * 50 + ["bob"] * 50)
    assert few == many  # more images of the same two people are no more evidence
    assert (few.mean, few.low, few.high) == (2.0, 1.0, 3.0)


def test_every_person_counts_alike_in_the_mean() -> None:
    assert over_people([0.0, 0.0, 0.0, 4.0], ["ann", "ann", "ann", "bob"]).mean == 2.0


def test_an_interval_is_deterministic_and_holds_its_mean() -> None:
    values = random.normal(1, 0.5, 40).tolist()
    people = [f"person {i}" for i in range(40)]
    interval = over_people(values, people)
    assert interval == over_people(values, people)
    assert interval.low < interval.mean < interval.high
    # About the normal approximation: 1.96 standard errors on either side.
    error = 1.96 * np.std(values) / math.sqrt(40)
    assert interval.high - interval.low == pytest.approx(2 * error, rel=0.1)


def test_one_person_gives_no_spread() -> None:
    assert over_people([1.0, 2.0], ["ann", "ann"]) == Interval(1.5, 1.5, 1.5)


def test_an_interval_reads_as_people_write_it() -> None:
    assert str(Interval(1.234, 1.0, 1.5)) == "1.23 [1.00, 1.50]"


@pytest.fixture
def pairs(make_people: MakePeople) -> list[EvalPair]:
    folder = make_people({"ann": 4, "bob": 3, "eve": 3}, size=TINY.hr_size)
    photos = {person.name: sorted(person.iterdir()) for person in sorted(folder.iterdir())}
    return [EvalPair(name, paths[0], tuple(paths[1:])) for name, paths in photos.items()]


def test_every_method_is_measured_on_the_same_targets(pairs: list[EvalPair]) -> None:
    seen: list[EvalPair] = []

    def progress(items: Sequence[EvalPair]) -> Iterator[EvalPair]:
        for item in items:
            seen.append(item)
            yield item

    result = evaluate(TorchRuntime(lively(TINY)), pairs, with_target=True, progress=progress)
    # Two slots: three exemplars do not fit, so n=3 is left out.
    assert list(result.psnr) == ["bicubic", "n=0", "n=1", "wrong-person", "target-as-exemplar"]
    assert all(len(values) == 3 for values in result.psnr.values())
    assert seen == pairs
    truth = read_image(pairs[0].target)
    assert result.psnr["bicubic"][0] == psnr(resize_bicubic(degrade(truth, TINY.scale), 32, 32), truth)
    assert result.interval("n=1", minus="n=1") == Interval(0.0, 0.0, 0.0)
    gain = result.interval("n=1", minus="bicubic")
    assert gain.mean == pytest.approx(result.interval("n=1").mean - result.interval("bicubic").mean)


def test_the_wrong_person_is_somebody_else(pairs: list[EvalPair]) -> None:
    runtime = TorchRuntime(lively(TINY))
    encoded: list[Path] = []
    originals = {read_image(path).tobytes(): path for pair in pairs for path in (pair.target, *pair.exemplars)}
    encode = runtime.encode

    def spying(exemplar: np.ndarray) -> np.ndarray:
        encoded.append(originals[np.rint(exemplar * 255).astype(np.uint8).tobytes()])
        return encode(exemplar)

    runtime.encode = spying  # type: ignore[method-assign]
    evaluate(runtime, pairs[:1] + pairs[2:], counts=(1,))
    assert [path.parent.name for path in encoded] == ["ann", "eve"]  # each photo once: ann's is eve's stranger
    assert pairs[0].target not in encoded
