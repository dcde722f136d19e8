"""Which quantization a conversion has: a checkpoint's own, the shipped one of its name, or one calibrated for it."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from pathlib import Path
from typing import Any

from edgesr.deployment.graphs import Graphs
from edgesr.errors import CheckpointError, UnavailableError, UsageError
from edgesr.models import Checkpoint, load_checkpoint
from edgesr.models.checkpoint import mint_feature_space, shipped_names, weights_sha256
from edgesr.models.description import untrained
from edgesr.models.interface import Interface
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of
from edgesr.quantize.recipe import read_recipe
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.base import Runtime
from edgesr.runtime.torch import TorchRuntime

from .precision import PRECISIONS, QUANTIZED, Precision
from .target import Report, Target

SUFFIX = "-int8"
"""How the name of a float network's shipped int8 network ends."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What to calibrate a float network with."""

    folder: Path
    """A folder of people, as ``edgesr train`` takes it."""
    split: str = "train"
    recipe: Path | None = None
    observer: str = "cubic"


def choose_checkpoint(
    checkpoint: str | Path, precision: Precision, calibration: Calibration | None
) -> tuple[Checkpoint, Quantization | None]:
    """The weights to convert, and their quantization; None where there is none, or it is yet to be calibrated.

    Raises:
        UsageError: the precision needs a quantization and there is none, with the ways to one.
        CheckpointError: the checkpoint is missing or damaged, or is of another precision.
    """
    loaded = load_or_initialise(checkpoint, quantized=precision in QUANTIZED)
    if precision not in QUANTIZED:
        if calibration:
            takes = " or ".join(record.name for record in PRECISIONS.values() if record.calibrated)
            raise UsageError(f"{precision} needs no calibration", f"--calibrate goes with --precision {takes}")
        return loaded, None
    own = _quantization_of(loaded)
    if calibration is not None:
        if own:
            raise UsageError(
                f"{loaded.name} has its scales already", "leave --calibrate out, or give the float network"
            )
        if not PRECISIONS[precision].calibrated:
            raise UsageError(f"{precision} means a network trained for it", "--precision int8-ptq takes --calibrate")
        if precision == "mixed" and calibration.recipe is None:
            raise UsageError("mixed needs a recipe", "--recipe FILE; edgesr quantize --search finds one")
        return loaded, None
    if own is None and precision == "int8":
        loaded = _shipped_twin(loaded)
        own = _quantization_of(loaded)
    if own is None:
        raise UsageError(
            f"{loaded.name} is a float network: {precision} needs scales",
            f"--precision {precision} --calibrate FOLDER measures them on faces; edgesr quantize keeps them",
        )
    if precision not in own.precisions:
        raise CheckpointError(
            f"{loaded.name} is no {precision} network: it is {' and '.join(own.precisions)}",
            f"--precision {own.precisions[0]}, or another --checkpoint",
        )
    return loaded, own


def load_or_initialise(checkpoint: str | Path, quantized: bool) -> Checkpoint:
    """``load_checkpoint``, or of a preset without weights random ones, the same each time: they restore nothing, and
    show whether the network converts."""
    config = untrained(checkpoint)
    if config is None:
        return load_checkpoint(checkpoint, quantized=quantized)
    # Here alone: training stands on libraries that conversions of trained networks go without.
    import torch

    from edgesr.data.samples import sample_faces
    from edgesr.training.feature_scales import measure_feature_scales

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Network = architecture_of(config).build(config).eval().requires_grad_(False)
    photos = [torch.from_numpy(face.exemplar.copy()).permute(2, 0, 1) for face in sample_faces(config.hr_size)]
    scales, name = measure_feature_scales(model, torch.stack(photos)), str(checkpoint)
    space = f"{mint_feature_space(name, model)}-untrained"
    return Checkpoint(name, model, space, scales, weights_sha256(model), {"untrained": True})


def _shipped_twin(loaded: Checkpoint) -> Checkpoint:
    """The shipped int8 network that was made of this float one."""
    name = f"{loaded.name}{SUFFIX}"
    remedy = "edgesr quantize trains one; --precision int8-ptq --calibrate FOLDER needs no training"
    if name not in shipped_names():
        raise UsageError(f"there is no int8 network of {loaded.name}", remedy)
    twin = load_checkpoint(name, quantized=True)
    made_of = (twin.quantization or {}).get("float_sha256")
    if made_of != loaded.sha256:
        raise UsageError(f"{name} was made of other weights than {loaded.name} has now", remedy)
    return twin


def _quantization_of(loaded: Checkpoint) -> Quantization | None:
    return None if loaded.quantization is None else Quantization.from_dict(loaded.quantization)


def calibrated(checkpoint: Checkpoint, calibration: Calibration, report: Report) -> Quantization:
    """Scales from faces of the calibration's folder.

    Raises:
        InputOutputError: there are no faces in it. UsageError: the recipe names a layer that there is not.
    """
    recipe = read_recipe(calibration.recipe) if calibration.recipe else None
    ptq, interface = _import("ptq"), checkpoint.model.interface
    report("calibrating on real faces")
    faces = ptq.calibration_faces(calibration.folder, calibration.split, interface.hr_size, interface.slots)
    quantization: Quantization = ptq.calibrate(checkpoint, faces, recipe=recipe, observer=calibration.observer)
    return quantization


def quantization_for(target: Target, checkpoint: Checkpoint, quantization: Quantization | None) -> Quantization | None:
    """The quantization with what the target keeps in float; as it is where that is nothing."""
    if quantization is None or not target.in_float:
        return quantization
    kept: Quantization = _import("graphs").kept_in_float(checkpoint.model, quantization, target.in_float)
    return kept


def quantized_graphs(graphs: Graphs, quantization: Quantization | None) -> Graphs:
    """The graphs with quantize and dequantize operators, or as they are where there is no quantization."""
    if quantization is None:
        return graphs
    quantized: Graphs = _import("graphs").quantize_graphs(graphs, quantization)
    return quantized


def reference_runtime(
    checkpoint: Checkpoint, interface: Interface, quantization: Quantization | None, graphs: Graphs
) -> Runtime:
    """What an artifact must equal: the network, or its quantized form, which are its deployed ``graphs``."""
    if quantization is None:
        return TorchRuntime(checkpoint.model, interface)
    runtime: Runtime = _import("graphs").GraphsRuntime(graphs)
    return runtime


def quantization_lacks() -> str | None:
    """What would have to be installed for quantized graphs; None where nothing is missing."""
    return None if importlib.util.find_spec("torchao") else "torchao"


def _import(name: str) -> Any:
    """A module of ``edgesr.quantize`` that stands on torchao."""
    try:
        return importlib.import_module(f"edgesr.quantize.{name}")
    except ImportError as error:
        raise UnavailableError(f"int8 needs {error.name}", "pip install 'edgesr[executorch]'") from error
