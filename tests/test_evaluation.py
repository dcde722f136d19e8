"""What an evaluation promises: known metrics, the same targets for every method, honest rows, identity with a sign."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, MakePeople, lively
from PIL import Image
from skimage.metrics import structural_similarity

from edgesr.data.faces import EvalPair
from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError
from edgesr.evaluation.methods import GREY, Evaluation, Methods, degrade, measure_methods
from edgesr.evaluation.metrics import psnr, ssim
from edgesr.evaluation.report import Report, cost_with
from edgesr.faces.identity import DlibEmbedder, IdentityMeter, OnnxEmbedder
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import Pixels, resize_bicubic, to_unit
from edgesr.models.hime.complexity import complexity
from edgesr.models.hime.config import HIME_SMALL_X4
from edgesr.runtime.base import fill_slots
from edgesr.runtime.torch import TorchRuntime


def noisy(image: Pixels, strength: float) -> Pixels:
    noise = np.random.default_rng(0).normal(0, strength, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


FACE = sample_faces(64)[0].target
BLURRED = resize_bicubic(degrade(FACE, 4), 64, 64)


@pytest.mark.parametrize("image", [BLURRED, noisy(FACE, 10), noisy(BLURRED, 40), 255 - FACE], ids=lambda _: "")
def test_ssim_is_scikit_images(image: Pixels) -> None:
    wanted = structural_similarity(
        image, FACE, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(image, FACE) == pytest.approx(wanted, abs=1e-7)


def test_ssim_is_one_where_equal_and_symmetric() -> None:
    assert ssim(FACE, FACE) == pytest.approx(1, abs=1e-12)
    assert ssim(FACE, BLURRED) == pytest.approx(ssim(BLURRED, FACE), abs=1e-12)
    assert ssim(np.zeros((11, 11, 3), np.uint8), np.zeros((11, 11, 3), np.uint8)) == 1


@pytest.fixture
def pairs(make_people: MakePeople) -> list[EvalPair]:
    """Three people with 3, 2 and 1 exemplars, two targets of the first."""
    folder = make_people({"ann": 4, "bob": 3, "eve": 2}, size=TINY.hr_size)
    photos = {person.name: sorted(person.iterdir()) for person in sorted(folder.iterdir())}
    found = [EvalPair(name, paths[0], tuple(paths[1:])) for name, paths in photos.items()]
    return [EvalPair("ann", photos["ann"][1], (photos["ann"][0], *photos["ann"][2:])), *found]


def tiny_runtime(slots: int = 3, seed: int = 0) -> TorchRuntime:
    return TorchRuntime(lively(TINY.replace(slots=slots), seed))


def test_a_target_with_too_few_exemplars_is_left_out_of_that_row_alone(pairs: list[EvalPair]) -> None:
    methods = Methods(tiny_runtime(), pairs, counts=(0, 1, 2, 3, 5), with_blank=True)
    result = measure_methods(methods, pairs)
    assert methods.names == ["bicubic", "n=0", "n=1", "n=2", "n=3", "wrong-person", "blank"], "nobody has five"
    assert [result.images(name) for name in methods.names] == [4, 4, 4, 3, 2, 4, 4]
    assert result.people == ["ann", "ann", "bob", "eve"]
    assert math.isnan(result.psnr["n=2"][3])
    # A difference is taken on the targets that both were measured on.
    both = [a - b for a, b in zip(result.psnr["n=3"][:2], result.psnr["bicubic"][:2], strict=True)]
    assert result.interval("n=3", minus="bicubic").mean == pytest.approx(np.mean(both))


def test_controls_have_as_many_exemplars_as_every_target(pairs: list[EvalPair]) -> None:
    assert Methods(tiny_runtime(), pairs, counts=(0, 1, 2, 3)).control == 1, "eve has one"
    assert Methods(tiny_runtime(), pairs[:3], counts=(0, 1, 2, 3)).control == 2
    assert Methods(tiny_runtime(), pairs[:2], counts=(0, 1, 2, 3)).control == 3
    assert Methods(tiny_runtime(slots=1), pairs[:2], counts=(0, 1, 2, 3)).control == 1


def test_nobody_is_their_own_wrong_person(pairs: list[EvalPair]) -> None:
    alone = pairs[:2]
    methods = Methods(tiny_runtime(), alone)
    result = measure_methods(methods, alone)
    assert result.images("wrong-person") == 0
    assert math.isnan(result.interval("n=1", minus="wrong-person").mean)
    assert "wrong-person" not in [row.method for row in Report(result, alone, methods, TINY).rows()]
    # Part of a list borrows its strangers from the whole of it, who have exemplars enough.
    lent = Methods(tiny_runtime(), alone, counts=(0, 2), others=pairs)
    assert "wrong-person" in lent.restore(alone[0]).images


def test_blank_is_a_grey_photo_in_as_many_slots_as_the_controls_have(pairs: list[EvalPair]) -> None:
    runtime = tiny_runtime()
    restored = Methods(runtime, pairs[:2], counts=(0, 3), with_blank=True).restore(pairs[0])
    grey = runtime.encode(np.full((32, 32, 3), GREY / 255, np.float32))
    sr, _ = runtime.restore(to_unit(restored.lr), *fill_slots([grey] * 3, runtime.interface))
    assert np.array_equal(restored.images["blank"], np.rint(sr.clip(0, 1) * 255))
    assert not np.array_equal(restored.images["blank"], restored.images["n=0"])


def test_a_network_without_exemplars_is_a_row_of_its_own(pairs: list[EvalPair]) -> None:
    other = tiny_runtime(seed=1)
    methods = Methods(tiny_runtime(), pairs, no_exemplar_net=other)
    assert methods.names[:3] == ["bicubic", "no-exemplar-net", "n=0"]
    images = methods.restore(pairs[0]).images
    alone = Methods(other, pairs).restore(pairs[0]).images
    assert np.array_equal(images["no-exemplar-net"], alone["n=0"])
    assert not np.array_equal(images["no-exemplar-net"], images["n=0"])


def test_a_photo_of_another_size_is_named(pairs: list[EvalPair], tmp_path: Path) -> None:
    Image.new("RGB", (40, 32)).save(tmp_path / "wide.png")
    wide = dataclasses.replace(pairs[0], target=tmp_path / "wide.png")
    with pytest.raises(InputOutputError, match=r"wide\.png is 40x32, not 32x32"):
        Methods(tiny_runtime(), [wide]).restore(wide)


def test_equal_images_differ_by_nothing() -> None:
    result = Evaluation(["ann"], {"psnr": {"a": [math.inf], "b": [math.inf], "c": [math.nan]}})
    assert result.values("a", minus="b") == [0.0]
    assert result.images("c") == 0
    assert math.isnan(result.interval("c").mean)


@pytest.mark.parametrize(("exemplars", "gmacs"), [(0, 0.495), (1, None), (3, None)])
def test_cost_is_that_of_graphs_with_so_many_slots(exemplars: int, gmacs: float | None) -> None:
    cost = cost_with(HIME_SMALL_X4, exemplars)
    if exemplars:
        graphs = complexity(HIME_SMALL_X4.replace(slots=exemplars))
        assert (cost.macs_offline, cost.macs_online) == (exemplars * graphs.macs_encode, graphs.macs_restore)
    else:
        assert cost.macs_offline == 0
        assert cost.macs_online / 1e9 == pytest.approx(gmacs, abs=0.05)
    assert cost.parameters == 868_816


class MeanColour:
    """An embedder whose vector is known: the mean colour of the left half, or of what was located."""

    name = "mean colour"

    def __init__(self) -> None:
        self.located = self.embedded = 0

    def locate(self, truth: Pixels) -> tuple[np.ndarray, bool]:
        self.located += 1
        return np.array([truth.shape[1] / 2]), bool(truth.any())

    def embed(self, image: Pixels, frame: np.ndarray) -> np.ndarray:
        self.embedded += 1
        return image[:, : int(frame[0])].mean((0, 1)) + 1e-3


def test_several_measures_embed_each_image_of_a_target_once() -> None:
    """Verification asks for all methods' images again after the other measures: an embedding is most of the work."""
    truth, *images = (np.full((8, 8, 3), shade, np.uint8) for shade in range(100, 110))
    embedder = MeanColour()
    meter = IdentityMeter(embedder)
    first = [meter.compare(image, truth)["identity_distance"] for image in images]
    again = [float(np.linalg.norm(meter.vector(image, truth) - meter.vector(truth, truth))) for image in images]
    assert first == again
    assert embedder.embedded == 1 + len(images)


def test_identity_is_cosine_and_locates_on_the_original_once() -> None:
    meter = IdentityMeter(MeanColour())
    red, green, black = (np.full((8, 8, 3), c, np.uint8) for c in ((200, 0, 0), (0, 100, 0), (0, 0, 0)))
    assert meter.compare(red, red) == pytest.approx({"identity": 1, "identity_distance": 0}, abs=1e-6)
    other = meter.compare(green, red)
    assert other["identity"] == pytest.approx(0, abs=1e-3)
    assert other["identity_distance"] == pytest.approx(math.hypot(200, 100), rel=1e-3)
    assert (meter.embedder.located, meter.undetected) == (1, 0)  # type: ignore[attr-defined]
    meter.compare(red, black)
    meter.compare(green, black)
    assert (meter.embedder.located, meter.undetected) == (2, 1)  # type: ignore[attr-defined]


@pytest.fixture
def report(pairs: list[EvalPair]) -> Report:
    methods = Methods(tiny_runtime(), pairs[:3], counts=(0, 1, 2, 3), with_blank=True)
    meter = IdentityMeter(MeanColour())

    def measure(image: Pixels, truth: Pixels) -> dict[str, float]:
        return {"psnr": psnr(image, truth), "ssim": ssim(image, truth), **meter.compare(image, truth)}

    return Report(measure_methods(methods, pairs[:3], measure=measure), pairs[:3], methods, TINY)


def test_a_row_holds_every_metric_with_its_interval_and_cost(report: Report) -> None:
    rows = {row.method: row.to_dict() for row in report.rows()}
    assert list(rows) == ["bicubic", "n=0", "n=1", "n=2", "n=3", "wrong-person", "blank"]
    for row in rows.values():
        for metric in ("psnr", "ssim", "identity", "over_bicubic"):
            low, high = row[f"{metric}_95"]
            assert low <= row[metric] <= high
        assert (row["lpips"], row["lpips_95"]) == (None, None), "not asked for"
    assert (rows["n=3"]["images"], rows["n=3"]["people"]) == (2, 1)
    assert (rows["bicubic"]["parameters"], rows["bicubic"]["gmacs_online"]) == (0, 0)
    assert rows["n=1"]["gmacs_offline"] * 2 == pytest.approx(rows["n=2"]["gmacs_offline"])
    assert rows["wrong-person"]["gmacs_online"] == rows["n=2"]["gmacs_online"], "two exemplars for everybody"


def test_comparisons_are_first_minus_second(report: Report) -> None:
    rows = {(row.method, row.minus): row.to_dict() for row in report.comparisons()}
    assert list(rows) == [("n=2", "bicubic"), ("n=2", "wrong-person"), ("n=2", "blank"), ("n=2", "n=0")]
    by_method = {row.method: row.to_dict() for row in report.rows()}
    for minus in ("bicubic", "wrong-person"):
        gap = rows["n=2", minus]
        for metric in ("psnr", "ssim", "identity", "identity_distance"):
            assert gap[metric] == pytest.approx(by_method["n=2"][metric] - by_method[minus][metric])
            assert gap[f"{metric}_95"][0] <= gap[metric] <= gap[f"{metric}_95"][1]


def test_the_worst_gain_least_over_bicubic(report: Report) -> None:
    gains = [report.target(i).over_bicubic for i in report.worst(2)]
    assert gains == sorted(report.result.values("n=2", minus="bicubic"))[:2]


def test_the_csv_has_a_line_for_every_image_and_method(report: Report, tmp_path: Path) -> None:
    report.write_csv(tmp_path / "images.csv")
    with (tmp_path / "images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * 7 - 1, "bob has no n=3"
    assert list(rows[0]) == ["person", "target", "method", "psnr", "ssim", "identity", "identity_distance"]
    assert (rows[0]["person"], rows[0]["target"], rows[0]["method"]) == ("ann", "02.png", "bicubic")
    assert float(rows[0]["psnr"]) == pytest.approx(report.result.psnr["bicubic"][0], abs=1e-6)


def test_a_contact_sheet_shows_each_image_in_its_place() -> None:
    red, green = (np.full((2, 2, 3), c, np.uint8) for c in ((255, 0, 0), (0, 255, 0)))
    rows = [SheetRow("x", [(red, ""), (None, "")]), SheetRow("y", [(green, "")])]
    sheet = np.asarray(contact_sheet(("a", "b"), rows, 32))
    columns = np.flatnonzero((sheet == (255, 0, 0)).all(2).any(0))
    assert (columns.min(), columns.max()) == (8, 39)
    assert (sheet == (255, 0, 0)).all(2).sum() == (sheet == (0, 255, 0)).all(2).sum() == 32 * 32


def test_the_sheet_has_the_worst_first_and_each_target_once(report: Report) -> None:
    assert report.shown(0) == [0, 2], "one target of each person"
    assert report.shown(3) == report.worst(3)
    assert set(report.shown(1)) == {report.worst(1)[0], 0, 2}
    wide, two = report.sheet(0).size
    assert wide > 9 * 192, "exemplar, LR, seven methods, original"
    assert report.sheet(3).size[1] > two


def onnx_embedder(folder: Path, side: int, batch: int | str = 1) -> Path:
    """An ONNX file whose vector is the mean of each channel."""
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    image = make.make_tensor_value_info("face", onnx.TensorProto.FLOAT, [batch, 3, side, side])
    vector = make.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, [batch, 3, 1, 1])
    node = make.make_node("GlobalAveragePool", ["face"], ["vector"])
    model = make.make_model(make.make_graph([node], "mean", [image], [vector]), ir_version=10)
    model.opset_import[0].version = 17
    onnx.save(model, folder / "embedder.onnx")
    return folder / "embedder.onnx"


@pytest.mark.parametrize("batch", [1, "n"])
def test_an_onnx_embedder_sees_the_middle_of_the_crop_in_minus_one_to_one(batch: int | str, tmp_path: Path) -> None:
    embedder = OnnxEmbedder(onnx_embedder(tmp_path, 112, batch))
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:80, 20:80] = (255, 0, 51)
    frame, found = embedder.locate(image)
    assert found
    share = (60 / 76.5) ** 2  # of ArcFace's part of the crop
    wanted = [2 * share - 1, -1, 0.4 * share - 1]
    np.testing.assert_allclose(embedder.embed(image, frame), wanted, atol=0.01)


def test_a_file_that_is_no_embedder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"takes face \[1, 3, 128, 128\]"):
        OnnxEmbedder(onnx_embedder(tmp_path, 128))
    (tmp_path / "text.onnx").write_text("this is no network")
    with pytest.raises(InputOutputError, match="cannot load the embedder"):
        OnnxEmbedder(tmp_path / "text.onnx")
    with pytest.raises(InputOutputError, match="no embedder"):
        OnnxEmbedder(tmp_path / "nothing.onnx")


def test_dlib_tells_people_apart_where_it_is_installed() -> None:
    pytest.importorskip("dlib", reason="needs edgesr[identity]")
    meter = IdentityMeter(DlibEmbedder())
    first, second = sample_faces(128)[:2]
    same = meter.compare(first.exemplar, first.target)
    other = meter.compare(second.exemplar, first.target)
    assert meter.undetected == 0
    assert same["identity"] > 0.93 > other["identity"]
    assert same["identity_distance"] < 0.6 < other["identity_distance"]
    flat = np.full((128, 128, 3), GREY, np.uint8)
    meter.compare(flat, flat)
    assert meter.undetected == 1
