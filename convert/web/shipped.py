"""The web booth of a shipped network without PyTorch: its folder, with the ONNX graphs that were shipped of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import safetensors.numpy

from edgesr.bundle import GOLDEN, MANIFEST, hashes
from edgesr.files.atomic import folder_aside
from edgesr.runtime.shipped import ShippedGraphs, names_with_graphs, shipped_graphs

from ..parity import expected, golden_vectors, real_cases
from ..target import Report
from . import folder as web_folder

INT8, FLOAT = "int8", "fp32"


def write_booth(output: Path, checkpoint: str, report: Report) -> None:
    """Write a booth's folder with both forms of a shipped network, or the one form that there is.

    It has no manifest of its own: it is no bundle, but what a browser is given. ``checkpoint``: a float network or its
    int8 form, by name.

    Raises:
        UnavailableError: no graphs are shipped of it, or the booth's page or the detector is not here.
    """
    asked = shipped_graphs(checkpoint)
    forms = {_key(asked): asked}
    if twin := _twin(asked):
        forms[_key(twin)] = twin
    with folder_aside(output) as folder:
        for key, graphs in forms.items():
            report(f"adding the network in {key}")
            write_onnx_bundle(graphs, folder / "models" / key)
        report("adding the page")
        web_folder.fill(folder, INT8 if INT8 in forms else FLOAT, report)


def write_onnx_bundle(graphs: ShippedGraphs, folder: Path) -> None:
    """The bundle that shipped graphs were taken from, with golden vectors by those graphs."""
    folder.mkdir(parents=True)
    for file in graphs.manifest["files"].values():
        shutil.copyfile(graphs.folder / file, folder / file)
    runtime = graphs.runtime()
    case = real_cases(runtime.interface)[1]
    safetensors.numpy.save_file(golden_vectors(case, expected(runtime, [case])[0], runtime.interface), folder / GOLDEN)
    manifest = {key: value for key, value in graphs.manifest.items() if key != "info"}
    manifest |= {"golden": GOLDEN, "sha256": hashes(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _key(graphs: ShippedGraphs) -> str:
    return FLOAT if graphs.described.quantization is None else INT8


def _twin(graphs: ShippedGraphs) -> ShippedGraphs | None:
    """The other form of a network: the int8 one that was made of it, or the float one that it was made of."""
    for name in names_with_graphs():
        other = shipped_graphs(name)
        pair = (other, graphs) if graphs.described.quantization is None else (graphs, other)
        made_of = (pair[0].described.quantization or {}).get("float_sha256")
        if made_of is not None and made_of == pair[1].manifest["checkpoint_sha256"]:
            return other
    return None
