"""Reading back what a saved ``.pte`` has XNNPACK compute, and its convolutions in int8 by which weights and steps."""

from __future__ import annotations

import collections
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.files.leftovers import work_folder
from edgesr.process.quiet import quiet
from edgesr.residency import Residency

from ..int8 import Convolutions, FloatConv, Int8Conv, Step

DELEGATE, BACKEND = "XnnpackBackend", "XNNPACK"
NAMESPACES = ("aten::", "dim_order_ops::", "quantized_decomposed::", "et_vk::")
CONVOLUTION, PRODUCT = "XNNConv2d", "XNNFullyConnected"
FP32 = "xnn_datatype_fp32"
QINT8 = ("xnn_datatype_qint8", "xnn_datatype_qcint8")
QINT32 = ("xnn_datatype_qint32", "xnn_datatype_qcint32")


def load_program(path: Path) -> Any:
    """A ``.pte`` as ExecuTorch's own reader has it: its program, and the data that it names."""
    with quiet():
        from executorch.exir._serialize import _deserialize_pte_binary

        return _deserialize_pte_binary(path.read_bytes())


def constant_methods(file: Any) -> dict[str, str]:
    """Values of the program's methods that compute nothing, by name, as text."""
    found = {}
    for plan in file.program.execution_plan:
        values = [plan.values[index].val for index in plan.outputs]
        for field in ("string_val", "int_val"):
            if len(values) == 1 and not plan.inputs and hasattr(values[0], field):
                found[str(plan.name)] = str(getattr(values[0], field))
    return found


def saved_convolutions(file: Any) -> dict[str, Convolutions]:
    """Convolutions of each method of a program (``load_program``), whatever delegate of it they lie in."""
    constants = _constants(file)
    found = {}
    for plan in file.program.execution_plan:
        int8: list[Int8Conv] = []
        kernels: list[FloatConv] = []
        steps: set[Step] = set()
        others = 0
        for delegate in plan.delegates:
            if delegate.id != DELEGATE:
                continue
            graph, values = _delegated(file, delegate)
            steps |= {value_step(value) for value in values.values() if value["datatype"] == QINT8[0]}
            seen = set()
            for node, kind in _products(graph):
                if kind == PRODUCT:
                    matrix = values[node["filter_id"]]["constant_buffer_idx"]
                    if matrix in seen:
                        continue  # another part of the same product
                    seen.add(matrix)
                conv = _int8_conv(node, values, constants, graph["constant_data"])
                others += conv is None and kind == CONVOLUTION
                int8 += [conv] if conv else []
                kernel = None if conv else _float_conv(node, values, constants, graph["constant_data"])
                kernels += [kernel] if kernel else []
        if int8 or others:
            found[plan.name] = Convolutions(tuple(int8), others, kernels=tuple(kernels), steps=frozenset(steps))
    return found


def residency(file: Any) -> dict[str, tuple[Residency, ...]]:
    """Where the operators of each method that computes run: XNNPACK's own nodes, and the calls of other kernels."""
    found: dict[str, tuple[Residency, ...]] = {}
    for plan in file.program.execution_plan:
        nodes = partitions = 0
        left: collections.Counter[str] = collections.Counter()
        for instruction in (one for chain in plan.chains for one in chain.instructions):
            call = instruction.instr_args
            match type(call).__name__:
                case "KernelCall":
                    left[readable(plan.operators[call.op_index].name)] += 1
                case "DelegateCall" if plan.delegates[call.delegate_index].id == DELEGATE:
                    graph, _ = _delegated(file, plan.delegates[call.delegate_index])
                    nodes, partitions = nodes + len(graph["xnodes"]), partitions + 1
                case "DelegateCall":
                    left[plan.delegates[call.delegate_index].id] += 1
        if nodes or left:
            found[str(plan.name)] = (Residency(BACKEND, nodes, nodes + left.total(), partitions, dict(left), "file"),)
    return found


def readable(name: str) -> str:
    """An operator's name without its namespace."""
    for namespace in NAMESPACES:
        name = name.removeprefix(namespace)
    return name.removeprefix("_")


def unpacked(file: Any, delegate: Any) -> tuple[dict[str, Any], dict[int, dict[str, Any]], Mapping[str, bytes]]:
    """A delegate's graph, its values by number, and the program's constants by name."""
    return *_delegated(file, delegate), _constants(file)


def node_weights(
    node: Mapping[str, Any],
    values: Mapping[int, dict[str, Any]],
    constants: Mapping[str, bytes],
    places: list[dict[str, Any]],
) -> bytes | None:
    """Weights [C_out, C_in, kh, kw] of a node that is a convolution or a product, in int8 or float32."""
    if "filter_id" not in node:
        return None
    int8 = _int8_conv(node, values, constants, places)
    if int8 is not None:
        return int8.weight.tobytes()
    kernel = _float_conv(node, values, constants, places)
    return None if kernel is None else kernel.weight.astype(np.float32).tobytes()


def _constants(file: Any) -> dict[str, bytes]:
    named = file.named_data
    return {key: named.buffers[entry.buffer_index] for key, entry in named.pte_data.items()} if named else {}


def _delegated(file: Any, delegate: Any) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    return _graph(bytes(file.program.backend_delegate_data[delegate.processed.index].data))


@functools.lru_cache(maxsize=16)  # convolutions and residency are read of the same
def _graph(payload: bytes) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """A delegate's graph from its flatbuffer, and its values by number."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader, _get_schema_bytes
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
    start = header.flatbuffer_offset
    with work_folder("xnnpack") as folder:
        # flatc writes six decimals of a float. Read as an integer of as many bytes, a step is exact.
        schema = re.sub(rb"(\bscale\s*:\s*\[?)float\b", rb"\1uint", _get_schema_bytes())
        (folder / "schema.fbs").write_bytes(schema)
        (folder / "graph.bin").write_bytes(payload[start : start + header.flatbuffer_size])
        _flatc_decompile(str(folder), str(folder / "schema.fbs"), str(folder / "graph.bin"), ["--raw-binary"])
        # flatc writes the bounds of a layer without an activation as inf, which Python reads by another name.
        text = re.sub(r":\s*(-?)inf\b", r": \1Infinity", (folder / "graph.json").read_text())
        graph: dict[str, Any] = json.loads(text)
    values = {}
    for value in graph["xvalues"]:
        fields = value["xvalue_union"]
        tensor = fields.get("tensor_value", fields)
        values[tensor["id_out"]] = {**tensor, "quant_params": fields.get("quant_params")}
    return graph, values


def _products(graph: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Convolutions, and products with a matrix: 1x1 convolutions in int8, the sampler's and the skip in float."""
    for node in graph["xnodes"]:
        if (kind := node["xnode_union_type"]) in (CONVOLUTION, PRODUCT):
            yield node["xnode_union"], kind


def _int8_conv(
    node: Mapping[str, Any],
    values: Mapping[int, dict[str, Any]],
    constants: Mapping[str, bytes],
    places: list[dict[str, Any]],
) -> Int8Conv | None:
    x, weight, output = (values[node[key]] for key in ("input1_id", "filter_id", "output_id"))
    if not all(value["datatype"] in QINT8 for value in (x, weight, output)):
        return None
    place = places[weight["constant_buffer_idx"]]
    stored = np.frombuffer(constants[place["named_key"]], np.int8)[: np.prod(weight["dims"])]
    steps = _scales(weight, constants, places)
    bias = _int8_bias(node, values, constants, places)
    return Int8Conv("conv", _kernel(stored, weight["dims"]), steps, value_step(x), value_step(output), bias)


def _int8_bias(
    node: Mapping[str, Any],
    values: Mapping[int, dict[str, Any]],
    constants: Mapping[str, bytes],
    places: list[dict[str, Any]],
) -> npt.NDArray[np.float32]:
    count = values[node["filter_id"]]["dims"][0]
    bias = values.get(node["bias_id"])
    if bias is None:
        return np.zeros(count, np.float32)
    place = places[bias["constant_buffer_idx"]] if bias["constant_buffer_idx"] else None
    if bias["datatype"] not in QINT32 or place is None or place["named_key"] not in constants:
        return np.full(count, np.nan, np.float32)
    levels = np.frombuffer(constants[place["named_key"]], np.int32)[:count]
    return np.asarray(levels * _scales(bias, constants, places).astype(np.float64), np.float32)


def _scales(
    value: Mapping[str, Any], constants: Mapping[str, bytes], places: list[dict[str, Any]]
) -> npt.NDArray[np.float32]:
    """Steps of a constant, one a channel."""
    scales = value["quant_params"]
    if scales.get("scale"):
        return np.asarray(scales["scale"], np.uint32).view(np.float32)
    buffer = constants[places[scales["scale_buffer_idx"]]["named_key"]]
    return np.frombuffer(buffer, np.float32)[: scales["num_scales"]]


def _float_conv(
    node: Mapping[str, Any],
    values: Mapping[int, dict[str, Any]],
    constants: Mapping[str, bytes],
    places: list[dict[str, Any]],
) -> FloatConv | None:
    weight = values[node["filter_id"]]
    place = places[weight["constant_buffer_idx"]] if weight["constant_buffer_idx"] else None
    if weight["datatype"] != FP32 or place is None or place["named_key"] not in constants:
        return None
    stored = np.frombuffer(constants[place["named_key"]], np.float32)[: np.prod(weight["dims"])]
    bias = values.get(node["bias_id"])
    held = places[bias["constant_buffer_idx"]] if bias and bias["constant_buffer_idx"] else None
    known = None if held is None else np.frombuffer(constants[held["named_key"]], np.float32)[: weight["dims"][0]]
    return FloatConv("conv", _kernel(stored, weight["dims"]), known)


def _kernel(stored: npt.NDArray[Any], dims: Sequence[int]) -> npt.NDArray[Any]:
    """Weights [C_out, C_in, kh, kw]: XNNPACK keeps them [C_out, kh, kw, C_in], and of a product [C_out, C_in]."""
    shape = dims if len(dims) == 4 else [dims[0], 1, 1, dims[1]]
    return np.ascontiguousarray(stored.reshape(shape).transpose(0, 3, 1, 2))


def value_step(value: Mapping[str, Any]) -> Step:
    """The step of a value in int8."""
    quantized = value["quant_params"]
    return Step(float(np.uint32(quantized["scale"]).view(np.float32)), int(quantized["zero_point"]))
