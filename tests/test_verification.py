"""Verified: the threshold comes from other people's sharp photos, and a wrong person's gallery is told."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Call
from PIL import Image

from edgesr.cli.main import run
from edgesr.data.faces import EvalPair, read_eval_list
from edgesr.errors import UsageError
from edgesr.evaluation.methods import Methods, Restored
from edgesr.evaluation.verification import FALSE_ACCEPTANCE, Verification
from edgesr.faces.identity import Frame, IdentityMeter, Vector
from edgesr.images.imaging import Pixels, read_image
from edgesr.runtime.base import Array, Runtime

SHADES = {"ann": 40, "bob": 120, "eve": 200}


class MeanColour:
    """An embedder whose vector is the mean colour, so that every distance can be told by hand."""

    name = "mean colour"

    def locate(self, truth: Pixels) -> tuple[Frame, bool]:  # noqa: ARG002
        return np.zeros((1, 2)), True

    def embed(self, image: Pixels, frame: Frame) -> Vector:  # noqa: ARG002
        return image.reshape(-1, 3).mean(0, dtype=np.float64)


@pytest.fixture
def pairs(tmp_path: Path) -> list[EvalPair]:
    """Three people of one shade each, four photos a person that differ by a level; each is a target once."""
    made = []
    for person, shade in SHADES.items():
        photos = [tmp_path / f"{person}-{i}.png" for i in range(4)]
        for i, path in enumerate(photos):
            Image.fromarray(np.full((32, 32, 3), shade + i, np.uint8)).save(path)
        made += [EvalPair(person, path, tuple(p for p in photos if p != path)) for path in photos]
    return made


def shade(value: int) -> Pixels:
    return np.full((32, 32, 3), value, np.uint8)


def level(path: Path) -> int:
    return int(read_image(path)[0, 0, 0])


def test_the_threshold_is_what_one_in_a_hundred_strangers_passes_and_originals_are_the_ceiling(
    pairs: list[EvalPair],
) -> None:
    originals = Verification(IdentityMeter(MeanColour()), pairs, 3).originals
    apart = [
        np.sqrt(3) * np.mean([abs(level(p.target) - level(exemplar)) for exemplar in q.exemplars])
        for q in pairs
        for p in pairs
        if p.person != q.person
    ]
    assert originals.threshold == pytest.approx(np.quantile(apart, FALSE_ACCEPTANCE))
    assert originals.strangers == len(apart) == 12 * 8
    assert (originals.verified.mean, originals.verified.low) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("restored", "own", "wrong"), [(41, 1.0, 0.0), (121, 0.0, 1.0), (80, 1.0, 1.0), (255, 0.0, 0.0)]
)
def test_a_face_passes_as_whom_it_is_near(pairs: list[EvalPair], restored: int, own: int, wrong: int) -> None:
    ann, bob = pairs[0], pairs[4]
    verification = Verification(IdentityMeter(MeanColour()), pairs, 3)
    faces = Restored(shade(0), {"n=3": shade(restored), "bicubic": shade(40)}, read_image(ann.target))
    figures = verification.measure(faces, ann, bob.exemplars)
    assert figures["n=3"] == {"verified": own, "verified_as_wrong": wrong}
    assert figures["bicubic"]["verified"] == 1.0
    assert "verified_as_wrong" not in verification.measure(faces, ann, ())["n=3"]
    assert math.isnan(verification.passes(np.zeros(3), ()))


class Painter(Runtime):
    """Gives back its first exemplar: everybody becomes whoever the gallery is of."""

    name, interface = "painter", TINY.interface

    def encode(self, exemplar: Array) -> Array:
        return np.full((8, 8, 16), exemplar.mean(), np.float32)

    def restore(self, lr: Array, features: Array, valid: Array) -> tuple[Array, Array]:
        value = features[0].mean() if valid.any() else lr.mean()
        return np.full((32, 32, 3), value, np.float32), np.zeros((len(valid), 8, 8), np.float32)


def test_every_other_persons_gallery_is_tried_on_every_target(pairs: list[EvalPair]) -> None:
    methods = Methods(Painter(), pairs, counts=(0, 1))
    made_somebody_else, count = Verification(IdentityMeter(MeanColour()), pairs, 1).every_stranger(methods, pairs)
    assert count == 12 * 2
    assert made_somebody_else.mean == 1.0


@pytest.mark.parametrize("people", [("ann",), ()])
def test_nobody_is_verified_without_somebody_else(pairs: list[EvalPair], people: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="two people"):
        Verification(IdentityMeter(MeanColour()), [p for p in pairs if p.person in people], 3)


def test_eval_says_who_is_verified(
    call: Call, tiny_checkpoint: Path, people_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--split", "test")
    code, answer, _ = call(*arguments, "--limit", 2, "--every-stranger")
    assert code == 0
    verification = answer["verification"]
    assert verification["false_acceptance"] == FALSE_ACCEPTANCE
    assert 0 < verification["threshold"] < 2
    assert 0 <= verification["every_stranger"] <= 1
    people = len({pair.person for pair in read_eval_list(people_folder, "test", 32)})
    assert verification["every_stranger_pairs"] == 2 * (people - 1)
    for row in answer["rows"]:
        assert 0 <= row["verified_95"][0] <= row["verified"] <= row["verified_95"][1] <= 1
    by_method = {row["method"]: row for row in answer["rows"]}
    gap = next(row for row in answer["comparisons"] if row["minus"] == "bicubic")
    assert gap["verified"] == pytest.approx(by_method["n=1"]["verified"] - by_method["bicubic"]["verified"])
    wrong = by_method["wrong-person"]
    assert 0 <= wrong["verified_as_wrong"] <= 1
    code, answer, _ = call(*arguments, "--limit", 1, "--no-identity")
    assert answer["verification"] is None
    assert run([*map(str, arguments), "--limit", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"n=1 minus bicubic: .* dB.*, distance .*, verified \S+ \[\S+ \S+\] points", printed), printed
    code, answer, _ = call(*arguments, "--limit", 1, "--no-identity", "--every-stranger")
    assert code == 2
