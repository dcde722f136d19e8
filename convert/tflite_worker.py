"""Converts ONNX graphs to one TFLite file, in the environment of ``edgesr setup tflite``.

Run as ``python -I tflite_worker.py request.json`` in an empty folder of its own. edgesr is not installed there, so
this file imports nothing of it. It writes the model and the result, and says on stdout, a JSON object a line, which
``stage`` it is at or what ``error`` ended it. Everything the libraries print goes to stderr.

Nothing is fetched: a connection to another machine is an error, so that a library which starts to download
something shows at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import itertools
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""onnx2tf fetches this file when a graph takes one image, unless it lies in the current folder."""
CANONICAL = {4: (0, 2, 3, 1), 3: (0, 1, 2), 1: (0,)}
"""Axes of an ONNX tensor in the artifact, by rank: images and features NHWC, weights [n, h, w], valid [n]."""
TOLERANCE = 1e-4
"""Error, relative to the largest value or 1, above which a translation is taken to be wrong and not just rounded."""
QUANTIZED_TOLERANCE = 0.1
"""Likewise of a quantized graph, where a sum that is rounded otherwise can move a value by a step."""
METADATA = "edgesr"
FP16_DEQUANTIZE_VERSION = 3
PR_SET_PDEATHSIG = 1

Array = npt.NDArray[np.float32]
Report = Callable[[str], None]


class WorkerError(Exception):
    """What cannot be converted, and why."""


def die_with_parent() -> None:
    """Where the command that started this is killed outright, Linux ends this too."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def main(request_path: str) -> None:
    say = take_stdout()
    die_with_parent()
    try:
        forbid_network()
        request = json.loads(Path(request_path).read_text())
        result = convert(request, lambda stage: say({"stage": stage}))
        Path(request["result"]).write_text(json.dumps(result))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        # onnx2tf leaves by sys.exit after printing what it does not take: then the last line printed tells more.
        if not isinstance(error, SystemExit):
            say({"error": str(error) if isinstance(error, WorkerError) else f"{type(error).__name__}: {error}"})
        sys.exit(1)


def convert(request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Convert every graph of the request into a signature of one model."""
    arrays = dict(np.load(request["arrays"], allow_pickle=False))
    report("starting TensorFlow")
    import tensorflow as tf

    module, functions, errors = tf.Module(), {}, {}
    for name, graph in request["graphs"].items():
        report(f"translating {name} to TensorFlow")
        inputs = {key: arrays[f"{name}.{key}"] for key in graph["inputs"]}
        outputs = {key: arrays[f"{name}.{key}"] for key in graph["outputs"]}
        tolerance = QUANTIZED_TOLERANCE if request["quantized"] else TOLERANCE
        functions[name], errors[name] = translate(tf, name, graph["onnx"], inputs, outputs, tolerance)
    report("converting to TFLite")
    tf.saved_model.save(module, "saved_model", signatures=functions)
    converter = tf.lite.TFLiteConverter.from_saved_model("saved_model", signature_keys=list(functions))
    # Builtin operators only: TensorFlow's own need a runtime that phones do not have.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if request["quantized"]:
        # Takes the steps from the fake quantization in the graph; without a data set it calibrates nothing.
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Otherwise it adds steps of its own: of 1/256 behind the sigmoid, whose values near 0 matter.
        converter._experimental_strict_qdq = True
    content, described = finish(converter.convert(), request["metadata"], fp16=request["precision"] == "fp16")
    Path(request["model"]).write_bytes(content)
    tools = {name: importlib.metadata.version(name) for name in ("onnx2tf", "tensorflow")}
    return {**described, "translation_error": errors, "tools": tools}


def translate(
    tf: Any,
    name: str,
    onnx_path: str,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    tolerance: float,
) -> tuple[Any, float]:
    """A function with our tensor names and axes that computes the graph, and its largest relative error.

    onnx2tf guesses each tensor's order of axes from shapes. Its strict mode corrects guesses by running the graph
    so far at every operator, which takes minutes and has been wrong all the same; so the whole graph is checked
    here instead, and strict mode is tried only where that fails.
    """
    found: list[tuple[float, Any]] = []
    for strict in (False, True):
        try:
            found.append(wrap(tf, name, run_onnx2tf(tf, onnx_path, inputs, strict), inputs, outputs))
        except Exception:
            if strict and not found:
                raise
            traceback.print_exc()
        if found and found[-1][0] <= tolerance:
            break
    # A wrong translation goes on: the caller's parity gate says what is wrong with it better than we can here.
    error, function = min(found, key=lambda pair: pair[0])
    return function, error


def run_onnx2tf(tf: Any, onnx_path: str, inputs: Mapping[str, Array], strict: bool) -> Any:
    """The graph as a Keras model, whose inputs are NHWC and whose outputs have any order of axes."""
    import onnx
    import onnx2tf
    import onnxsim
    from onnx2tf.ops import Input, QuantizeLinear

    # torch folds small constants only, and onnx2tf takes a constant that is computed for an image. Done here and not
    # by onnx2tf, which would run onnxsim as a program that it looks up on the path.
    simplified, _ = onnxsim.simplify(onnx.load(onnx_path))
    onnx.save(simplified, onnx_path)
    image = next((array for array in inputs.values() if array.ndim == 4 and array.shape[1] == 3), None)
    if image is not None:
        tiled = np.resize(canonical(image)[0], (128, 128, 3)).astype(np.float32)
        np.save(CALIBRATION, np.broadcast_to(tiled, (20, 128, 128, 3)))

    make_node, make_quantize = Input.make_node, QuantizeLinear.make_node

    def make_input(*, graph_input: Any, tf_layers_dict: dict[str, Any], **others: Any) -> None:
        # onnx2tf turns an image input to NHWC but does not note it. Where channels and side are equal, so that the
        # shape does not tell either, the first addition then turns it again, and the result is wrong.
        make_node(graph_input=graph_input, tf_layers_dict=tf_layers_dict, **others)
        tf_layers_dict[graph_input.name]["nhwc"] = len(graph_input.shape) == 4

    def make_fake_quantize(*, graph_node: Any, tf_layers_dict: dict[str, Any], **others: Any) -> None:
        # onnx2tf drops the steps of a QuantizeLinear with a DequantizeLinear behind it. As fake quantization they
        # stay in the graph, and TensorFlow's converter takes them from there.
        make_quantize(graph_node=graph_node, tf_layers_dict=tf_layers_dict, **others)
        scale, zero_point = (float(constant.values) for constant in graph_node.inputs[1:3])
        entry = tf_layers_dict[graph_node.outputs[0].name]
        low, high = ((level - zero_point) * scale for level in (-128, 127))
        entry["tf_node"] = tf.quantization.fake_quant_with_min_max_args(entry["tf_node"], low, high, num_bits=8)

    Input.make_node, QuantizeLinear.make_node = make_input, make_fake_quantize
    try:
        return onnx2tf.convert(
            input_onnx_file_path=onnx_path,
            output_folder_path="onnx2tf",
            not_use_onnxsim=True,
            disable_strict_mode=not strict,
            disable_model_save=True,
            non_verbose=True,
            verbosity="error",
        )
    finally:
        Input.make_node, QuantizeLinear.make_node = make_node, make_quantize


def wrap(
    tf: Any, name: str, model: Any, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
) -> tuple[float, Any]:
    """The model's largest relative error, and the model as a function from named tensors to named tensors."""
    order = [tensor.name.split(":")[0] for tensor in model.inputs]
    given = {key: canonical(array) for key, array in inputs.items()}
    wanted = {key: canonical(array) for key, array in outputs.items()}
    expected = {key: array.shape for key, array in given.items()}
    got = dict(zip(order, (tuple(tensor.shape) for tensor in model.inputs), strict=True))
    if got != expected:
        raise WorkerError(f"onnx2tf gave {name} the inputs {got}, not {expected}")

    results = as_list(model([tf.constant(given[key]) for key in order]))
    found = [closest_axes(result.numpy(), wanted[key]) for result, key in zip(results, wanted, strict=True)]

    def function(*tensors: Any) -> dict[str, Any]:
        named = dict(zip(given, tensors, strict=True))
        returned = as_list(model([named[key] for key in order]))
        return {
            key: tensor if axes == tuple(sorted(axes)) else tf.transpose(tensor, axes)
            for key, tensor, (_, axes) in zip(wanted, returned, found, strict=True)
        }

    specification = [tf.TensorSpec(array.shape, tf.float32, name=key) for key, array in given.items()]
    traced = tf.function(function, input_signature=specification, autograph=False)
    return max(error for error, _ in found), traced.get_concrete_function()


def closest_axes(result: Array, wanted: Array) -> tuple[float, tuple[int, ...]]:
    """The order of axes in which ``result`` comes closest to ``wanted``, after its largest relative error then."""
    unit = max(1.0, float(np.abs(wanted).max()))
    candidates = [
        (float(np.abs(result.transpose(axes) - wanted).max()) / unit, axes)
        for axes in itertools.permutations(range(result.ndim))
        if result.transpose(axes).shape == wanted.shape
    ]
    if not candidates:
        raise WorkerError(f"onnx2tf gave an output the shape {result.shape} where {wanted.shape} is wanted")
    return min(candidates)


def finish(content: bytes, metadata: Mapping[str, Any], fp16: bool) -> tuple[bytes, dict[str, Any]]:
    """The model with our metadata in it and, if asked for, its weights in fp16; and what it holds."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if fp16:
        store_weights_as_fp16(model, schema)
    quantize_from_float(model, schema)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, add_buffer(model, schema, np.frombuffer(json.dumps(metadata).encode(), "u1"))
    model.metadata = [*(model.metadata or []), entry]
    model.description = "edgesr"
    stated = {entry.name: bytes(model.buffers[entry.buffer].data) for entry in model.metadata}
    minimum = stated.get(b"min_runtime_version", b"").rstrip(b"\0").decode()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), {
        "signatures": list_signatures(model),
        "operators": list_operators(model, schema),
        "minimum_runtime": minimum,
    }


def store_weights_as_fp16(model: Any, schema: Any) -> None:
    """Store the weights of convolutions in fp16 with a DEQUANTIZE behind each, which runtimes fold when they load.

    TensorFlow's own fp16 option takes every constant, also sampling coordinates and the bicubic skip, which need
    their precision.
    """
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = FP16_DEQUANTIZE_VERSION
    model.operatorCodes.append(code)
    for subgraph in model.subgraphs:
        dequantize: dict[int, Any] = {}
        for operator in subgraph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
                continue
            index = operator.inputs[1]
            tensor = subgraph.tensors[index]
            data = model.buffers[tensor.buffer].data
            if index in dequantize or data is None or tensor.type != schema.TensorType.FLOAT32:
                continue
            stored = schema.TensorT()
            stored.name, stored.shape, stored.type = tensor.name + b"/fp16", tensor.shape, schema.TensorType.FLOAT16
            halves = np.ascontiguousarray(data).view(np.float32).astype(np.float16)
            stored.buffer = add_buffer(model, schema, halves.view("u1"))
            tensor.buffer = 0  # the empty one: this tensor is computed now
            subgraph.tensors.append(stored)
            widen = schema.OperatorT()
            widen.opcodeIndex = len(model.operatorCodes) - 1
            widen.inputs, widen.outputs = [len(subgraph.tensors) - 1], [index]
            dequantize[index] = widen
        subgraph.operators = [*dequantize.values(), *subgraph.operators]
    used = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    kept = used | {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None  # weights that are stored as fp16 now


def quantize_from_float(model: Any, schema: Any) -> None:
    """Let what was quantized twice, from float to one step and from there to another, be quantized from float.

    The converter does so where parts of one tensor have different steps, and rounds and clips g_ref by F_ref's.
    """
    for subgraph in model.subgraphs:
        quantized = {
            operator.outputs[0]: operator.inputs[0]
            for operator in subgraph.operators
            if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.QUANTIZE
            and subgraph.tensors[operator.inputs[0]].type == schema.TensorType.FLOAT32
        }
        for operator in subgraph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code == schema.BuiltinOperator.QUANTIZE and operator.inputs[0] in quantized:
                operator.inputs = [quantized[operator.inputs[0]]]


def add_buffer(model: Any, schema: Any, data: npt.NDArray[np.uint8]) -> int:
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def list_signatures(model: Any) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Per signature, ``inputs`` and ``outputs``: name to shape, as the file has them."""

    def shapes(tensors: Any, subgraph: Any) -> dict[str, list[int]]:
        return {tensor.name.decode(): list(map(int, subgraph.tensors[tensor.tensorIndex].shape)) for tensor in tensors}

    return {
        signature.signatureKey.decode(): {
            side: shapes(getattr(signature, side), model.subgraphs[signature.subgraphIndex])
            for side in ("inputs", "outputs")
        }
        for signature in model.signatureDefs
    }


def list_operators(model: Any, schema: Any) -> dict[str, dict[str, dict[str, int]]]:
    """Per signature, each operator's count and highest version."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    listed: dict[str, dict[str, dict[str, int]]] = {}
    for signature in model.signatureDefs:
        counts: dict[str, dict[str, int]] = {}
        for operator in model.subgraphs[signature.subgraphIndex].operators:
            code = model.operatorCodes[operator.opcodeIndex]
            known = counts.setdefault(names[code.builtinCode], {"count": 0, "version": 0})
            known["count"] += 1
            known["version"] = max(known["version"], code.version)
        listed[signature.signatureKey.decode()] = dict(sorted(counts.items()))
    return listed


def canonical(array: Array) -> Array:
    """An ONNX tensor with the artifact's order of axes."""
    return np.ascontiguousarray(array.transpose(CANONICAL[array.ndim]))


def as_list(results: Any) -> Sequence[Any]:
    return results if isinstance(results, list | tuple) else [results]


def take_stdout() -> Callable[[Mapping[str, Any]], None]:
    """A function that writes a JSON line to stdout, which from here on nothing else reaches."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    return say


def forbid_network() -> None:
    """Make every look-up of, and connection to, another machine an error."""

    def refuse(asked_for: object) -> None:
        raise WorkerError(f"a conversion fetches nothing, but something asked for {asked_for}")

    class LocalSocket(socket.socket):
        def connect(self, address: Any) -> None:
            if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1"):
                refuse(address[0])
            super().connect(address)

    socket.socket = LocalSocket  # type: ignore[misc]
    socket.getaddrinfo = lambda host, *args, **kwargs: refuse(host)  # type: ignore[assignment]


if __name__ == "__main__":
    main(sys.argv[1])
