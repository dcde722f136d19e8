"""ExecuTorch: one ``.pte`` with both methods computes what the graphs compute."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, lively

from edgesr.convert.executorch.conversion import convert
from edgesr.convert.executorch.nodes import graph_nodes
from edgesr.convert.target import Conversion
from edgesr.deployment.graphs import GraphName, Graphs, deployed_graphs
from edgesr.errors import BundleError
from edgesr.layers.lowerings import LOWERINGS
from edgesr.runtime.engines import open_engine
from edgesr.runtime.executorch import ExecuTorchRuntime
from edgesr.runtime.torch import TorchRuntime

pytest.importorskip("executorch")

METADATA: dict[str, str | int] = {"edgesr_scale": 4, "edgesr_feature_space": "tiny-0123"}
Converted = tuple[Graphs, Conversion, Path]


def converted(lowering: str, folder: Path) -> Converted:
    graphs = dataclasses.replace(deployed_graphs(lively(TINY), lowering), metadata=METADATA)
    stages: list[str] = []
    conversion = convert(graphs, "fp32", folder, stages.append)
    assert stages
    return graphs, conversion, folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return converted("rows", tmp_path_factory.mktemp("executorch"))


def opened(artifact: Converted, threads: int | None = 1) -> ExecuTorchRuntime:
    graphs, conversion, folder = artifact
    return ExecuTorchRuntime(folder, conversion.files, graphs.interface, conversion.tensors, threads)


def assert_equal_to_graphs(artifact: Converted) -> None:
    graphs, runtime = artifact[0], opened(artifact)
    names: tuple[GraphName, ...] = ("encode", "restore")
    for name in names:
        arrays = graphs.inputs(name)
        wanted = getattr(graphs, name)(*arrays)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        got = runtime.run(name, [array.numpy() for array in arrays])
        for mine, correct in zip(got, wanted, strict=True):
            np.testing.assert_allclose(mine, correct.numpy(), atol=1e-4)


def test_rows_equal_the_graphs(rows: Converted) -> None:
    assert_equal_to_graphs(rows)


@pytest.mark.slow
@pytest.mark.parametrize("lowering", [name for name in LOWERINGS if name != "rows"])
def test_other_lowerings_equal_the_graphs(lowering: str, tmp_path: Path) -> None:
    assert_equal_to_graphs(converted(lowering, tmp_path))


@pytest.mark.parametrize("valid", [(1, 1), (0, 1), (0, 0)])
def test_runtime_is_the_network(rows: Converted, valid: tuple[int, ...]) -> None:
    """Through the one interface of all runtimes, in canonical layout."""
    runtime, reference = opened(rows), TorchRuntime(lively(TINY))
    generator = np.random.default_rng(0)
    photos = generator.random((2, TINY.hr_size, TINY.hr_size, 3), np.float32)
    lr = generator.random((TINY.lr_size, TINY.lr_size, 3), np.float32)
    features = np.stack([runtime.encode(photo) for photo in photos])
    np.testing.assert_allclose(features, np.stack([reference.encode(photo) for photo in photos]), atol=1e-4)
    mask = np.array(valid, np.float32)
    for got, wanted in zip(runtime.restore(lr, features, mask), reference.restore(lr, features, mask), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_runtime_outlives_its_conversion(rows: Converted) -> None:
    """Results are the caller's: a later run does not write into them."""
    runtime, (lr, features, valid) = opened(rows), rows[0].inputs("restore")
    first = runtime.run("restore", [lr.numpy(), features.numpy(), valid.numpy()])
    kept = [array.copy() for array in first]
    runtime.run("restore", [1 - lr.numpy(), features.numpy(), valid.numpy()])
    for array, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_delegation_is_reported(rows: Converted) -> None:
    delegation = rows[1].delegation
    assert delegation is not None
    assert delegation["encode"]["fraction"] == 1.0
    assert delegation["encode"]["remaining"] == {}
    restore = delegation["restore"]
    assert 0.8 < restore["fraction"] < 1.0
    assert restore["remaining"]["embedding"] == 4
    assert restore["operators"] - restore["delegated"] == sum(restore["remaining"].values())


def test_where_operators_run_is_read_from_the_file(rows: Converted) -> None:
    """What the file calls kernels for is what the lowered graph had left, but views, which need no call in a file."""
    (encode,), (restore,) = rows[1].residency["encode"], rows[1].residency["restore"]
    assert encode.whole
    assert encode.partitions == 1
    delegation = rows[1].delegation
    assert delegation is not None
    remaining = delegation["restore"]["remaining"]
    assert restore.left.items() <= remaining.items()
    assert remaining.keys() - restore.left.keys() <= {"view_copy"}
    assert restore.partitions == delegation["restore"]["subgraphs"]


def test_the_graph_is_whole_and_keeps_its_order(rows: Converted) -> None:
    """Every operator that residency counts is a node, and reads none that comes behind it."""
    for graph, nodes in graph_nodes(rows[2], rows[1].files).items():
        (counted,) = rows[1].residency[graph]
        assert len(nodes) == counted.of
        assert sum(node.backend == "XNNPACK" for node in nodes) == counted.nodes
        assert all(source < place for place, node in enumerate(nodes) for source in node.reads)
        assert len({(node.within, node.key) for node in nodes}) == len(nodes)
        assert sum(bool(node.reads) for node in nodes) > 0.8 * len(nodes)


def test_metadata_is_in_the_file(rows: Converted) -> None:
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(rows[2] / "model.pte")
    assert program.method_names == {"encode", "restore", *METADATA}
    found = {name: program.load_method(name).execute(())[0] for name in METADATA}
    assert found == METADATA


def test_file_holds_no_path_of_this_machine(rows: Converted) -> None:
    content = (rows[2] / "model.pte").read_bytes()
    assert str(Path(__file__).parent.parent).encode() not in content
    assert b".py" not in content


def test_conversion_and_runtime_are_silent(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    artifact = converted("rows", tmp_path)
    opened(artifact).run("encode", [tensor.numpy() for tensor in artifact[0].inputs("encode")])
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_a_program_is_run_without_the_exporter(rows: Converted) -> None:
    """Its import takes 7 s of CPU, and somebody who restores a face waits for it."""
    graphs, conversion, folder = rows
    (folder / "told.pkl").write_bytes(pickle.dumps((folder, conversion.files, graphs.interface, conversion.tensors)))
    run = """
import pickle, sys
from pathlib import Path
from edgesr.runtime.executorch import ExecuTorchRuntime
ExecuTorchRuntime(*pickle.loads(Path(sys.argv[1]).read_bytes()), 1)
print("executorch.exir" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", run, folder / "told.pkl"], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("False\n", "")


def test_threads_are_set(rows: Converted) -> None:
    from executorch.extension.pybindings import portable_lib

    for threads in (2, 1):
        opened(rows, threads)
        assert portable_lib._threadpool_get_thread_count() == threads


@pytest.mark.parametrize("content", [b"", b"not a program", None], ids=["empty", "foreign", "truncated"])
def test_damaged_program_is_refused(rows: Converted, tmp_path: Path, content: bytes | None) -> None:
    graphs, conversion, folder = rows
    whole = (folder / "model.pte").read_bytes()
    (tmp_path / "model.pte").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(BundleError, match="executorch cannot load"):
        open_engine("executorch", tmp_path, conversion.files, graphs.interface, conversion.tensors)


def test_inputs_of_another_size_are_refused(rows: Converted) -> None:
    with pytest.raises(ValueError, match="exemplar has shape"):
        opened(rows).encode(torch.rand(16, 16, 3).numpy())
