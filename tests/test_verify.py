"""verify believes nothing that a bundle says of itself: whatever is changed, with its hashes redone, is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import safetensors.numpy
from conftest import Call, lively
from int8_networks import network
from onnx import numpy_helper

import edgesr
from edgesr.bundle import GOLDEN, MANIFEST, hashes, open_bundle
from edgesr.convert.int8 import Convolutions
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.target import TARGETS, Precision
from edgesr.convert.verify import Verification, verify
from edgesr.errors import BundleError
from edgesr.models import save_checkpoint

Change = Callable[[Path], None]


@dataclasses.dataclass(frozen=True)
class Made:
    """A checkpoint and bundles of it by target and precision, converted once."""

    root: Path

    @property
    def float(self) -> Path:
        return self.root / "tiny"

    @property
    def int8(self) -> Path:
        return self.root / "tiny-int8"

    def checkpoint(self, precision: str) -> Path:
        return self.int8 if precision == "int8-ptq" else self.float

    def bundle(self, target: str, precision: str) -> Path:
        folder = self.root / f"{target}-{precision}"
        if not folder.exists():
            convert(plan(target, checkpoint=self.checkpoint(precision), precision=precision, output=folder))
        return folder

    def copy(self, target: str, precision: str, to: Path) -> Path:
        return Path(shutil.copytree(self.bundle(target, precision), to / "bundle"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("made")
    checkpoint, quantization = network()
    scales, space = checkpoint.feature_scales, checkpoint.feature_space
    save_checkpoint(root / "tiny", "tiny", checkpoint.model, training={}, feature_scales=scales, feature_space=space)
    save_checkpoint(
        root / "tiny-int8",
        "tiny-int8",
        checkpoint.model,
        training={},
        feature_scales=scales,
        feature_space=space,
        quantization=quantization.to_dict(),
    )
    return Made(root)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and give every file the hash that it has."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    before, manifest["sha256"] = manifest["sha256"], hashes(folder)
    if manifest["sha256"] != before:
        manifest["size_bytes"] = sum((folder / file).stat().st_size for file in manifest["files"].values())
    change(manifest)
    path.write_text(json.dumps(manifest))


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


def refused(folder: Path, checkpoint: Path, named: str) -> Verification:
    """Assert that a check by this name fails, and that no other answer than no is given."""
    edit(folder, lambda manifest: None)
    result = verify(folder, checkpoint)
    assert (result.ok, result.exit_code) == (False, 1)
    assert any(name.startswith(named) for name in result.failed), result.failed
    return result


@pytest.mark.parametrize(("precision", "change", "named"), ROWS)
def test_every_change_is_a_named_check_that_fails(
    precision: str, change: Change, named: str, made: Made, tmp_path: Path
) -> None:
    folder = made.copy("onnx", precision, tmp_path)
    change(folder)
    refused(folder, made.checkpoint(precision), named)


def the_file(folder: Path, target: str) -> Path:
    """The one file that holds a target's weights."""
    if target == "coreml":
        return next(folder.rglob("weight.bin"))
    return folder / {"tflite": "model.tflite", "executorch": "model.pte"}[target]


def in_bytes(folder: Path, target: str, old: npt.NDArray[Any], new: npt.NDArray[Any]) -> None:
    """Replace an array wherever the file holds it."""
    path = the_file(folder, target)
    content = path.read_bytes()
    given, changed = old.tobytes(), new.astype(old.dtype).tobytes()
    assert given in content
    assert given != changed
    path.write_bytes(content.replace(given, changed))


def as_held(target: str, kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return kernel if target == "coreml" else np.ascontiguousarray(kernel.transpose(0, 2, 3, 1))


def change_int8_weight(folder: Path, target: str, restore: Convolutions) -> str:
    held = as_held(target, restore.int8[3].weight)
    new = held.copy()
    new.flat[1] ^= 1
    in_bytes(folder, target, held, new)
    return "restore: int8 step of"


def zero_a_kernel(folder: Path, target: str, restore: Convolutions) -> str:
    held = as_held(target, restore.int8[3].weight)
    new = held.copy()
    new[0] = 0
    in_bytes(folder, target, held, new)
    return "restore: int8 step of"


def stretch_a_step(folder: Path, target: str, restore: Convolutions) -> str:
    step = np.float32(sorted(restore.steps, key=lambda step: step.scale)[5].scale)
    in_bytes(folder, target, step, step * np.float32(1.03))
    return "restore: int8 step"


def double_a_kernel(folder: Path, target: str, restore: Convolutions) -> str:
    kernel = restore.kernels[0]
    held = as_held(target, kernel.weight.astype(kernel.stored))
    new = held.copy()
    new[0] *= 2
    in_bytes(folder, target, held, new)
    return "restore: weights of"


def double_a_kernel_and_call_it_int8_weights(folder: Path, target: str, restore: Convolutions) -> str:
    double_a_kernel(folder, target, restore)
    edit(folder, lambda manifest: manifest.update(precision="int8-weights"))
    return "encode: convolutions stored as int8"


def zero_byte_20(folder: Path, target: str, restore: Convolutions) -> str:  # noqa: ARG001 (as the others)
    path = the_file(folder, target)
    content = bytearray(path.read_bytes())
    content[20] = 0
    path.write_bytes(content)
    return "model file: its runtime takes it"


def lead_root_astray(folder: Path, target: str, restore: Convolutions) -> str:  # noqa: ARG001 (as the others)
    path = the_file(folder, target)
    path.write_bytes(b"\xf0\xff\x0f\x00" + path.read_bytes()[4:])
    return "model file: its runtime takes it"


ALL = (change_int8_weight, zero_a_kernel, stretch_a_step, double_a_kernel)
BINARY = [
    *(pytest.param("tflite", "int8-ptq", each, marks=pytest.mark.tflite) for each in (*ALL, zero_byte_20)),
    *(pytest.param("executorch", "int8-ptq", each) for each in (*ALL, lead_root_astray)),
    *(pytest.param("coreml", "int8-ptq", each) for each in (change_int8_weight, double_a_kernel)),
    *(pytest.param("coreml", "fp16", each) for each in (double_a_kernel, double_a_kernel_and_call_it_int8_weights)),
]


@pytest.mark.parametrize(("target", "precision", "change"), BINARY)
def test_every_change_of_a_binary_model_is_named(
    target: str, precision: Precision, change: Callable[..., str], made: Made, tmp_path: Path
) -> None:
    folder = made.copy(target, precision, tmp_path)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    read = TARGETS[target].read_back(folder, files, precision)
    refused(folder, made.checkpoint(precision), change(folder, target, read.convolutions["restore"]))


@pytest.mark.parametrize(
    ("target", "change"),
    [
        pytest.param("tflite", zero_byte_20, marks=pytest.mark.tflite),
        pytest.param("executorch", lead_root_astray),
    ],
)
def test_a_model_that_would_end_its_runtime_is_an_error_of_every_command(
    target: str, change: Callable[..., str], made: Made, tmp_path: Path, call: Call, photos: Path
) -> None:
    folder = made.copy(target, "int8-ptq", tmp_path)
    change(folder, target, None)
    edit(folder, lambda manifest: None)
    with pytest.raises(BundleError):
        edgesr.load(folder)
    restore = ("restore", photos / "lr.png", "--exemplars", photos / "exemplar.png", "--aligned", "-m", folder)
    for command in ((*restore, "-o", tmp_path / "out.png"), ("bench", folder, "--runs", "3")):
        code, said, _ = call(*command)
        assert (code, said["ok"]) == (5, False), said
        assert "model" in said["error"]


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
