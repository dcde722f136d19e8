"""Snapdragon NPU: ONNX graphs, and for each chip the contexts that Qualcomm's compiler makes of them.

``contexts/CHIP/encode.onnx`` and ``restore.onnx`` are one node apiece, with the compiled context beside it. A phone
opens these; the graphs they were made of lie in the bundle as well, since a context shows nothing of what it holds.
"""

from __future__ import annotations

import collections
import dataclasses
import importlib.metadata
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgesr.bundle import Bundle
from edgesr.deployment.graphs import GRAPHS, Graphs
from edgesr.errors import ParityError, UnavailableError
from edgesr.models.interface import Interface
from edgesr.residency import Residency
from edgesr.runtime.qnn import QnnRuntime, chips_in, context_of
from edgesr.runtime.snapdragon import CHIPS

from ..manifest_checks import agreement
from ..onnx import conversion as onnx_conversion
from ..parity import Check, Parity, measure_golden
from ..plan import Proven, Steps
from ..precision import NPU_DB, QUANTIZED, Precision
from ..target import Conversion, ReadBack, Report
from ..verification import Verification, Verify
from .compiler import Compiled, compile_graphs
from .graph_form import write_out_sigmoids

CONTEXTS = "contexts"
COMPILED = "EPContext"
"""The operator that a compiled graph is made of."""
SYSTEM = "x86-64 Linux"
"""What Qualcomm's compiler is there for in the package, and how ``missing`` names it."""


def missing() -> list[str]:
    """The system, where it is not the compiler's."""
    here = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
    return [] if here else [SYSTEM]


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report, chips: Sequence[str]) -> Conversion:
    """Write both graphs, and below ``contexts`` a folder with what was compiled of them for the first chip.

    The others follow when the gate has run that (``complete``).

    Raises:
        ResidencyError: a node does not go onto the NPU; it is named.
        EdgesrError: Qualcomm's compiler refuses a graph.
    """
    import onnx

    chip = chips[0]
    made = onnx_conversion.convert(graphs, precision, folder, report)
    operators: dict[str, Any] = {}
    for graph in GRAPHS:
        model = onnx.load(folder / made.files[graph])
        if write_out_sigmoids(model):
            onnx.save(model, folder / made.files[graph])
        operators[graph] = dict(sorted(collections.Counter(node.op_type for node in model.graph.node).items()))
    compiled = compile_for(folder, made.files, chip, report)
    files = {**made.files, CONTEXTS: CONTEXTS}
    read = read_back(folder, files, precision)
    return dataclasses.replace(
        made,
        files=files,
        arithmetic=read.arithmetic,
        computes_in=read.computes_in,
        delegation={graph: delegated(compiled[graph]) for graph in GRAPHS},
        residency={graph: (residency(compiled[graph], chip),) for graph in GRAPHS},
        operators=operators,
        toolchain={
            **made.toolchain,
            "qairt": compiled["restore"].build,
            "onnxruntime-qnn": importlib.metadata.version("onnxruntime-qnn"),
        },
        further={"npu": {chip: described(chip, compiled)}},
    )


def compile_for(folder: Path, files: Mapping[str, str], chip: str, report: Report) -> dict[str, Compiled]:
    """Compile both graphs for a chip, into its folder below ``contexts``. Raises as ``convert``."""
    place = folder / CONTEXTS / chip
    place.mkdir(parents=True)
    return compile_graphs([folder / files[graph] for graph in GRAPHS], place, chip, report)


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """What the graphs say of themselves that the contexts were made of, and what the NPU computes them in."""
    read = onnx_conversion.read_back(folder, {graph: files[graph] for graph in GRAPHS}, precision)
    if precision in QUANTIZED and read.computes_in == "int8":
        arithmetic = {"quantized convolutions and additions": "int8", "everything else": "fp16"}
        return dataclasses.replace(read, arithmetic=arithmetic, residency={})
    return dataclasses.replace(read, arithmetic={"everything": "fp16"}, computes_in="fp16", residency={})


def complete(proven: Proven, folder: Path, report: Report, steps: Steps) -> dict[str, Any]:  # noqa: ARG001
    """Compile for the chips but the first, which the gate has run, and run each on the golden vectors.

    Returns what the manifest says of all chips.

    Raises:
        ParityError: a chip's contexts do not compute what PyTorch computes. And as ``convert``.
    """
    plan, made = proven.plan, proven.conversion
    first, *others = plan.target.chips
    npu = {first: {**made.further["npu"][first], **figures(proven.parity)}}
    for chip in others:
        compiled = compile_for(folder, made.files, chip, report)
        report(f"running it as {chip}")
        runtime = emulated(folder, made.files, chip, plan.interface, made.tensors)
        parity = measure_golden(runtime, proven.golden, plan.precision, plan.target.psnr_db.get(plan.precision))
        if failed := [check for check in parity.checks if not check.ok]:
            raise ParityError(
                f"qnn {plan.precision} for {chip} does not compute what PyTorch computes: {failed[0].name} is "
                f"{failed[0].value:.3g} where {failed[0].threshold:g} is allowed",
                "nothing was written; convert for the other chips alone (--soc), and please report it",
            )
        npu[chip] = {**described(chip, compiled), **figures(parity)}
    return {"npu": npu}


def verify_further(bundle: Bundle, checkpoint: str | Path | None, verify: Verify, report: Report) -> Verification:  # noqa: ARG001
    """Every chip's contexts: what they are, that no node lies beside them, and all but the first on golden vectors."""
    report("running it as each chip")
    checks: list[Check] = []
    notes: list[str] = []
    m, contexts = bundle.manifest, bundle.folder / CONTEXTS
    chips = chips_in(contexts)
    said = m.get("npu")
    checks.append(agreement("npu", agrees=isinstance(said, dict) and list(said) == chips and bool(chips)))
    for place, chip in enumerate(chips):
        try:
            one = dict(said[chip]) if isinstance(said, dict) and chip in said else {}
            checks += list(context_checks(bundle.folder, chip, one))
            if place and all(check.ok for check in checks):
                runtime = emulated(bundle.folder, m["files"], chip, bundle.interface, m["tensors"])
                found = measure_golden(runtime, bundle.golden(), m["precision"], NPU_DB.get(m["precision"]))
                checks += [dataclasses.replace(check, name=f"{chip}: golden {check.name}") for check in found.checks]
        except UnavailableError:
            raise
        except Exception as error:  # libraries raise anything on a damaged file
            checks.append(Check(f"{chip}: its contexts run", False, 0.0, 1.0))
            notes.append(f"{chip}: {' '.join(str(error).split())[:300]}")
    return Verification(tuple(checks), "", tuple(notes))


def context_checks(folder: Path, chip: str, said: Mapping[str, Any]) -> Iterator[Check]:
    """Of one chip: each graph is one compiled node, and the manifest says of it what the files do."""
    import onnx

    builds, sizes = set(), {}
    for graph in GRAPHS:
        file = folder / CONTEXTS / chip / f"{graph}.onnx"
        nodes = onnx.load(file, load_external_data=False).graph.node
        beside = [node.op_type for node in nodes if node.op_type != COMPILED]
        whole = not beside and len(nodes) == 1
        yield Check(f"{chip}: {graph} is on the NPU whole", whole, float(len(beside)), 0.0)
        texts = {attribute.name: attribute.s.decode(errors="replace") for node in nodes for attribute in node.attribute}
        builds.add(texts.get("ep_sdk_version"))
        sizes[graph] = context_of(file).stat().st_size
        named = texts.get("ep_cache_context") == context_of(file).name
        yield Check(f"{chip}: {graph} names the context beside it", named, float(named), 1.0)
    known = {"soc_model": CHIPS[chip].soc_model, "architecture": CHIPS[chip].architecture, "context_bytes": sizes}
    yield agreement(f"npu of {chip}", agrees=builds == {said.get("qairt")} and known.items() <= dict(said).items())


def emulated(
    folder: Path, files: Mapping[str, str], chip: str, interface: Interface, tensors: Mapping[str, Any]
) -> QnnRuntime:
    """The emulator on one chip's contexts."""
    return QnnRuntime(folder, {**files, CONTEXTS: f"{files[CONTEXTS]}/{chip}"}, interface, tensors)


def residency(compiled: Compiled, chip: str) -> Residency:
    """Where a graph's nodes run, as QNN's compiler said when it took them."""
    backend = f"Hexagon {CHIPS[chip].architecture}"
    return Residency(backend, compiled.on_npu, compiled.nodes, compiled.partitions, source="compiler")


def delegated(compiled: Compiled) -> dict[str, Any]:
    """What ``delegation`` says of a graph: all of it is on the NPU, or there is no bundle."""
    return {
        "fraction": compiled.on_npu / compiled.nodes,
        "delegated": compiled.on_npu,
        "operators": compiled.nodes,
        "subgraphs": compiled.partitions,
        "remaining": {},
    }


def figures(parity: Parity) -> dict[str, Any]:
    """Of a chip's parity what the manifest keeps."""
    return {key: parity.to_dict()[key] for key in ("max_abs_error", "psnr_db")}


def described(chip: str, found: Mapping[str, Compiled]) -> dict[str, Any]:
    """What the manifest says of a chip."""
    return {
        "soc_model": CHIPS[chip].soc_model,
        "architecture": CHIPS[chip].architecture,
        "qairt": found["restore"].build,
        "context_bytes": {graph: found[graph].bytes for graph in GRAPHS},
        "nodes_on_npu": {graph: found[graph].on_npu for graph in GRAPHS},
        "nodes": {graph: found[graph].nodes for graph in GRAPHS},
    }
