"""Photos of several people fall apart into people, in any order; and a tiny face of somebody else is noticed."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from galleries import gallery

import edgesr
from edgesr.cli.asking import TerminalQuestions
from edgesr.data.samples import sample_faces
from edgesr.errors import UsageError
from edgesr.evaluation.methods import degrade
from edgesr.faces.descriptor import describe
from edgesr.faces.identity import Frame, OnnxEmbedder, Vector
from edgesr.faces.right_person import CALIBRATIONS, SIZES, other_person, threshold_at
from edgesr.gallery.people import ARCFACE, DLIB, Threshold, Verdict, group, judge_album, threshold_of
from edgesr.gallery.photos import Candidate
from edgesr.gallery.quality import Quality
from edgesr.gallery.whose import of_person
from edgesr.images.imaging import Pixels, read_image

Array = npt.NDArray[np.float64]


def crowd(counts: list[int], spread: float, seed: int = 0) -> tuple[Array, list[int]]:
    """Embeddings of people: a direction each, with noise of length ``spread`` around it; of any length."""
    random = np.random.default_rng(seed)
    vectors, person = [], []
    for i, count in enumerate(counts):
        centre = random.normal(size=64) / 8
        for _ in range(count):
            noise = random.normal(size=64)
            vector = centre / np.linalg.norm(centre) + spread * noise / np.linalg.norm(noise)
            vectors.append(vector * random.uniform(0.5, 3))
            person.append(i)
    return np.array(vectors), person


def members(person: list[int], who: int) -> list[int]:
    return [i for i, p in enumerate(person) if p == who]


def test_people_are_told_apart_the_one_with_most_photos_first() -> None:
    vectors, person = crowd([2, 7, 1, 4], spread=0.6)
    assert group(vectors, 0.35) == [members(person, who) for who in (1, 3, 0, 2)]


def test_the_order_of_the_photos_does_not_matter() -> None:
    vectors, _ = crowd([5, 3, 2], spread=0.7)
    expected = {frozenset(g) for g in group(vectors, 0.35)}
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(vectors))
        assert {frozenset(int(order[i]) for i in g) for g in group(vectors[order], 0.35)} == expected


def test_groups_are_joined_by_the_mean_similarity_of_all_their_pairs() -> None:
    """Against the same rule by brute force."""
    vectors, _ = crowd([4, 4, 4], spread=1.2, seed=3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    groups = [[i] for i in range(len(unit))]
    while len(groups) > 1:
        alike = [
            (cosine[np.ix_(a, b)].mean(), i, j) for i, a in enumerate(groups) for j, b in enumerate(groups) if i < j
        ]
        most, i, j = max(alike)
        if most < 0.2:
            break
        groups[i] += groups.pop(j)
    assert 1 < len(groups) < len(unit)
    assert {frozenset(g) for g in group(vectors, 0.2)} == {frozenset(g) for g in groups}


def test_one_bridge_does_not_join_two_people() -> None:
    """A face between two people, as a blurred one lies, is like both; the people stay two."""
    a, b = np.eye(8)[0], np.eye(8)[1]
    vectors = np.stack([a, a, a, b, b, b, a + b])
    assert max(len(g) for g in group(vectors, 0.5)) == 4


def around(*cosines: float) -> Array:
    """Unit vectors of these cosines to the first axis, each in a direction of its own."""
    vectors = np.zeros((len(cosines), len(cosines) + 1))
    for i, cosine in enumerate(cosines):
        vectors[i, 0], vectors[i, i + 1] = cosine, (1 - cosine**2) ** 0.5
    return vectors


@pytest.mark.parametrize(
    ("cosines", "verdict"),
    [
        ((1.0,), Verdict.ONE),
        ((1.0, 0.8), Verdict.ONE),
        ((1.0, 1.0, 0.55), Verdict.DOUBT),
        ((1.0, 1.0, 0.45), Verdict.SEVERAL),
        ((1.0, 1.0, 0.55, 0.1), Verdict.SEVERAL),
        ((1.0, 0.55, 0.55), Verdict.DOUBT),
    ],
)
def test_an_album_is_one_persons_or_several_peoples_or_in_doubt(cosines: tuple[float, ...], verdict: Verdict) -> None:
    assert judge_album(around(*cosines), Threshold(0.7, doubt=0.5)) is verdict


def candidates(count: int) -> list[Candidate]:
    blank = np.zeros((8, 8, 3), np.uint8)
    quality = Quality(0.5, 128.0, 0.5, 0.0, 0.0, 0.0, ())
    return [
        Candidate(Path(f"{i}.jpg"), f"{i:064x}", blank, np.zeros((5, 2)), quality, describe(blank, None))
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("cosines", "person", "taken", "doubtful", "left_out"),
    [
        ((1.0, 1.0, 0.96), None, [0, 1, 2], [], []),
        ((1.0, 1.0, 0.915), None, [0, 1, 2], [2], []),
        ((1.0, 1.0, 0.915), "1", [0, 1], [], [2]),
        ((1.0, 1.0, 0.915), "2", [2], [], [0, 1]),
        ((1.0,) * 4 + (0.5,), None, [0, 1, 2, 3], [], [4]),
        ((1.0,) * 4 + (0.915, 0.5), None, [0, 1, 2, 3, 4], [4], [5]),
        ((1.0, 1.0, 0.5), "folder", [0, 1, 2], [], []),
    ],
)
def test_photos_in_doubt_are_taken_with_a_warning_and_others_left_out_by_name(
    cosines: tuple[float, ...],
    person: str | None,
    taken: list[int],
    doubtful: list[int],
    left_out: list[int],
) -> None:
    """Where nobody can be asked; 2 of 40 people's own three photos were refused as two people's."""
    seen = candidates(len(cosines))
    vectors = {one.photo_sha256: v for one, v in zip(seen, around(*cosines), strict=True)}
    told: list[str] = []
    chosen = of_person(seen, vectors, gallery(), "dlib ResNet", person, report=told.append)
    assert [seen.index(one) for one in chosen.taken] == taken
    assert [seen.index(one) for one in chosen.doubtful] == doubtful
    assert sorted(one.path.name for one in chosen.others) == [f"{i}.jpg" for i in left_out]
    assert all(f"{i}.jpg" in " ".join(told) for i in doubtful)
    assert bool(told) == bool(doubtful or person == "folder")


def test_photos_of_several_people_are_refused_and_named() -> None:
    seen = candidates(3)
    vectors = {one.photo_sha256: v for one, v in zip(seen, around(1.0, 1.0, 0.5), strict=True)}
    with pytest.raises(UsageError, match=r"1: 2 photos \(0\.jpg, 1\.jpg\); 2: 1 photo \(2\.jpg\)"):
        of_person(seen, vectors, gallery(), "dlib ResNet", None)


@pytest.mark.parametrize(("answer", "taken"), [("y\n", 3), ("n\n", 2)])
def test_in_doubt_the_user_is_asked(answer: str, taken: int) -> None:
    seen = candidates(3)
    vectors = {one.photo_sha256: v for one, v in zip(seen, around(1.0, 1.0, 0.915), strict=True)}

    @click.command()
    def command() -> None:
        click.echo(len(of_person(seen, vectors, gallery(), "dlib ResNet", None, TerminalQuestions()).taken))

    result = CliRunner().invoke(command, input=answer)
    assert result.stdout.splitlines()[-1] == str(taken)
    assert "2.jpg" in result.stderr


def test_nobody_and_one_are_groups_too() -> None:
    assert group(np.zeros((0, 8)), 0.5) == []
    assert group(np.ones((1, 8)), 0.5) == [[0]]


@pytest.mark.parametrize("vectors", [np.zeros((2, 8)), np.full((2, 8), np.nan), np.ones(8)])
def test_what_is_no_embedding_is_refused(vectors: Array) -> None:
    with pytest.raises(UsageError):
        group(vectors, 0.5)


def test_every_embedder_has_a_threshold_and_only_measured_ones_have_errors() -> None:
    assert threshold_of("dlib ResNet") is DLIB
    assert threshold_of("face_embedding_mobilefacenet.onnx") is ARCFACE
    other = threshold_of("mine.onnx")
    assert other.similarity == ARCFACE.similarity
    assert other.joined is None
    assert other.split is None


@pytest.fixture(scope="session")
def mobilefacenet() -> OnnxEmbedder:
    path = Path(__file__).parent.parent.parent / "shared" / "weights" / "face_embedding_mobilefacenet.onnx"
    if not path.is_file():
        pytest.skip(f"no embedder {path}")
    return OnnxEmbedder(path, threads=1)


def embedded(embedder: OnnxEmbedder, face: Pixels) -> Vector:
    frame, _ = embedder.locate(face)
    return embedder.embed(face, frame)


@pytest.mark.faces
def test_real_people_of_the_validation_split_are_told_apart(faces_folder: Path, mobilefacenet: OnnxEmbedder) -> None:
    people = sorted((faces_folder / "128" / "val").iterdir())[:4]
    files = [file for person in people for file in sorted(person.iterdir())]
    vectors = np.stack([embedded(mobilefacenet, read_image(file)) for file in files])
    found = group(vectors, threshold_of(mobilefacenet.name).similarity)
    assert found == [list(range(i, i + 6)) for i in range(0, 24, 6)]


class Fixed:
    """An embedder that says what it was made with."""

    def __init__(self, vector: Array, name: str = "dlib ResNet") -> None:
        self.vector, self.name = vector, name

    def locate(self, truth: Pixels) -> tuple[Frame, bool]:
        return np.zeros(4), truth.size > 0

    def embed(self, image: Pixels, frame: Frame) -> Vector:
        assert image.size
        assert len(frame) == 4
        return self.vector


FACE = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("size", [8, 16, 22, 32, 45, 64, 200])
def test_the_verdict_falls_at_the_threshold(size: float) -> None:
    calibration = CALIBRATIONS["dlib ResNet"]
    threshold = threshold_at(size, calibration)
    gallery = np.array([[3.0, 0, 0], [0.5, 0, 0]])
    for shift, expected in ((1e-6, False), (-1e-6, True)):
        cosine = threshold + shift
        verdict = other_person(Fixed(np.array([cosine, (1 - cosine**2) ** 0.5, 0]) * 2), FACE, size, gallery)
        assert verdict.similarity == pytest.approx(cosine)
        assert verdict.threshold == threshold
        assert verdict.is_other is expected
        assert verdict.error_rates == calibration.errors[{8: 0, 16: 0, 22: 0, 32: 1, 45: 1, 64: 3, 200: 3}[int(size)]]


def test_the_similarity_is_the_mean_over_the_gallery() -> None:
    verdict = other_person(Fixed(np.array([1.0, 0])), FACE, 32, [[2.0, 0], [0, 5.0]])
    assert verdict.similarity == pytest.approx(0.5)


def test_thresholds_are_those_measured_and_run_between_them() -> None:
    for calibration in CALIBRATIONS.values():
        assert [threshold_at(size, calibration) for size in SIZES] == pytest.approx(list(calibration.thresholds))
        low, high = calibration.thresholds[:2]
        assert threshold_at((24 * 32) ** 0.5, calibration) == pytest.approx((low + high) / 2)
        assert threshold_at(0, calibration) == low


def test_an_embedder_that_was_not_measured_promises_nothing() -> None:
    assert other_person(Fixed(np.ones(3), "mine.onnx"), FACE, 32, np.ones((1, 3))).error_rates is None


@pytest.mark.parametrize("gallery", [np.zeros((0, 3)), np.ones((2, 4)), np.ones(3), np.full((1, 3), np.nan)])
def test_a_gallery_without_fitting_embeddings_is_refused(gallery: Array) -> None:
    with pytest.raises(UsageError, match="build the gallery with embeddings by dlib ResNet"):
        other_person(Fixed(np.ones(3)), FACE, 32, gallery)


@pytest.mark.faces
def test_a_tiny_face_is_known_among_six_people(mobilefacenet: OnnxEmbedder) -> None:
    """At 32 pixels, restored with no exemplar: nobody is taken for another, and others are noticed nearly always."""
    model = edgesr.load("hime-small-x4")
    none = np.zeros((0, 32, 32, model.interface.feature_maps[0].channels), np.float32)
    samples = sample_faces(128)
    galleries = [embedded(mobilefacenet, sample.exemplar)[None] for sample in samples]
    noticed = []
    for i, sample in enumerate(samples):
        restored, _ = model.restore(degrade(sample.target, 4), none)
        verdicts = [other_person(mobilefacenet, restored, 32, gallery).is_other for gallery in galleries]
        assert not verdicts.pop(i)
        noticed += verdicts
    # One exemplar each: 2 % are missed with seven, more with one.
    assert sum(noticed) >= 27
