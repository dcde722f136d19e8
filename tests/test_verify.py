"""verify believes nothing that a bundle says of itself: whatever is changed, with its hashes redone, is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
from conftest import Call, lively
from int8_networks import network
from onnx import numpy_helper
from tampering import Made, edit, refused

from edgesr.bundle import GOLDEN, MANIFEST, open_bundle
from edgesr.convert.int8 import int8_checks
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.quantized import Calibration
from edgesr.convert.reference import find_reference
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.models import save_checkpoint

Change = Callable[[Path], None]


def edit_model(file: str, change: Callable[[onnx.ModelProto], None]) -> Change:
    """A change of one of an ONNX bundle's graphs."""

    def changed(folder: Path) -> None:
        model = onnx.load(folder / file)
        change(model)
        onnx.save(model, folder / file)

    return changed


def constant(model: onnx.ModelProto, kind: Any, node: Callable[[Any], bool], at: int) -> onnx.TensorProto:
    """The initializer that the first such node reads at a place, if it is of a kind."""
    known = {tensor.name: tensor for tensor in model.graph.initializer}
    found = [known[n.input[at]] for n in model.graph.node if node(n) and n.input[at] in known]
    return next(tensor for tensor in found if numpy_helper.to_array(tensor).dtype == kind)


def rewrite(tensor: onnx.TensorProto, change: Callable[[Any], Any]) -> None:
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(change(values.copy()).astype(values.dtype), tensor.name))


def flip_int8_weight(model: onnx.ModelProto) -> None:
    def flip(levels: Any) -> Any:
        levels.flat[0] ^= 1
        return levels

    rewrite(constant(model, np.int8, lambda n: n.op_type == "DequantizeLinear", 0), flip)


def zero_int8_kernel(model: onnx.ModelProto) -> None:
    def zero(levels: Any) -> Any:
        levels[0, 0] = 0
        return levels

    rewrite(constant(model, np.int8, lambda n: n.op_type == "DequantizeLinear", 0), zero)


def stretch_step(model: onnx.ModelProto) -> None:
    """The step of an addition, which no convolution shares."""
    adds = {n.output[0] for n in model.graph.node if n.op_type == "Add"}
    rewrite(
        constant(model, np.float32, lambda n: n.op_type == "QuantizeLinear" and n.input[0] in adds, 1),
        lambda step: step * 1.03,
    )


def stretch_weight_step(model: onnx.ModelProto) -> None:
    rewrite(constant(model, np.float32, lambda n: n.op_type == "DequantizeLinear", 1), lambda step: step * 1.03)


def move_int8_bias(model: onnx.ModelProto) -> None:
    """So little that 50 dB hide it."""
    rewrite(constant(model, np.int32, lambda n: n.op_type == "DequantizeLinear", 0), lambda levels: levels + 3)


def double_float_kernel(model: onnx.ModelProto) -> None:
    def double(weight: Any) -> Any:
        weight[0] *= 2
        return weight

    rewrite(constant(model, np.float32, lambda n: n.op_type == "Conv", 1), double)


def restore_zeros(folder: Path) -> None:
    """A restorer that gives black, with golden vectors made of it."""
    model = onnx.load(folder / "restore.onnx")
    for output in model.graph.output:
        shape = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
        maker = next(n for n in model.graph.node if output.name in n.output)
        maker.output[list(maker.output).index(output.name)] = f"{output.name}.was"
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), f"{output.name}.zero"))
        model.graph.node.append(onnx.helper.make_node("Identity", [f"{output.name}.zero"], [output.name]))
    onnx.save(model, folder / "restore.onnx")
    golden = safetensors.numpy.load_file(folder / GOLDEN)
    zeros = {name: np.zeros_like(array) for name, array in golden.items() if name.startswith("restore.out")}
    safetensors.numpy.save_file(golden | zeros, folder / GOLDEN)


def swap_graphs(folder: Path) -> None:
    (folder / "encode.onnx").rename(folder / "x")
    (folder / "restore.onnx").rename(folder / "encode.onnx")
    (folder / "x").rename(folder / "restore.onnx")


def set_keys(**changes: Any) -> Change:
    """A change of keys of the manifest alone."""
    return lambda folder: edit(folder, lambda manifest: manifest.update(changes))


def quadruple_steps(folder: Path) -> None:
    edit(folder, lambda m: [part.update(int8_scale=4 * part["int8_scale"]) for part in m["features"]["parts"]])


def other_point(folder: Path) -> None:
    edit(folder, lambda m: next(iter(m["quantization"]["points"].values())).__setitem__(0, 0.5))


def wider_offsets(folder: Path) -> None:
    edit(folder, lambda m: m["model"].update(offset_bound=3.0))


def embedded_space(model: onnx.ModelProto) -> None:
    next(entry for entry in model.metadata_props if entry.key == "edgesr_feature_space").value = "another"


BOTH = {
    "banana": (set_keys(precision="banana"), "manifest: precision"),
    "magic lowering": (set_keys(lowering="magic"), "manifest: lowering"),
    "another feature space": (set_keys(feature_space="another"), "manifest: feature_space"),
    "another name": (set_keys(name="another"), "manifest: name"),
    "steps of features x4": (quadruple_steps, "manifest: features"),
    "lr_size said twice": (set_keys(lr_size=64), "manifest: lr_size"),
    "scale said twice": (set_keys(scale=8), "manifest: scale"),
    "slots said twice": (set_keys(slots=5), "manifest: slots"),
    "another size": (set_keys(size_bytes=1), "manifest: size_bytes"),
    "another configuration": (wider_offsets, "manifest: model"),
    "other pre-processing": (set_keys(pre_processing=[]), "manifest: pre_processing"),
    "no tensors": (set_keys(tensors={}), "manifest: tensors"),
    "int8_convs": (set_keys(int8_convs={"encode": {"int8": 99}}), "manifest: int8_convs"),
    "precision_got": (set_keys(precision_got="fp64"), "manifest: precision_got"),
    "embedded feature space": (edit_model("encode.onnx", embedded_space), "model file: metadata"),
    "zeros with golden vectors of zeros": (restore_zeros, "real faces sr"),
    "swapped graphs": (swap_graphs, "golden vectors: both graphs run"),
    "half a file": (lambda f: (f / "encode.onnx").write_bytes(b"\x08\x0a" * 40), "model file: its runtime takes it"),
}
INT8 = {
    "flipped weight": (edit_model("restore.onnx", flip_int8_weight), "restore: int8 step of"),
    "kernel of zeros": (edit_model("restore.onnx", zero_int8_kernel), "restore: int8 step of"),
    "step x1.03": (edit_model("restore.onnx", stretch_step), "restore: int8 steps"),
    "step of weights x1.03": (edit_model("encode.onnx", stretch_weight_step), "encode: int8 step of"),
    "bias of integers": (edit_model("restore.onnx", move_int8_bias), "restore: int8 step of"),
    "float kernel x2": (edit_model("restore.onnx", double_float_kernel), "restore: weights of"),
    "called int8": (set_keys(precision="int8"), "manifest: quantization"),
    "called fp32": (set_keys(precision="fp32"), "manifest: quantization"),
    "no quantization": (set_keys(quantization=None), "manifest: quantization"),
    "another point": (other_point, "manifest: quantization"),
}
FLOAT = {
    "kernel x2": (edit_model("restore.onnx", double_float_kernel), "restore: weights of"),
    "called int8-weights": (set_keys(precision="int8-weights"), "manifest: precision"),
    "called fp16": (set_keys(precision="fp16"), "encode: convolutions stored as float16"),
    "called int8": (set_keys(precision="int8"), "manifest: quantization"),
}
ROWS = [
    *(pytest.param("fp32", *row, id=f"fp32: {name}") for name, row in (BOTH | FLOAT).items()),
    *(pytest.param("int8-ptq", *row, id=f"int8-ptq: {name}") for name, row in (BOTH | INT8).items()),
]


@pytest.mark.parametrize(("precision", "change", "named"), ROWS)
def test_every_change_is_a_named_check_that_fails(
    precision: str, change: Change, named: str, made: Made, tmp_path: Path
) -> None:
    folder = made.copy("onnx", precision, tmp_path)
    change(folder)
    refused(folder, made.checkpoint(precision), named)


def test_a_bias_of_a_web_bundle_is_read_back_too(made: Made, tmp_path: Path) -> None:
    """Its graphs are ONNX's, by another target's reader."""
    folder = made.copy("onnx", "int8-ptq", tmp_path)
    reference = find_reference(open_bundle(folder), made.int8)
    assert reference is not None
    files = json.loads((folder / MANIFEST).read_text())["files"]

    def failed() -> list[str]:
        found = TARGETS["web"].read_back(folder, files, "int8-ptq").convolutions
        return [check.name for check in int8_checks(found, reference.graphs) if not check.ok]

    assert failed() == []
    edit_model("restore.onnx", move_int8_bias)(folder)
    (named,) = failed()
    assert named.startswith("restore: int8 step of")


def test_a_float_encoder_in_an_int8_bundle_is_named(made: Made, tmp_path: Path) -> None:
    folder = made.copy("onnx", "int8-ptq", tmp_path)
    shutil.copy(made.bundle("onnx", "fp32") / "encode.onnx", folder)
    refused(folder, made.int8, "encode: convolutions in int8")


@pytest.mark.parametrize("precision", ["fp32", "int8-ptq"])
def test_what_was_converted_verifies_and_without_its_checkpoint_nobody_knows(precision: str, made: Made) -> None:
    folder = made.bundle("onnx", precision)
    known = verify(folder, made.checkpoint(precision))
    assert known.ok, known.failed
    unknown = verify(folder)
    assert (unknown.ok, unknown.failed, unknown.exit_code) == (False, (), 4)


def test_a_foreign_network_that_names_a_checkpoint_of_its_own_stays_unverified(
    made: Made, tmp_path: Path, call: Call
) -> None:
    folder = made.copy("onnx", "fp32", tmp_path)
    restore_zeros(folder)
    edit(folder, lambda manifest: manifest.update(checkpoint_sha256="0" * 64))
    code, said, _ = call("verify", folder)
    assert (code, said["ok"], said["verdict"], said["exit_code"]) == (4, False, "unverified", 4)
    assert "--checkpoint" in said["hint"]
    code, said, _ = call("verify", folder, "--checkpoint", made.float)
    assert (code, said["ok"]) == (5, False)


def test_the_exit_codes_of_the_command(made: Made, tmp_path: Path, call: Call) -> None:
    folder = made.copy("onnx", "fp32", tmp_path)
    code, said, _ = call("verify", folder, "-c", made.float)
    assert (code, said["ok"], said["verdict"]) == (0, True, "ok")
    quadruple_steps(folder)
    code, said, _ = call("verify", folder, "-c", made.float)
    assert (code, said["ok"], said["verdict"], said["exit_code"]) == (1, False, "failed", 1)
    assert "manifest: features" in said["error"]


def test_weights_of_another_network_are_named(made: Made, tmp_path: Path) -> None:
    """One whose features mean nothing to the galleries of the network that it says it is."""
    checkpoint, _ = network()
    other = tmp_path / "other"
    save_checkpoint(
        other, "tiny", lively(checkpoint.model.config, 1), training={}, feature_scales={"f_ref": 1.0, "g_ref": 1.0}
    )
    folder = tmp_path / "bundle"
    convert(plan("onnx", checkpoint=other, precision="fp32", output=folder))
    told = json.loads((made.bundle("onnx", "fp32") / MANIFEST).read_text())
    keys = ("checkpoint_sha256", "feature_space", "features", "name")
    edit(folder, lambda manifest: manifest.update({key: told[key] for key in keys}))
    assert open_bundle(folder)
    refused(folder, made.float, "real faces")


def test_a_calibrated_bundle_keeps_every_point_that_its_network_has(
    made: Made, people_folder: Path, tmp_path: Path
) -> None:
    """No int8 checkpoint says there what the points are to be."""
    folder, calibration = tmp_path / "bundle", Calibration(people_folder)
    convert(plan("onnx", checkpoint=made.float, precision="int8-ptq", output=folder, calibration=calibration))
    edit(folder, lambda manifest: manifest["quantization"]["points"].pop("features.f_ref"))
    refused(folder, made.float, "manifest: quantization")
