"""Snapdragon NPU: what is compiled is whole on the NPU, computes what PyTorch computes, and is for the chip it says."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Call, Once

from edgesr.bundle import MANIFEST, hashes
from edgesr.convert.child import run_child
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.qnn.compiler import ResidencyError, compile_graphs
from edgesr.convert.qnn.conversion import context_checks
from edgesr.convert.qnn.graph_form import write_out_sigmoids
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.errors import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, UnavailableError
from edgesr.runtime.snapdragon import CHIPS

onnx = pytest.importorskip("onnx")

CHOSEN = ("sm8650", "sm8750")


@pytest.fixture(scope="module")
def bundle(tiny_checkpoint: Path, once: Once) -> Path:
    """The tiny network for both chips; not to be changed."""
    return once("tiny-qnn", lambda folder: convert(plan("qnn", checkpoint=tiny_checkpoint, output=folder)))


def tampered(bundle: Path, folder: Path, change: Callable[[Path], object]) -> Path:
    """A copy with something changed and the hashes redone, as whoever tampers would."""
    copy = Path(shutil.copytree(bundle, folder / "bundle"))
    change(copy)
    manifest = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(manifest | {"sha256": hashes(copy)}))
    return copy


@pytest.mark.qnn
def test_it_is_compiled_for_both_chips_whole_and_says_so(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    assert list(manifest["npu"]) == list(CHOSEN)
    for chip, said in manifest["npu"].items():
        assert (said["soc_model"], said["architecture"]) == (CHIPS[chip].soc_model, f"v{CHIPS[chip].htp}")
        assert said["nodes_on_npu"] == said["nodes"]
        assert min(said["nodes"].values()) > 10
        place = bundle / "contexts" / chip
        sizes = {graph: (place / f"{graph}_qnn.bin").stat().st_size for graph in ("encode", "restore")}
        assert said["context_bytes"] == sizes
        assert said["qairt"].startswith("v2.")
        assert said["psnr_db"] > 55
    assert {graph: said["remaining"] for graph, said in manifest["delegation"].items()} == {"encode": {}, "restore": {}}
    assert manifest["arithmetic"] == {"everything": "fp16"}
    assert manifest["parity"]["evaluated_with"] == "QNN's emulator of sm8650"


@pytest.mark.qnn
def test_verify_runs_every_chips_contexts(bundle: Path, tiny_checkpoint: Path) -> None:
    found = verify(bundle, tiny_checkpoint)
    assert found.failed == ()
    assert found.ok
    names = {check.name for check in found.checks}
    assert {"sm8650: restore is on the NPU whole", "sm8750: golden sr: PSNR dB", "manifest: npu of sm8750"} <= names
    assert any("emulator" in note for note in found.notes)


@pytest.mark.qnn
def test_info_knows_it(bundle: Path, call: Call) -> None:
    code, said, _ = call("info", bundle)
    assert (code, said["target"], list(said["npu"])) == (EXIT_OK, "qnn", list(CHOSEN))
    assert {"parameters", "gmacs_restore", "lr_size", "slots", "checkpoint_sha256"} <= said.keys()
    assert call("info", bundle, "--slots", "3")[0] == EXIT_USAGE


def swap_chips(copy: Path) -> None:
    for name in ("restore_qnn.bin", "encode_qnn.bin"):
        shutil.copy(copy / "contexts" / "sm8750" / name, copy / "contexts" / "sm8650" / name)


def age(copy: Path) -> None:
    """Contexts that another QAIRT signed."""
    for file in copy.glob("contexts/*/*.bin"):
        build = json.loads((copy / MANIFEST).read_text())["toolchain"]["qairt"].encode()
        file.write_bytes(file.read_bytes().replace(build, b"v2.39" + build[5:]))


@pytest.mark.qnn
@pytest.mark.parametrize(
    ("change", "says"),
    [(swap_chips, "is compiled for sm8750 and lies with those for sm8650"), (age, "is compiled by QAIRT v2.39")],
)
def test_a_context_of_another_chip_or_compiler_is_refused_in_a_sentence(
    change: Callable[[Path], None], says: str, bundle: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnavailableError) as caught:
        verify(tampered(bundle, tmp_path, change), tiny_checkpoint)
    assert says in caught.value.what
    assert "convert again" in caught.value.hint
    assert caught.value.exit_code == EXIT_UNAVAILABLE


def blank(copy: Path) -> None:
    """A context whose beginning is nothing, as long as it was: the manifest's sizes would tell else."""
    file = copy / "contexts" / "sm8650" / "restore_qnn.bin"
    content = file.read_bytes()
    file.write_bytes(bytes(4096) + content[4096:])


@pytest.mark.qnn
def test_a_damaged_context_is_a_failed_check(bundle: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    found = verify(tampered(bundle, tmp_path, blank), tiny_checkpoint)
    assert "model file: its runtime takes it" in found.failed


@pytest.mark.qnn
def test_a_node_beside_a_context_is_seen(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle / "contexts", tmp_path / "contexts")).parent
    file = copy / "contexts" / "sm8650" / "restore.onnx"
    said = json.loads((bundle / MANIFEST).read_text())["npu"]["sm8650"]
    assert all(check.ok for check in context_checks(copy, "sm8650", said))
    model = onnx.load(file, load_external_data=False)
    model.graph.node.append(onnx.helper.make_node("Relu", ["lr"], ["beside"]))
    onnx.save(model, file)
    failed = [check.name for check in context_checks(copy, "sm8650", said) if not check.ok]
    assert failed == ["sm8650: restore is on the NPU whole"]


def small(path: Path, operator: str) -> Path:
    """A graph with one operator between two that the NPU has."""
    nodes = [("Relu", "x", "a", "first"), (operator, "a", "b", "odd"), ("Relu", "b", "y", "last")]
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4, 8, 8]) for name in "xy")
    made = [onnx.helper.make_node(kind, [into], [out], name) for kind, into, out, name in nodes]
    graph = onnx.helper.make_graph(made, "small", [x], [y])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.qnn
def test_a_node_that_would_run_on_the_cpu_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(ResidencyError, match="1 of 3 nodes of odd do not run on the NPU of sm8750: Erf odd"):
        compile_graphs([small(tmp_path / "odd.onnx", "Erf")], tmp_path / "to", "sm8750", said.append)
    assert said == ["compiling odd for sm8750"]
    assert not (tmp_path / "to").exists()


def test_a_compiler_that_is_ended_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(command: list[str], on_line: Callable[[str], None], **how: float) -> tuple[int, str]:
        return run_child(
            [command[0], "-c", 'import os; print(\'{"begins": "odd"}\', flush=True); os.abort()'], on_line, **how
        )

    monkeypatch.setattr("edgesr.convert.qnn.compiler.run_child", ended)
    with pytest.raises(Exception, match="odd cannot be compiled for sm8650"):
        compile_graphs([small(tmp_path / "odd.onnx", "Relu")], tmp_path, "sm8650", lambda stage: None)


def test_a_sigmoid_is_written_out_as_the_same_function(tmp_path: Path) -> None:
    import onnxruntime

    before = small(tmp_path / "sigmoid.onnx", "Sigmoid")
    model = onnx.load(before)
    assert write_out_sigmoids(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert "Sigmoid" not in {node.op_type for node in model.graph.node}
    x = {"x": np.random.default_rng(0).normal(0, 4, (1, 4, 8, 8)).astype(np.float32)}
    run = [
        onnxruntime.InferenceSession(one, providers=["CPUExecutionProvider"]).run(None, x)[0]
        for one in (before, model.SerializeToString())
    ]
    np.testing.assert_allclose(run[1], run[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--target", "qnn", "--soc", "sm9999"), EXIT_USAGE, "sm8650, sm8750"),
        (("--target", "qnn", "--soc", "sm8650", "--soc", "kirin"), EXIT_USAGE, "unknown chip 'kirin'"),
        (("--target", "onnx", "--soc", "sm8650"), EXIT_USAGE, "leave --soc out"),
        (("--target", "qnn", "--precision", "fp32"), EXIT_USAGE, "int8, fp16"),
    ],
)
def test_a_wrong_choice_says_what_there_is(arguments: tuple[str, ...], code: int, says: str, call: Call) -> None:
    got, said, _ = call("convert", *arguments)
    assert got == code
    assert says in f"{said['error']} {said['hint']}"


def test_without_the_compiler_it_says_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = dataclasses.replace(TARGETS["qnn"], requires=("onnxruntime_qnn_that_is_not_here",))
    monkeypatch.setitem(TARGETS, "qnn", absent)
    code, said, _ = call("convert", "--target", "qnn")
    assert (code, said["hint"]) == (EXIT_UNAVAILABLE, "pip install 'edgesr[qnn]'")


def test_a_chip_is_compiled_for_once_and_in_the_order_of_the_list() -> None:
    chosen = TARGETS["qnn"].for_chips(("sm8750", "sm8550", "sm8750"))
    assert chosen.chips == ("sm8550", "sm8750")
    assert chosen.label == "qnn-sm8550-sm8750"
    assert TARGETS["qnn"].for_chips(()).chips == CHOSEN
