"""Sensitivity of layers, and the search for a recipe, on a tiny network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, MakePeople

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

from edgesr.data.faces import EvalPair
from edgesr.errors import UsageError
from edgesr.evaluation.metrics import psnr_unit
from edgesr.models import Checkpoint, load_checkpoint
from edgesr.quantize.graphs import quantized_runtime
from edgesr.quantize.ptq import calibrate, calibration_faces
from edgesr.quantize.recipe import EVERYTHING, policy_of
from edgesr.quantize.scheme import LayerSensitivity, Quantization
from edgesr.quantize.search import opponents, search
from edgesr.quantize.sensitivity import Bench, blocks, measure
from edgesr.runtime.base import fill_slots
from edgesr.runtime.torch import TorchRuntime

Measured = tuple[Checkpoint, Bench, list[LayerSensitivity]]


@pytest.fixture(scope="module")
def measured(tiny_checkpoint: Path, made_up: Path) -> Measured:
    source = load_checkpoint(tiny_checkpoint)
    faces = calibration_faces(made_up, None, TINY.hr_size, TINY.slots, 4)
    everything = calibrate(source, faces, recipe=EVERYTHING)
    photos = {p.name: sorted(p.iterdir()) for p in sorted(made_up.iterdir())}
    pairs = [EvalPair(name, found[0], tuple(found[1:])) for name, found in photos.items()]
    return source, Bench(source, everything, pairs), measure(source, everything, pairs)


def test_there_is_a_row_for_each_layer_and_block(measured: Measured) -> None:
    _, bench, rows = measured
    assert [row.layer for row in rows] == [*bench.names, *blocks(bench.names)]
    assert {row.kind for row in rows} == {"conv", "add", "block"}
    for row in rows:
        assert math.isfinite(row.only_loss_db)
        assert math.isfinite(row.spared_gain_db)
        assert row.activation_range[0] <= row.activation_range[1]
        assert (row.weight_range is not None) == (row.kind == "conv")
        assert math.isnan(row.sqnr_db) if row.kind == "block" else row.sqnr_db > 3
        assert (row.macs > 0) == (row.kind != "add")


def test_no_layer_in_int8_is_the_float_network(measured: Measured) -> None:
    source, bench, _ = measured
    bench.quantize(())
    runtime, face = TorchRuntime(source.model), bench.faces[0]
    photos = [photo[0].permute(1, 2, 0).numpy() for photo in face.exemplars]
    features, valid = fill_slots([runtime.encode(photo) for photo in photos], TINY.interface)
    wanted, _ = runtime.restore(face.lr[0].permute(1, 2, 0).numpy(), features, valid)
    assert np.abs(bench._restore(face) - wanted).max() < 1e-5
    assert bench.psnr(bench.names) != bench.psnr(())


def test_a_bench_with_a_recipe_is_the_network_quantized_by_it(measured: Measured) -> None:
    """Switched on in one graph, the policy's layers restore as a network does that was quantized by the policy."""
    source, bench, _ = measured
    layers = policy_of(TINY).quantized(bench.names)
    bench.quantize(layers)
    owned = {point.name: point.qparams for name in layers for point in bench.owned[name]}
    # What is an input where the layer before it is float is an output where that is int8.
    quantization = Quantization("ptq", policy_of(TINY), owned, "cubic", source.sha256)
    face = bench.faces[0]
    runtime = quantized_runtime(source, quantization=quantization)
    photos = [photo[0].permute(1, 2, 0).numpy() for photo in face.exemplars]
    features, valid = fill_slots([runtime.encode(photo) for photo in photos], TINY.interface)
    wanted, _ = runtime.restore(face.lr[0].permute(1, 2, 0).numpy(), features, valid)
    assert psnr_unit(bench._restore(face), wanted) > 45


def test_a_search_meets_the_drop_and_names_what_it_spares(measured: Measured) -> None:
    _, bench, rows = measured
    everything, policy, _ = opponents(bench)
    allowed = everything.psnr_loss / 2
    assert allowed > 0
    found = search(bench, rows, allowed)
    assert found.psnr_loss <= allowed
    found.recipe.check(bench.names)
    assert found.cost > everything.cost
    assert search(bench, rows, everything.psnr_loss + 1e-6).recipe.rules == ()
    assert policy.cost > everything.cost


def test_a_drop_that_cannot_be_met_is_an_error(measured: Measured) -> None:
    _, bench, rows = measured
    with pytest.raises(UsageError, match="no recipe found"):
        search(bench, rows, -1.0)


def test_scales_of_every_layer_are_needed(tiny_checkpoint: Path, make_people: MakePeople) -> None:
    folder = make_people({"ann": 2}, size=TINY.hr_size)
    source = load_checkpoint(tiny_checkpoint)
    policy = calibrate(source, calibration_faces(folder, None, TINY.hr_size, TINY.slots, 1))
    with pytest.raises(UsageError, match="there is no scale for"):
        Bench(source, policy, [])
