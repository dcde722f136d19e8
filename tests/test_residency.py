"""Where operators run: the record adds up, is read with every field checked, and counts partitions as LiteRT does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Call
from onnx import helper
from tampering import edit

from edgesr.convert import verify as verification
from edgesr.convert.onnx import conversion, webgpu
from edgesr.convert.onnx.conversion import OPSET
from edgesr.residency import Node, Residency, reside, residencies_from_dict, residencies_to_dict
from edgesr.runtime.onnxruntime import OnnxRuntime

GOOD = {"backend": "XNNPACK", "nodes": 7, "of": 9, "partitions": 2, "left": {"GATHER": 2}, "source": "file"}


def test_a_record_comes_back_from_the_manifest_that_it_was_written_to() -> None:
    found = {"restore": (Residency("XNNPACK", 7, 9, 2, {"GATHER": 2}), Residency("GPU", 9, 9, 1, {}, "rules"))}
    assert residencies_from_dict(residencies_to_dict(found)) == found
    assert residencies_to_dict(found)["restore"][0] == GOOD


def test_bundles_of_before_say_nothing() -> None:
    assert residencies_from_dict(None) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 8},
        {"nodes": "7"},
        {"nodes": True, "of": 3, "partitions": 1},
        {"of": -1},
        {"partitions": 8},
        {"partitions": 0},
        {"left": {"GATHER": 1.5}},
        {"left": [2]},
        {"left": {"": 2}},
        {"backend": None},
        {"backend": "X\n"},
        {"source": "guess"},
    ],
    ids=str,
)
def test_what_does_not_add_up_is_refused(wrong: dict[str, Any]) -> None:
    Residency.from_dict(GOOD)
    with pytest.raises(ValueError, match="residency"):
        Residency.from_dict(GOOD | wrong)


def test_partitions_are_counted_as_litert_makes_them() -> None:
    """A chain that leaves the backend once has two; what does not depend on the operator left goes with the first."""
    chain = [Node("CONV", True), Node("GATHER", False, [0]), Node("CONV", True, [1])]
    assert reside("GPU", chain, "rules") == Residency("GPU", 2, 3, 2, {"GATHER": 1}, "rules")
    beside = [Node("GATHER", False), Node("CONV", True), Node("CONV", True, [1]), Node("ADD", True, [0, 2])]
    assert reside("GPU", beside, "rules").partitions == 2
    assert reside("GPU", [Node("CONV", True), Node("ADD", True, [0])], "rules").partitions == 1
    assert reside("GPU", [Node("GATHER", False)], "rules").partitions == 0


def test_nodes_that_wait_for_each_other_are_no_graph() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        reside("GPU", [Node("A", True, [1]), Node("B", False, [0])], "rules")


# WebGPU by onnxruntime-web's list


def graph_of(*kinds: str) -> onnx.ModelProto:
    """A chain of operators of these kinds, whatever they would compute."""
    nodes = [helper.make_node(kind, [f"t{i}"], [f"t{i + 1}"]) for i, kind in enumerate(kinds)]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("t0", f"t{len(kinds)}")]
    return helper.make_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:]))


def test_what_the_list_names_goes_to_the_gpu() -> None:
    chain = graph_of("Relu", "QuantizeLinear", "DequantizeLinear", "Tanh", "NonZero")
    left = {"QuantizeLinear": 1, "NonZero": 1}
    assert webgpu.residency(chain) == Residency("WebGPU", 3, 5, 2, left, "rules")
    assert webgpu.residency(graph_of("Relu", "Tanh")).whole


def test_the_list_is_the_one_that_comes_with_the_booths_onnxruntime_web() -> None:
    package = Path(__file__).parent.parent / "web_demo"
    assert f'"onnxruntime-web": "{webgpu.LISTED_BY}"' in (package / "package.json").read_text()
    listed = package / "node_modules" / "onnxruntime-web" / "docs" / "webgpu-operators.md"
    if not listed.is_file():
        pytest.skip("the web booth's packages are not installed")
    rows = re.findall(r"^\| (\w+) \| (?:.*; )?ai\.onnx\(([^)]*)\)", listed.read_text(), re.MULTILINE)
    ours = {name for name, versions in rows if any(covers(part, OPSET) for part in versions.split(","))}
    assert ours - {"MemcpyFromHost", "MemcpyToHost"} == webgpu.OPERATORS


def covers(part: str, opset: int) -> bool:
    """Whether ``13+``, ``6-12`` or ``11`` is what a graph of an operator set has."""
    first, _, last = part.strip().rstrip("+").partition("-")
    return int(first) <= opset and (part.strip().endswith("+") or opset <= int(last or first))


# In a bundle


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_what_rules_say_is_told_and_not_held_against_a_bundle(call: Call, tiny_checkpoint: Path, copied: Path) -> None:
    """The next version may have other rules. What a file holds, test_verify_binary changes."""
    code, answer, _ = call("verify", copied, "-c", tiny_checkpoint)
    assert (code, set(answer["residency"])) == (0, {"encode", "restore"})
    said = answer["residency"]["restore"][0]
    assert (said["backend"], said["nodes"], said["partitions"]) == ("WebGPU", said["of"], 1)

    def claim_more(manifest: dict[str, Any]) -> None:
        manifest["residency"]["restore"][0] |= {"nodes": said["nodes"] + 1, "of": said["of"] + 1}

    edit(copied, claim_more)
    code, answer, _ = call("verify", copied, "-c", tiny_checkpoint)
    assert (code, answer["ok"]) == (0, True)


def test_a_bundle_of_before_verifies_without(call: Call, tiny_checkpoint: Path, copied: Path) -> None:
    edit(copied, lambda manifest: manifest.pop("residency"))
    code, answer, _ = call("verify", copied, "-c", tiny_checkpoint)
    assert (code, answer["ok"], answer["residency"]) == (0, True, {})
    code, facts, _ = call("info", copied)
    assert (code, "residency" in facts) == (0, False)


def test_a_manifest_that_does_not_add_up_is_refused(call: Call, copied: Path) -> None:
    edit(copied, lambda manifest: manifest["residency"]["encode"][0].update(nodes=10_000))
    code, answer, _ = call("info", copied)
    assert (code, "residency" in answer["error"]) == (5, True)


def test_info_tells_what_was_converted_and_where_it_runs(call: Call, copied: Path) -> None:
    code, facts, _ = call("info", copied)
    assert (code, facts["target"], facts["name"]) == (0, "onnx", "tiny")
    assert facts["residency"]["encode"][0]["backend"] == "WebGPU"
    code, answer, _ = call("info", copied, "--slots", 5)
    assert (code, answer["exit_code"]) == (2, 2)


@pytest.mark.parametrize("falls_back", [True, False])
def test_an_accelerator_that_gives_the_cpus_bits_is_suspected(
    falls_back: bool, call: Call, tiny_checkpoint: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnCpu(OnnxRuntime):
        accelerator = ""

    def restore(self: OnnxRuntime, *inputs: Any) -> Any:
        sr, weights = plain(self, *inputs)
        return (sr if falls_back or not self.accelerator else np.nextafter(sr, np.float32(2))), weights

    plain = OnnxRuntime.restore
    monkeypatch.setattr(conversion, "on_cpu", OnCpu, raising=False)
    monkeypatch.setattr(OnnxRuntime, "restore", restore)
    monkeypatch.setattr(OnnxRuntime, "accelerator", "a GPU")
    monkeypatch.setattr(verification, "is_tried", lambda _: True)  # in this process
    _, answer, _ = call("verify", copied, "-c", tiny_checkpoint)
    suspected = [note for note in answer["notes"] if note.startswith("suspected fallback: onnxruntime claims a GPU")]
    assert len(suspected) == falls_back
