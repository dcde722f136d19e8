"""An artifact's graph with what each operator loses, takes and computes in: for Model Explorer, and for the page.

SQNR of a layer is the power of its output with nothing rounded over the power of what rounding changes in it, with
everything in int8 that the artifact has so: noise that came from layers before counts. It is measured in PyTorch on the
artifact's own weights and steps. A layer is found in the artifact by its weights, else by the step of what it gives.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgesr.bundle import Bundle
from edgesr.convert.int8 import wanted
from edgesr.convert.nodes import ArtifactNode
from edgesr.convert.quantized import quantized_graphs
from edgesr.convert.targets import target_named
from edgesr.deployment.graphs import Graphs, deployed_graphs
from edgesr.files.atomic import file_aside
from edgesr.images.imaging import to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.interface import Interface
from edgesr.quantize.scheme import QParams, Quantization
from edgesr.runtime.base import Array, TensorSpec, fill_slots, restorer_inputs

from .layers import SparedNetwork
from .subject import ReportFace, Subject, Tools

STEP_TOLERANCE = 1e-5
"""Relative, by which two steps are one."""
LOW_DB, HIGH_DB = 10.0, 45.0
"""Ends of the colours of SQNR."""
WORST, MIDDLE, BEST = "#b93a12", "#e8c547", "#12806f"
INT8, FLOAT = "#12806f", "#7d858f"
COLD, HOT = "#f2f0e9", "#b93a12"


@dataclasses.dataclass(frozen=True)
class GraphNode:
    """An operator of an artifact, and what is known of it."""

    key: str
    kind: str
    layer: str
    """The network's layer; empty where it is none of the network's own."""
    reads: tuple[int, ...]
    int8: bool
    backend: str
    sqnr_db: float | None
    """None of what is not rounded, or belongs to no layer."""
    ms: float | None
    """Median of the operator alone; None where the runtime tells none."""
    within: str = ""
    """As Model Explorer names the graph that it stands in."""


@dataclasses.dataclass(frozen=True)
class ArtifactGraph:
    """Both graphs of one bundle."""

    target: str
    precision: str
    bundle: str
    graphs: dict[str, tuple[GraphNode, ...]]


def artifact_graphs(
    bundles: Sequence[Bundle], subject: Subject, faces: Sequence[ReportFace], tools: Tools
) -> list[ArtifactGraph]:
    """A graph of every bundle whose target's file can be read as one. Bundles of other weights are left out."""
    weights = {one.sha256: one for one in (subject.checkpoint, *subject.quantized)}
    timed = next((face for face in faces if face.exemplars), None)
    known: dict[str, dict[str, float]] = {}  # bundles of one quantization share it
    found = []
    for bundle in bundles:
        m, target = bundle.manifest, target_named(bundle.manifest["target"])
        checkpoint = weights.get(m["checkpoint_sha256"])
        if target.further("graph_nodes") is None or checkpoint is None:
            continue
        tools.say(f"graph of {target.name} {m['precision']}")
        quantization = Quantization.from_dict(m["quantization"]) if m.get("quantization") else None
        sqnr: dict[str, float] = {}
        if quantization is not None:
            key = json.dumps([m["checkpoint_sha256"], m["quantization"]], sort_keys=True)
            if key not in known:
                known[key] = layer_sqnr(checkpoint, quantization, faces)
            sqnr = known[key]
        plain = deployed_graphs(
            checkpoint.model, m["lowering"], lr_size=bundle.interface.lr_size, slots=bundle.interface.slots,
            skip=target.skip,
        )  # fmt: skip
        graphs = quantized_graphs(plain, quantization)
        case = None if timed is None else timing_case(bundle.interface, timed, tools.open_runtime(bundle).encode)
        found.append(artifact_graph(bundle, graphs, quantization, sqnr, case))
    return found


def artifact_graph(
    bundle: Bundle,
    graphs: Graphs,
    quantization: Quantization | None,
    sqnr: Mapping[str, float],
    case: Mapping[str, Any] | None,
) -> ArtifactGraph:
    """A bundle's graphs.

    ``graphs`` are those it was converted of, ``sqnr`` as ``layer_sqnr`` gives it, ``case`` what its operators are timed
    on, by the names of the interface's tensors; None: they are not.
    """
    m, target = bundle.manifest, target_named(bundle.manifest["target"])
    nodes: dict[str, list[ArtifactNode]] = target.further("graph_nodes")(bundle.folder, m["files"])
    timing = target.further("node_milliseconds")
    milliseconds = timing(bundle.folder, m["files"], _named(bundle, case)) if timing and case is not None else {}
    points = quantization.points if quantization else {}
    found = {}
    for graph, ones in nodes.items():
        layers = layers_of(ones, getattr(graphs, graph), graph, points)
        times = milliseconds.get(graph) or [None] * len(ones)
        found[graph] = tuple(
            GraphNode(one.key, one.kind, layer, one.reads, one.int8, one.backend, sqnr.get(layer), ms, one.within)
            for one, layer, ms in zip(ones, layers, times, strict=True)
        )
    return ArtifactGraph(m["target"], m["precision"], bundle.folder.resolve().name, found)


def _named(bundle: Bundle, case: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    named: dict[str, dict[str, Any]] = {}
    for graph, sides in bundle.manifest["tensors"].items():
        specs = [TensorSpec.from_dict(tensor) for tensor in sides["inputs"]]
        named[graph] = {spec.file_name: spec.from_canonical(case[spec.name]) for spec in specs}
    return named


def layers_of(
    nodes: Sequence[ArtifactNode], graph: torch.nn.Module, name: str, points: Mapping[str, QParams]
) -> list[str]:
    """The network's layer of each node, or empty."""
    convolutions = wanted(graph)
    by_weights = {conv.weight.tobytes(): f"{name}.{conv.name}" for conv in convolutions.int8}
    by_weights |= {conv.weight.astype(np.float32).tobytes(): f"{name}.{conv.name}" for conv in convolutions.kernels}
    by_step = [
        (point, key.rpartition(":")[0])
        for key, point in points.items()
        if key.startswith(f"{name}.") and key.endswith(":out")
    ]
    found = []
    for node in nodes:
        layer = by_weights.get(node.weights, "") if node.weights is not None else ""
        if not layer and node.int8 and node.step is not None:
            fitting = [
                named
                for point, named in by_step
                if math.isclose(point.scale, node.step.scale, rel_tol=STEP_TOLERANCE)
                and point.zero_point == node.step.zero_point
            ]
            layer = fitting[0] if len(fitting) == 1 else ""
        found.append(layer)
    return found


@torch.inference_mode()
def layer_sqnr(checkpoint: Checkpoint, quantization: Quantization, faces: Sequence[ReportFace]) -> dict[str, float]:
    """SQNR in dB of every layer's output on ``faces``, with everything in int8 that the quantization has so.

    Raises:
        ImportError: torchao is not installed.
    """
    network = SparedNetwork(checkpoint, quantization)
    seen: dict[str, list[Tensor]] = {}

    def heard(name: str) -> Callable[[Any, Any, Tensor], None]:
        return lambda module, given, out: seen.setdefault(name, []).append(out.float())

    names = {name for name in network.points.activations if name.endswith(":out")}
    hooks = [network.points.activations[name].register_forward_hook(heard(name)) for name in names]
    outputs: list[dict[str, list[Tensor]]] = []
    for enabled in (False, True):
        seen.clear()
        network.run(faces, enabled)
        outputs.append(dict(seen))
    for hook in hooks:
        hook.remove()
    plain, rounded = outputs
    return {
        name.rpartition(":")[0]: _sqnr(plain[name], rounded[name]) for name in sorted(plain.keys() & rounded.keys())
    }


def _sqnr(wanted: Sequence[Tensor], got: Sequence[Tensor]) -> float:
    signal = sum(float(one.square().sum()) for one in wanted)
    noise = sum(float((one - other).square().sum()) for one, other in zip(wanted, got, strict=True))
    return 10 * math.log10(signal / noise) if signal and noise else math.inf


def timing_case(interface: Interface, face: ReportFace, encode: Callable[[Array], Any]) -> dict[str, Any]:
    """What an artifact is timed on: a face with its exemplars, as the interface names its tensors."""
    photos = [to_unit(photo) for photo in face.exemplars]
    features, valid = fill_slots([encode(photo) for photo in photos], interface)
    return {"exemplar": photos[0], **restorer_inputs(interface, to_unit(face.lr), features, valid)}


# Model Explorer


def node_data(found: ArtifactGraph) -> dict[str, dict[str, Any]]:
    """Model Explorer's node data, a file a figure: ``sqnr_db``, ``ms``, ``int8`` and ``backend``."""
    figures: dict[str, Callable[[GraphNode], dict[str, Any] | None]] = {
        "sqnr_db": lambda node: _valued(node.sqnr_db),
        "ms": lambda node: _valued(node.ms),
        "int8": lambda node: {"value": "int8" if node.int8 else "float", "bgColor": INT8 if node.int8 else FLOAT},
        "backend": lambda node: {"value": node.backend},
    }
    gradients: dict[str, list[tuple[float, str]]] = {
        "sqnr_db": [(0, WORST), (0.5, MIDDLE), (1, BEST)],
        "ms": [(0, COLD), (1, HOT)],
    }
    data: dict[str, dict[str, Any]] = {}
    for name, figure in figures.items():
        stops = [{"stop": stop, "bgColor": colour} for stop, colour in gradients.get(name, ())]
        graphs: dict[str, dict[str, Any]] = {}
        for node in (node for nodes in found.graphs.values() for node in nodes):
            if (value := figure(node)) is not None:
                whole = graphs.setdefault(node.within, {"results": {}, **({"gradient": stops} if stops else {})})
                whole["results"][node.key] = value
        if graphs:
            data[name] = graphs
    return data


def _valued(value: float | None) -> dict[str, Any] | None:
    return None if value is None or not math.isfinite(value) else {"value": round(value, 4)}


def write_node_data(found: ArtifactGraph, folder: Path) -> list[Path]:
    """A file a figure in ``folder``, named after the bundle."""
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in node_data(found).items():
        path = folder / f"{found.bundle}.{name}.json"
        with file_aside(path) as aside:
            aside.write_text(json.dumps(data, indent=1) + "\n")
        written.append(path)
    return written
