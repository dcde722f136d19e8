"""Exporters that do their work once write what they did before, and where a library has changed they work as before."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx.traceback import NodeSource

from edgesr.convert.fx_graphs import code_when_asked, computed_once, traced_when_changed
from edgesr.convert.repeated_work import (
    SELDOM,
    read_torchlib_once,
    seldom_collected,
    share_provenance,
    without_validation,
)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3), nn.Tanh()).eval()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What PyTorch asks for torchlib, and nothing is changed yet, whatever ran before in this process."""
    pytest.importorskip("onnxscript")
    from torch.onnx._internal.exporter import _registration

    asked = _registration.onnxscript_apis
    found = asked.get_torchlib_ops
    monkeypatch.setattr(asked, "get_torchlib_ops", getattr(found, "__wrapped__", found))
    changed = vars(NodeSource).get("__deepcopy__")
    if changed is not None:
        del NodeSource.__deepcopy__
    yield asked
    if changed is not None:
        NodeSource.__deepcopy__ = changed


def executorch(network: nn.Module, folder: Path) -> object:  # noqa: ARG001 (as the others)
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(network, (torch.zeros(1, 3, 8, 8),))
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)


def onnx(network: nn.Module, folder: Path) -> object:  # noqa: ARG001 (as the others)
    file = io.BytesIO()
    program = torch.onnx.export(network, (torch.zeros(1, 3, 8, 8),), dynamo=True, verbose=False)
    assert program is not None
    for element in program.model.graph:
        element.metadata_props.clear()  # they hold the provenance, which our conversions leave out
    program.save(file)
    return file.getvalue()


def coreml(network: nn.Module, folder: Path) -> object:
    """Its operations and its weights; some names in the file are drawn anew each time."""
    import coremltools

    program = torch.export.export(network, (torch.zeros(1, 3, 8, 8),)).run_decompositions({})
    model = coremltools.convert(program, skip_model_load=True, minimum_deployment_target=coremltools.target.iOS18)
    model.save(str(folder / "a.mlpackage"))
    (weights,) = (folder / "a.mlpackage").rglob("weight.bin")
    operations = [(op.op_type, [out.shape for out in op.outputs]) for op in model._mil_program["main"].operations]
    return operations, weights.read_bytes()


@pytest.mark.parametrize(
    ("needs", "export"), [("executorch", executorch), ("onnxscript", onnx), ("coremltools", coreml)]
)
def test_what_is_written_is_the_same(
    needs: str,
    export: Callable[[nn.Module, Path], object],
    network: nn.Module,
    library: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(needs)
    calls = {"parsed": 0, "copied": 0}

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            calls[name] += 1
            return function(*arguments)

        return called

    before = export(network, tmp_path)
    monkeypatch.setattr(library, "get_torchlib_ops", counted("parsed", library.get_torchlib_ops))
    share_provenance()
    read_torchlib_once()
    monkeypatch.setattr(NodeSource, "__deepcopy__", counted("copied", NodeSource.__deepcopy__))
    with without_validation(), code_when_asked(), traced_when_changed(), computed_once():
        assert [export(network, tmp_path), export(network, tmp_path)] == [before, before]
    assert calls["copied"] > 0, "PyTorch would have copied them"
    assert calls["parsed"] == (1 if export is onnx else 0), "once for two graphs"


def test_a_library_without_these_names_is_left_alone(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("coremltools")
    from coremltools.converters.mil.mil.program import Program

    monkeypatch.delattr(library, "get_torchlib_ops")
    monkeypatch.delattr("torch.fx.traceback.NodeSource")
    monkeypatch.delattr(Program, "validate")
    share_provenance()
    read_torchlib_once()
    with without_validation():
        assert not hasattr(Program, "validate")


def test_programs_are_validated_again_afterwards_and_by_others_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("coremltools")
    from coremltools.converters.mil.mil.block import Block
    from coremltools.converters.mil.mil.program import Program

    validated: list[str] = []
    monkeypatch.setattr(Program, "functions", {"main": Block}, raising=False)
    monkeypatch.setattr(Block, "validate", lambda *_, **__: validated.append(threading.current_thread().name))
    program = Program.__new__(Program)
    with without_validation():
        with without_validation():
            program.validate()
        program.validate()
        other = threading.Thread(target=program.validate, name="other")
        other.start()
        other.join()
    program.validate()
    assert validated == ["other", threading.current_thread().name]


def counted_compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Threads in which a graph's code was compiled, as it happens."""
    compiled: list[str] = []
    compile_source = torch.fx.graph_module._forward_from_src

    def noted(*arguments: Any) -> Any:
        compiled.append(threading.current_thread().name)
        return compile_source(*arguments)

    monkeypatch.setattr("torch.fx.graph_module._forward_from_src", noted)
    return compiled


def test_a_graph_has_its_code_as_soon_as_anybody_asks(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(1, 3, 8, 8)
    wanted, code = network(image), torch.fx.symbolic_trace(network).code
    asks: dict[str, Callable[[torch.fx.GraphModule], object]] = {
        "called": lambda graph: torch.equal(graph(image), wanted),
        "forward": lambda graph: torch.equal(graph.forward(image), wanted),
        "of its class": lambda graph: torch.equal(type(graph).forward(graph, image), wanted),
        "read": lambda graph: graph.code == code,
        "printed": lambda graph: code.strip() in str(graph),
        "returned": lambda graph: graph.recompile().src == code,
        "copied": lambda graph: torch.equal(copy.deepcopy(graph)(image), wanted),
        "pickled": lambda graph: torch.equal(pickle.loads(pickle.dumps(graph))(image), wanted),
    }
    compiled = counted_compilations(monkeypatch)
    for name, ask in asks.items():
        with code_when_asked():
            graph = torch.fx.symbolic_trace(network)
            graph.recompile()
            assert not compiled, name
            assert ask(graph), name
        assert compiled, name
        assert torch.equal(graph(image), wanted), "after it, too"
        compiled.clear()


def test_a_changed_graph_computes_what_it_is_now(network: nn.Module) -> None:
    image = torch.rand(1, 3, 8, 8)
    with code_when_asked():
        graph = torch.fx.symbolic_trace(network)
        (output,) = graph.graph.find_nodes(op="output")
        assert torch.equal(graph(image), network(image))
        with graph.graph.inserting_before(output):
            output.args = (graph.graph.call_function(torch.neg, (output.args[0],)),)
        graph.recompile()
        assert torch.equal(graph(image), -network(image))
    graph.recompile()
    assert torch.equal(graph(image), -network(image))


def test_other_threads_and_later_graphs_are_compiled_at_once(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = counted_compilations(monkeypatch)
    with code_when_asked():
        other = threading.Thread(target=torch.fx.symbolic_trace, args=(network,), name="other")
        other.start()
        other.join()
    assert set(compiled) == {"other"}
    compiled.clear()
    torch.fx.symbolic_trace(network)
    assert compiled


def test_a_pass_traces_what_another_has_changed_and_keeps_what_none_has(network: nn.Module) -> None:
    pytest.importorskip("executorch")
    from executorch.exir import to_edge
    from executorch.exir.pass_base import ExportPass
    from torch.fx.passes.infra.pass_base import PassResult

    class Looks(ExportPass):
        """Finds nothing."""

    class Renames(ExportPass):
        def call(self, graph_module: torch.fx.GraphModule) -> PassResult:
            (node, *_) = [node for node in graph_module.graph.nodes if node.op == "call_function"]
            node.name = "another"
            return super().call(graph_module)

    class Writes(ExportPass):
        """Comes by every node, whatever has changed."""

        def call_operator(self, *arguments: Any, **options: Any) -> Any:
            return super().call_operator(*arguments, **options)

    graph = to_edge(torch.export.export(network, (torch.zeros(1, 3, 8, 8),))).exported_program().graph_module
    with traced_when_changed():
        first = Looks()(graph).graph_module
        assert first is not graph, "not traced by a pass yet"
        assert Looks()(first).graph_module is first
        assert Writes()(first).graph_module is not first
        assert Renames()(first).graph_module is not first
        other: list[torch.fx.GraphModule] = []
        thread = threading.Thread(target=lambda: other.append(Looks()(first).graph_module))
        thread.start()
        thread.join()
        assert other[0] is not first
    assert Looks()(first).graph_module is not first


def test_operators_are_computed_once_for_the_same_values(network: nn.Module) -> None:
    pytest.importorskip("executorch")
    from executorch.exir import to_edge
    from executorch.exir.pass_base import ExportPass

    class Writes(ExportPass):
        """Comes by every node, and changes relu."""

        def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
            if op._op is torch.ops.aten.relu.default:
                args = (super().call_operator(op, args, kwargs, meta),)
            return super().call_operator(op, args, kwargs, meta)

    def values(graph: torch.fx.GraphModule) -> list[Any]:
        return [node.meta["val"] for node in graph.graph.nodes if node.op == "call_function"]

    def shapes(graph: torch.fx.GraphModule) -> list[Any]:
        return [
            (node.name, str(node.target), node.meta["val"].shape) for node in graph.graph.nodes if node.op != "output"
        ]

    edge = to_edge(torch.export.export(network, (torch.zeros(1, 3, 8, 8),))).exported_program().graph_module
    usual = Writes()(Writes()(edge).graph_module).graph_module
    with computed_once():
        first = Writes()(edge).graph_module
        second = Writes()(first).graph_module
        again = Writes()(first).graph_module
        assert shapes(second) == shapes(usual)
        assert [one is other for one, other in zip(values(second), values(again), strict=True)].count(False) == 0
        shared = {id(one) for one in values(first)} & {id(one) for one in values(second)}
        assert 0 < len(shared) < len(values(second)), "until the first that has changed"
        assert len({id(one) for one in values(second)}) == len(values(second)), "a value each"
        other: list[torch.fx.GraphModule] = []
        thread = threading.Thread(target=lambda: other.append(Writes()(first).graph_module))
        thread.start()
        thread.join()
        assert all(one is not old for one, old in zip(values(other[0]), values(second), strict=True))
    assert all(one is not old for one, old in zip(values(Writes()(first).graph_module), values(second), strict=True))


def test_the_collector_is_as_it_was_once_the_last_conversion_ends() -> None:
    before = gc.get_threshold()
    try:
        for own, during in (((700, 10, 10), SELDOM), ((0, 10, 10), (0, 10, 10)), ((10**6, 10, 10), (10**6, 10, 10))):
            gc.set_threshold(*own)
            first, second = seldom_collected(), seldom_collected()
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)
            assert gc.get_threshold() == during
            second.__exit__(ValueError, ValueError("fails"), None)
            assert gc.get_threshold() == own
    finally:
        gc.set_threshold(*before)
