"""Web: the photo booth as a folder for any static host, with the ONNX twins of a network in int8 and in float.

What runs in the page is what ``onnx`` makes, with uint8 activations, so each of ``models/int8`` and ``models/fp32``
is an ordinary ONNX bundle as well. docs/web.md says what else the folder holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.booth import site
from edgesr.bundle import Bundle
from edgesr.deployment.graphs import Graphs
from edgesr.models import Checkpoint, load_checkpoint
from edgesr.models.checkpoint import shipped_names

from ..onnx import TARGET as ONNX
from ..onnx import conversion as onnx
from ..plan import Plan, Proven, Steps
from ..precision import QUANTIZED, Precision
from ..target import Conversion, ReadBack, Report
from ..verification import Verification, Verify
from . import WEB_PAGE
from . import folder as web_folder
from .verification import verify_folder

INT8: Precision = "int8"
FLOAT: Precision = "fp32"
"""Keys of a network's two forms, and the folders below ``models`` that hold them."""


def missing() -> list[str]:
    """What of the folder is not here."""
    return [] if site.is_built() else [WEB_PAGE]


def convert(graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
    """Write both graphs below ``models``.

    Raises:
        UnavailableError: the detector that was named is not there; said now, and not when the networks are done.
    """
    web_folder.detector_file(report)
    place = f"models/{key_of(precision)}"
    (folder / place).mkdir(parents=True)
    conversion = onnx.convert(graphs, precision, folder / place, report)
    return dataclasses.replace(conversion, files={graph: f"{place}/{file}" for graph, file in conversion.files.items()})


def read_back(folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
    """Read a web bundle's graphs back, as the ONNX target reads its own."""
    return onnx.read_back(folder, files, precision)


def complete(proven: Proven, folder: Path, report: Report, steps: Steps) -> dict[str, Any]:
    """Add the network's float form, through the same gate, and the page, the detector and ``booth.json``.

    Returns further keys of the bundle's manifest.

    Raises:
        ParityError: the float form does not compute what PyTorch computes.
        UnavailableError: the page is not built, or the detector that was named is not there.
    """
    forms: dict[str, Proven] = {key_of(proven.plan.precision): proven}
    notes = []
    if proven.plan.precision in QUANTIZED:
        network = float_network(proven.plan)
        if network is None:
            notes.append(f"the float network of {proven.plan.checkpoint.name} is not here: the page has int8 alone")
        else:
            report("its float form")
            plain = dataclasses.replace(proven.plan, checkpoint=network, precision=FLOAT, quantization=None)
            forms[FLOAT] = steps.prove(plain, folder, report)
    for key, form in forms.items():
        write_onnx_bundle(form, folder / "models" / key, steps)
    if not proven.plan.target.executes_here:
        notes.append(f"there is no Chromium here: {proven.plan.target.otherwise}")
    report("adding the page")
    booth = web_folder.fill(folder, key_of(proven.plan.precision), report)
    return {
        "first_visit_bytes": booth["first_visit_bytes"],
        "models": booth["models"],
        "detector": booth["detector"],
        "notes": notes,
    }


def verify_further(bundle: Bundle, checkpoint: str | Path | None, verify: Verify, report: Report) -> Verification:
    """The page and the other networks of a bundle; ``verify`` checks those. Raises BundleError: one is damaged."""
    report("comparing the page and the other networks")
    return verify_folder(bundle, checkpoint, verify)


def key_of(precision: Precision) -> str:
    """Where the models of a precision lie in the bundle: ``int8`` for all quantized precisions, else ``fp32``."""
    return INT8 if precision in QUANTIZED else FLOAT


def float_network(plan: Plan) -> Checkpoint | None:
    """The float network that a plan's quantized one was made of: itself, where it is calibrated, or a shipped one."""
    quantization = plan.checkpoint.quantization
    if quantization is None:
        return plan.checkpoint
    for name in shipped_names():
        candidate = load_checkpoint(name, quantized=True)
        if candidate.sha256 == quantization.get("float_sha256"):
            return candidate
    return None


def write_onnx_bundle(form: Proven, folder: Path, steps: Steps) -> None:
    """Make of the graphs in ``folder`` a bundle of target ``onnx``."""
    files = {graph: Path(file).name for graph, file in form.conversion.files.items()}
    inside = dataclasses.replace(form, conversion=dataclasses.replace(form.conversion, files=files))
    steps.write_bundle(inside, folder, ONNX)
