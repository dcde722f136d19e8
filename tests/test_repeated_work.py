"""Exporters that do their work once make what they made before, to the byte."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn
from torch.fx.traceback import NodeSource

from edgesr.convert.repeated_work import read_torchlib_once, share_provenance, without_validation


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3), nn.Tanh()).eval()


@pytest.fixture
def _as_the_library_does(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is changed yet, whatever ran before in this process."""
    from torch.onnx._internal.exporter import _registration

    library = _registration.onnxscript_apis
    found = library.get_torchlib_ops
    monkeypatch.setattr(library, "get_torchlib_ops", getattr(found, "__wrapped__", found))
    changed = vars(NodeSource).get("__deepcopy__")
    if changed is not None:
        del NodeSource.__deepcopy__
    yield
    if changed is not None:
        NodeSource.__deepcopy__ = changed


def executorch(network: nn.Module) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(network, (torch.zeros(1, 3, 8, 8),))
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)


def onnx(network: nn.Module) -> bytes:
    file = io.BytesIO()
    program = torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), dynamo=True, verbose=False)
    assert program is not None
    for element in program.model.graph:
        element.metadata_props.clear()  # they hold the provenance, which our conversions leave out
    program.save(file)
    return file.getvalue()


@pytest.mark.usefixtures("_as_the_library_does")
@pytest.mark.parametrize(("library", "export"), [("executorch", executorch), ("onnxscript", onnx)])
def test_what_is_made_is_the_same(library: str, export: Callable[[nn.Module], bytes], network: nn.Module) -> None:
    pytest.importorskip(library)
    before = export(network)
    share_provenance()
    read_torchlib_once()
    assert [export(network), export(network)] == [before, before]
    assert "__deepcopy__" in vars(NodeSource), "PyTorch still has it under this name"


@pytest.mark.usefixtures("_as_the_library_does")
def test_torchlib_is_read_once() -> None:
    pytest.importorskip("onnxscript")
    from torch.onnx._internal.exporter import _registration

    read_torchlib_once()
    read_torchlib_once()
    library = _registration.onnxscript_apis
    assert library.get_torchlib_ops() is library.get_torchlib_ops()
    assert not hasattr(library.get_torchlib_ops.__wrapped__, "cache_info"), "not one cache in another"


def test_programs_are_validated_again_afterwards_and_by_others_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("coremltools")
    from coremltools.converters.mil.mil.block import Block
    from coremltools.converters.mil.mil.program import Program

    validated: list[str] = []
    monkeypatch.setattr(Program, "functions", {"main": Block}, raising=False)
    monkeypatch.setattr(Block, "validate", lambda *_, **__: validated.append(threading.current_thread().name))
    program = Program.__new__(Program)
    with without_validation():
        program.validate()
        other = threading.Thread(target=program.validate, name="other")
        other.start()
        other.join()
    program.validate()
    assert validated == ["other", threading.current_thread().name]
