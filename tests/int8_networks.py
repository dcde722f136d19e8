"""A tiny quantized network for the tests of int8 artifacts: calibrated on the sample faces, with true feature steps."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, lively
from torch import nn
from torch.fx import GraphModule

from edgesr.convert.int8 import CONVOLUTIONS, count, int8_checks
from edgesr.convert.locate import first_departing_module
from edgesr.convert.parity import Case, Check, Expected, expected, measure_parity, real_cases
from edgesr.convert.target import Conversion
from edgesr.data.samples import sample_faces
from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.models import Checkpoint, save_checkpoint
from edgesr.models.checkpoint import load_checkpoint
from edgesr.quantize.graphs import GraphsRuntime, quantize_graphs
from edgesr.quantize.ptq import CalibrationFace, calibrate
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.base import Runtime, fill_slots
from edgesr.training.feature_scales import measure_feature_scales

Convert = Callable[[Graphs, Path], Conversion]
Open = Callable[[Path, Conversion], Runtime]

METADATA: dict[str, str | int] = {"edgesr_scale": 4, "edgesr_feature_space": "tiny-0123"}


def faces() -> list[CalibrationFace]:
    """Sample faces, every third without an exemplar."""
    found = [[_chw(face.target), _chw(face.exemplar)[None]] for face in sample_faces(TINY.hr_size)]
    return [CalibrationFace(target, photos[: i % 3 != 0]) for i, (target, photos) in enumerate(found)]


@functools.cache
def network() -> tuple[Checkpoint, Quantization]:
    """The float network and its scales."""
    import tempfile

    model, photos = lively(TINY), torch.stack([face.target for face in faces()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny"
        save_checkpoint(path, "tiny", model, training={}, feature_scales=measure_feature_scales(model, photos))
        checkpoint = load_checkpoint(path)
    return checkpoint, calibrate(checkpoint, faces())


@functools.cache
def quantized(lowering: str) -> Graphs:
    """Its graphs in int8; not to be changed."""
    checkpoint, quantization = network()
    graphs = dataclasses.replace(deployed_graphs(checkpoint.model, lowering), metadata=METADATA)
    return quantize_graphs(graphs, quantization)


@functools.cache
def truth(lowering: str) -> tuple[list[Case], list[Expected]]:
    """Real faces, and what the quantized graphs make of them in PyTorch."""
    cases = real_cases(TINY.interface)[:4]
    return cases, expected(GraphsRuntime(quantized(lowering)), cases)


def failures(runtime: Runtime, lowering: str) -> list[Check]:
    """What of the parity gate an artifact fails."""
    cases, correct = truth(lowering)
    return [check for check in measure_parity(runtime, cases, correct, "int8").checks if not check.ok]


def assert_every_int8_convolution_keeps_its_steps(conversion: Conversion, lowering: str) -> None:
    """Counted and compared in the saved file: CoFA's two and its sum are float, nothing is in the encoder."""
    graphs = quantized(lowering)
    checks = int8_checks(conversion.convolutions, graphs)
    assert len(checks) == 4
    assert all(check.ok for check in checks)
    assert count(conversion.convolutions, graphs) == {
        "encode": {"int8": 5, "float": 0, "expected": 5},
        "restore": {"int8": 14, "float": 3, "expected": 14},
    }


def with_wrong_step(graphs: Graphs, node: str = "relu", factor: float = 1.3) -> Graphs:
    """The graphs with the step of what the restorer's ``node`` gives multiplied, on either side of the storage."""
    return _with_restore(graphs, lambda module: _scale(module, node, factor))


def with_other_weights(graphs: Graphs, layer: str) -> Graphs:
    """The graphs with the output channels of one of the restorer's int8 convolutions in reverse order."""

    def change(module: GraphModule) -> None:
        conv = next(
            node
            for node in module.graph.nodes
            if node.target in CONVOLUTIONS and list(node.meta["nn_module_stack"].values())[-1][0] == layer
        )
        path = str(conv.args[1].args[0].target)
        owner = module.get_submodule(path.rpartition(".")[0])
        setattr(owner, path.rpartition(".")[2], torch.nn.Buffer(module.get_buffer(path).flip(0)))

    return _with_restore(graphs, change)


def found_by_prefixes(layer: str, lowering: str, convert: Convert, open_artifact: Open) -> str:
    """What the search says of a layer of the restorer whose weights are other ones in what is converted: nothing but
    the converted prefixes is looked at."""
    correct = quantized(lowering)
    case, features = truth(lowering)[0][1], truth(lowering)[1][1].features
    stored, valid = fill_slots(features, correct.interface)
    return first_departing_module(
        with_other_weights(correct, layer),
        correct,
        "restore",
        {"lr": case.lr, "features": stored, "valid": valid},
        "int8",
        convert=convert,
        open_artifact=open_artifact,
        report=lambda stage: None,
    )


def with_float_layer(graphs: Graphs) -> Graphs:
    """The graphs with the restorer's first int8 convolution computed from floats."""
    return _with_restore(graphs, _unquantize_first)


def _with_restore(graphs: Graphs, change) -> Graphs:  # type: ignore[no-untyped-def]
    module = copy.deepcopy(graphs.restore)
    assert isinstance(module, GraphModule)
    change(module)
    module.graph.eliminate_dead_code()
    module.recompile()
    return dataclasses.replace(graphs, restore=module)


def _scale(module: GraphModule, name: str, factor: float) -> None:
    given = next(node for node in module.graph.nodes if node.name == name)
    (quantize,) = given.users
    for node in (quantize, *quantize.users):
        node.args = (node.args[0], node.args[1] * factor, *node.args[2:])


def _unquantize_first(module: GraphModule) -> None:
    conv = next(node for node in module.graph.nodes if node.target in CONVOLUTIONS)
    dequantize = conv.args[1]
    levels, scales = (getattr(module, str(argument.target)) for argument in dequantize.args[:2])
    module.register_parameter("restored_weight", nn.Parameter(levels.float() * scales.reshape(-1, 1, 1, 1), False))
    with module.graph.inserting_before(dequantize):
        weight = module.graph.get_attr("restored_weight")
    weight.meta = dict(dequantize.meta)
    conv.replace_input_with(dequantize, weight)


def _chw(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).clone()


CAUGHT_BY_NAME = (
    pytest.param(with_wrong_step, "restore: int8 step of lr_extractor.", id="a step by 1.3"),
    pytest.param(with_float_layer, "restore: convolutions in int8", id="a layer in float"),
)
"""Damages of the graphs that a conversion is made of, and what the file is caught by, as its check's name begins."""


def names(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks]
