"""What a report counts and concludes: losses face by face, the verdict, the layers to blame."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY

from edgesr.data.layout import EvalPair
from edgesr.data.samples import sample_faces
from edgesr.evaluation.methods import Methods
from edgesr.images.imaging import write_image
from edgesr.models import load_checkpoint
from edgesr.report.measure import FigureCache, Figures, bicubic, measure_faces
from edgesr.report.rows import Convolutions, Latency, Losses, Parity, Row, broken, convolutions, loss_figures
from edgesr.report.subject import Limits, faces_of_pairs, faces_of_samples, spread
from edgesr.report.verdict import WHY_UNTIMED, decibel, verdict
from edgesr.runtime.torch import TorchRuntime

# Figures


class Counting:
    """Restores like bicubic and counts what it was asked for."""

    def __init__(self) -> None:
        self.faces = 0

    def __call__(self, face: Any) -> Any:
        self.faces += 1
        return bicubic(face)


def test_a_report_restores_the_lr_faces_that_eval_restores(tmp_path: Path, tiny_checkpoint: Path) -> None:
    runtime, sample = TorchRuntime(load_checkpoint(tiny_checkpoint).model), sample_faces(TINY.hr_size)[0]
    for name, photo in (("target", sample.target), ("other", sample.exemplar)):
        write_image(photo, tmp_path / f"{name}.png")
    pair = EvalPair("test/somebody", tmp_path / "target.png", (tmp_path / "other.png",))
    face = faces_of_pairs([pair], "test", runtime.interface, "phone-2")[0]
    assert face.label == "somebody/target.png"
    assert np.array_equal(face.lr, Methods(runtime, [pair], degradation="phone-2").target(pair)[1])


def test_an_interrupted_measurement_goes_on(tmp_path: Path) -> None:
    """Also past a line that was torn, and where the same name has other pixels."""
    faces = faces_of_samples(TINY.interface)
    first, second = Counting(), Counting()
    measured = measure_faces(lambda: first, faces[:4], FigureCache(tmp_path, "net"), None)
    with (tmp_path / "net.jsonl").open("a") as stream:
        stream.write('{"face": "torn')
    changed = dataclasses.replace(faces[0], truth=255 - faces[0].truth)
    again = measure_faces(lambda: second, [*faces[:5], changed], FigureCache(tmp_path, "net"), None)
    assert (first.faces, second.faces) == (4, 2)
    assert again[:4] == measured
    third = measure_faces(lambda: pytest.fail("opened"), [*faces[:5], changed], FigureCache(tmp_path, "net"), None)  # type: ignore[arg-type]
    assert third == again


def test_losses_are_float_minus_artifact_and_the_worst_is_named() -> None:
    faces = faces_of_samples(TINY.interface)[:3]
    wanted = [Figures(30.0, 0.9, 0.95), Figures(31.0, 0.9, 0.97), Figures(math.inf, 1.0, 1.0)]
    got = [Figures(29.5, 0.88, 0.94), Figures(31.1, 0.91, 0.97), Figures(math.inf, 1.0, 1.0)]
    lost = loss_figures(faces, got, wanted)
    assert lost.psnr_loss_max == pytest.approx(0.5)
    assert lost.worst[0].face == faces[0].label
    assert lost.worst[0].identity_loss == pytest.approx(0.01)
    assert lost.psnr_loss_mean == pytest.approx((0.5 - 0.1 + 0.0) / 3)
    assert lost.identity_loss == pytest.approx(0.01 / 3)


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"encode": {"int8": 8, "float": 1}, "restore": {"int8": 60, "float": 4}}, Convolutions(68, 73)),
        (17, Convolutions(17, None)),
        (None, Convolutions(0, None)),
    ],
)
def test_convolutions_are_summed_over_both_graphs(counted: Any, expected: Convolutions) -> None:
    assert convolutions({"int8_convs": counted}) == expected


def test_faces_are_spread_over_the_list() -> None:
    assert spread(list(range(100)), 3) == [0, 50, 99]
    assert spread([1, 2], 5) == [1, 2]


def row(target: str, precision: str, mean: float, worst: float, size: int, ms: float | None) -> Row:
    """A measured row of which the verdict sees these figures."""
    return Row(
        precision=precision,
        target=target,
        bundle="net",
        bundle_sha256="",
        checkpoint_sha256="",
        executed=ms is not None,
        faces_of=9,
        loss=Losses(
            faces=9, people=3, psnr=30.0, psnr_float=30.0, psnr_loss_mean=mean, psnr_loss_95=(mean, mean),
            psnr_loss_max=worst, psnr_loss_quantiles={}, ssim=0.9, ssim_loss=0.0, ssim_loss_max=0.0, identity=None,
            identity_loss=None, identity_loss_95=None, identity_loss_max=None, worst=(), loss_per_face=(),
        ),
        verified=None,
        verified_float=None,
        size_bytes=size,
        computes_in="fp32",
        lowering="rows",
        delegation=None,
        convolutions=Convolutions(0, None),
        parity=Parity(None, None, None),
        latency=None if ms is None else Latency(ms, ms, ms, 1.0, 1.0, 1.0, ms, 9.0, 1, 30),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([row("onnx", "fp32", 0, 0, 40, 30.0), row("onnx", "int8", 0.02, 0.2, 10, 12.0)], "int8"),
        ([row("onnx", "fp32", 0, 0, 40, 30.0), row("onnx", "int8", 0.06, 0.2, 10, 12.0)], "fp32"),
        ([row("onnx", "fp32", 0, 0, 40, 30.0), row("onnx", "int8", 0.02, 0.6, 10, 12.0)], "fp32"),
        ([row("onnx", "fp32", 0, 0, 40, 30.0), row("onnx", "int8", 0.02, 0.2, 10, 60.0)], "fp32"),
        ([row("onnx", "fp32", 0, 0, 40, 30.0), row("onnx", "fp16", 0, 0, 20, 30.5)], "fp16"),
        ([row("coreml", "fp32", 0, 0, 40, None), row("coreml", "fp16", 0, 0, 20, None)], "fp16"),
        ([row("coreml", p, 0.01, 0.1, size, None) for p, size in (("fp32", 40), ("fp16", 20), ("int8", 10))], "fp16"),
        ([row("coreml", "int8-ptq", 0.03, 0.2, 12, None), row("coreml", "int8", 0.02, 0.2, 10, None)], "int8"),
        ([row("onnx", "int8-ptq", 0.03, 0.2, 1000, 12.0), row("onnx", "int8", 0.02, 0.2, 1001, 12.1)], "int8"),
        ([row("onnx", "int8", 0.2, 2.0, 10, 12.0)], None),
    ],
    ids=[
        "faster",
        "mean too high",
        "worst too high",
        "slower",
        "as fast but smaller",
        "untimed",
        "untimed int8",
        "int8 alone",
        "loses less",
        "none",
    ],
)
def test_the_verdict_ships_the_fastest_within_the_limits(rows: list[Row], chosen: str | None) -> None:
    found = verdict(rows, Limits())
    assert [line.precision for line in found.lines] == [chosen]
    assert ("none" in found.headline) == (chosen is None)
    assert found.ships == (chosen is not None)
    assert [one.precision for one in found.lines[0].rejected] == [
        one.precision for one in rows if broken(one.loss, Limits())
    ]


def test_the_verdict_says_what_passes_untimed_and_why_it_is_not_chosen() -> None:
    sizes = (("fp32", 40), ("fp16", 20), ("int8-ptq", 10), ("int8", 10))
    rows = [row("coreml", p, 0.03 if p == "int8-ptq" else 0.01, 0.1, size, None) for p, size in sizes]
    found = verdict(rows, Limits())
    (line,) = found.lines
    assert [other.precision for other in line.passes] == ["int8"]
    assert "int8 passes, too: 0.010 dB lost on average" in line.text
    assert "25% of fp32" in line.text
    assert WHY_UNTIMED in line.text
    assert found.headline == "Ship fp16 on Core ML. On Core ML int8 passes and is untimed, so fp16 stays."
    timed = verdict([row("coreml", p, 0.01, 0.1, size, 9.0) for p, size in sizes], Limits())
    assert [line.passes for line in timed.lines] == [()]


def test_the_verdict_says_where_its_choice_fails_on_another_split() -> None:
    rows = [row("onnx", "int8", 0.02, 0.2, 10, 12.0)]
    others = {"london": [row("onnx", "int8", 0.08, 0.2, 10, None)], "val": [row("onnx", "int8", 0.01, 0.2, 10, None)]}
    (line,) = verdict(rows, Limits(), others).lines
    assert [other.split for other in line.elsewhere] == ["london"]
    assert "but on london: mean loss 0.080 dB" in line.text


def test_of_few_faces_the_verdict_calls_itself_a_first_look() -> None:
    rows = [row("onnx", "int8", 0, 0, 1, 1.0)]
    assert verdict(rows, Limits(), few=True).headline == "At a first look: ship int8 on ONNX."
    assert verdict(rows, Limits()).headline == "Ship int8 on ONNX."


def test_the_verdict_says_where_no_int8_was_measured() -> None:
    assert "No int8 network was measured" in verdict([row("onnx", "fp32", 0, 0, 1, 1.0)], Limits()).headline


def test_small_losses_keep_their_digits_and_zero_has_no_sign() -> None:
    assert [decibel(v) for v in (0.0214, 0.214, -0.0001, -0.02)] == ["0.021", "0.21", "0.000", "\N{MINUS SIGN}0.020"]


# Layers to blame


def test_the_layer_that_was_spoilt_is_blamed(tiny_checkpoint: Path) -> None:
    """One layer's step is made twenty times as coarse: sparing it must win back more than any other."""
    pytest.importorskip("torchao")
    import torch

    from edgesr.quantize.ptq import CalibrationFace, calibrate
    from edgesr.quantize.scheme import QParams
    from edgesr.report.layers import SparedNetwork, blame

    def tensor(image: Any) -> torch.Tensor:
        return torch.from_numpy(image.copy()).permute(2, 0, 1)

    checkpoint = load_checkpoint(tiny_checkpoint)
    samples = sample_faces(checkpoint.model.config.hr_size)[:2]
    calibration = [CalibrationFace(tensor(s.target), tensor(s.exemplar)[None]) for s in samples]
    quantization = calibrate(checkpoint, calibration)
    layer = "restore.reconstructor.up2"  # everything goes through it
    spoilt = f"{layer}:out"
    points = {**quantization.points, spoilt: QParams(quantization.points[spoilt].scale * 20)}
    network = SparedNetwork(checkpoint, dataclasses.replace(quantization, points=points))
    faces = faces_of_samples(checkpoint.model.interface)[:2]
    found = blame(network, faces, count=2)
    assert [found[face.key][0].layer for face in faces] == [layer, layer]
    assert all(found[face.key][0].gain_db > found[face.key][1].gain_db for face in faces)
