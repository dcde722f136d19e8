"""From a checkpoint to a proven bundle: graphs, target, parity gate, manifest."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors.numpy

from edgesr.bundle import GOLDEN, default_name, write_aside
from edgesr.deployment.graphs import GraphName, Graphs, deployed_graphs
from edgesr.errors import ParityError, UnavailableError, UsageError
from edgesr.files.leftovers import work_folder
from edgesr.models.shipped import trained_weights
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.runtime.base import Array, Runtime
from edgesr.runtime.tried import remember

from .artifact import engine_or_evaluator
from .int8 import count, int8_checks, shortfall
from .locate import first_departing_module
from .manifest import write_manifest
from .parity import Case, Check, Expected, Parity, expected, golden_vectors, measure_parity, real_cases
from .plan import Plan, Proven, Steps
from .precision import PRECISIONS, QUANTIZED
from .quantized import (
    Calibration,
    calibrated,
    choose_checkpoint,
    quantization_for,
    quantization_lacks,
    quantized_graphs,
    reference_runtime,
)
from .stored import stored_checks
from .target import Conversion, Report, Target
from .targets import choose, precisions_of, target_named


def plan(
    target: str,
    *,
    checkpoint: str | Path = DEFAULT_CHECKPOINT,
    precision: str | None = None,
    lowering: str | None = None,
    lr_size: int | None = None,
    slots: int | None = None,
    output: Path | None = None,
    calibration: Calibration | None = None,
    chips: Sequence[str] = (),
) -> Plan:
    """Choose defaults and refuse what cannot work, before any time is spent.

    ``precision`` None: the one that an int8 checkpoint has; of a float one the target's default. ``chips``: those to
    compile for, of a target that compiles for chips.

    Raises:
        UsageError: an unknown target, precision, lowering or chip, or a precision that needs a quantization.
        UnavailableError: the target needs something that is not installed.
        CheckpointError: the checkpoint is missing, damaged or foreign, or a size is out of range.
    """
    made_for = () if calibration else precisions_of(checkpoint)
    by_default = precision is None and not made_for
    record, taken, lowering = choose(target, precision, lowering, made_for, chips)
    if missing := record.missing():
        raise UnavailableError(
            f"cannot convert to {target} here: {', '.join(missing)} missing",
            record.remedy,
        )
    notes: tuple[str, ...] = ()
    if by_default and not calibration and taken in QUANTIZED and (lacking := quantization_lacks()):
        taken, notes = (
            record.in_float_alone,
            (f"{taken} needs {lacking}: it is converted in float (pip install 'edgesr[executorch]')",),
        )
    try:
        loaded, quantization = choose_checkpoint(checkpoint, taken, calibration)
    except UsageError as error:
        # Only where int8 is a default, and not a wish.
        if not by_default or calibration or taken not in QUANTIZED:
            raise
        taken, notes = record.in_float_alone, (f"{error.what}: it is converted in float alone ({error.hint})",)
        loaded, quantization = choose_checkpoint(checkpoint, taken, None)
    if loaded.training.get("untrained"):
        elsewhere = trained_weights(loaded.name)
        what = f"{loaded.name} has no weights yet: random ones are converted, which restore nothing"
        notes += (f"{what} ({elsewhere})" if elsewhere else what,)
    quantization = quantization_for(record, loaded, quantization)
    sizes = {name: value for name, value in (("lr_size", lr_size), ("slots", slots)) if value is not None}
    config = loaded.model.config.replace(**sizes)
    default_lowering = lowering == record.lowerings[0]
    # A bundle's name says its precision already.
    base = quantization.float_name if quantization and quantization.float_name else loaded.name
    name = default_name(base, config.interface, record.label, taken, None if default_lowering else lowering)
    output = output or Path.cwd() / name
    return Plan(loaded, record, taken, lowering, config, output, quantization, calibration, notes)


_one_at_a_time = threading.RLock()
"""Exporters keep state of their own in the process: threads that convert at once would trip over each other."""


def convert(
    plan: Plan, *, force: bool = False, report: Report = lambda stage: None, graphs: Graphs | None = None
) -> dict[str, Any]:
    """Carry out a plan and return the bundle's manifest; on any failure nothing is left behind.

    ``graphs`` stands in for those of the plan's checkpoint, with which the artifact is compared all the same.

    Raises:
        ParityError: the artifact departs from PyTorch; names the first module that does.
        UsageError: the output exists and ``force`` is not given.
        InputOutputError: the output cannot be written.
    """
    started = time.monotonic()
    with _one_at_a_time, write_aside(plan.output, force) as folder:
        proven = prove(plan, folder, report, graphs)
        complete = plan.target.further("complete")
        further = complete(proven, folder, report, Steps(prove, write_bundle)) if complete else {}
        proven = dataclasses.replace(proven, seconds=time.monotonic() - started)
        return write_bundle(proven, folder, further=further)


def prove(plan: Plan, folder: Path, report: Report, graphs: Graphs | None = None) -> Proven:
    """Write the plan's artifact into ``folder`` and compare it with PyTorch. Raises as ``convert``."""
    started = time.monotonic()
    if plan.calibration is not None:
        quantization = calibrated(plan.checkpoint, plan.calibration, report)
        kept = quantization_for(plan.target, plan.checkpoint, quantization)
        plan = dataclasses.replace(plan, quantization=kept, calibration=None)
    report("rewriting the network for deployment")
    wanted = make_graphs(plan)
    graphs = graphs or wanted
    conversion = plan.target.convert(graphs, plan.precision, folder, report)
    report("comparing with PyTorch on real faces")
    cases = real_cases(plan.interface)
    truth = expected(reference_runtime(plan.checkpoint, plan.interface, plan.quantization, wanted), cases)
    golden = golden_vectors(cases[1], truth[1], plan.interface)
    least = plan.target.psnr_db.get(plan.precision)
    parity = measure_parity(open_artifact(plan, folder, conversion), cases, truth, plan.precision, least)
    parity = dataclasses.replace(parity, checks=parity.checks + conversion.checks)
    if plan.precision in QUANTIZED:
        parity = dataclasses.replace(parity, checks=parity.checks + int8_checks(conversion.convolutions, wanted))
    if parity.ok and PRECISIONS[plan.precision].twin:
        report("comparing its fp32 twin with PyTorch")
        parity = dataclasses.replace(parity, checks=parity.checks + twin_checks(plan, graphs, cases, truth))
    stored = stored_checks(conversion.convolutions, wanted, plan.precision)
    parity = dataclasses.replace(parity, checks=parity.checks + stored)
    if not parity.ok:
        raise ParityError(*describe_failure(plan, graphs, parity, golden, report))
    int8_convs = count(conversion.convolutions, wanted)
    return Proven(plan, graphs, conversion, parity, golden, int8_convs, time.monotonic() - started)


def write_bundle(
    proven: Proven, folder: Path, target: Target | None = None, further: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write golden vectors and the manifest beside a proven artifact; ``target`` stands in for the plan's."""
    plan = proven.plan
    safetensors.numpy.save_file(proven.golden, folder / GOLDEN)
    manifest = write_manifest(
        folder,
        plan.checkpoint,
        target or plan.target,
        plan.precision,
        proven.graphs,
        proven.conversion,
        proven.parity,
        proven.seconds,
        quantization=plan.quantization,
        int8_convs=proven.int8_convs,
        further=further,
    )
    remember(manifest)  # the gate has run it
    return manifest


def make_graphs(plan: Plan) -> Graphs:
    """The deployed form of the plan's network, with the metadata that is embedded in the artifact."""
    graphs = deployed_graphs(
        plan.checkpoint.model,
        plan.lowering,
        lr_size=plan.interface.lr_size,
        slots=plan.interface.slots,
        skip=plan.target.skip,
    )
    metadata: dict[str, str | int] = {
        "edgesr_name": plan.checkpoint.name,
        "edgesr_feature_space": plan.checkpoint.feature_space,
        "edgesr_scale": plan.interface.scale,
        "edgesr_lr_size": plan.interface.lr_size,
        "edgesr_slots": plan.interface.slots,
        "edgesr_precision": plan.precision,
        "edgesr_checkpoint_sha256": plan.checkpoint.sha256,
    }
    return dataclasses.replace(quantized_graphs(graphs, plan.quantization), metadata=metadata)


def open_artifact(plan: Plan, folder: Path, conversion: Conversion) -> Runtime:
    """What runs a fresh artifact here."""
    return engine_or_evaluator(plan.target, folder, conversion.files, plan.interface, conversion.tensors)


def twin_checks(plan: Plan, graphs: Graphs, cases: Sequence[Case], truth: Sequence[Expected]) -> tuple[Check, ...]:
    """The fp32 gate on the same graphs converted in fp32.

    A layer that is wrong by a tenth can stay below the rounding of fp16 (as little as 87 dB on a trained
    network), so the precision and the conversion are judged apart.
    """
    twin = in_fp32(plan)
    with work_folder("twin") as folder:
        conversion = twin.target.convert(graphs, "fp32", folder, lambda stage: None)
        parity = measure_parity(open_artifact(twin, folder, conversion), cases, truth, "fp32")
    return tuple(dataclasses.replace(check, name=f"fp32 twin {check.name}") for check in parity.checks)


def in_fp32(plan: Plan) -> Plan:
    """The plan of the same network in fp32, for the target that computes it so."""
    target = target_named(plan.target.fp32_form) if plan.target.fp32_form else plan.target
    return dataclasses.replace(plan, target=target, precision="fp32")


def describe_failure(
    plan: Plan, graphs: Graphs, parity: Parity, golden: dict[str, Array], report: Report
) -> tuple[str, str]:
    """What failed and where, as the two parts of an error."""
    failed = [check for check in parity.checks if not check.ok]
    if short := shortfall(failed):
        return f"{plan.target.name} {plan.precision}: {short}", "nothing was written; please report it"
    graph: GraphName = "encode" if any("features" in check.name for check in failed) else "restore"
    # What only the twin shows has to be looked for in fp32.
    sought = in_fp32(plan) if failed[0].name.startswith("fp32 twin") else plan
    try:
        module = first_departing_module(
            graphs,
            make_graphs(plan),
            graph,
            {key.split(".in.")[1]: array for key, array in golden.items() if key.startswith(f"{graph}.in.")},
            sought.precision,
            convert=lambda prefix, folder: sought.target.convert(prefix, sought.precision, folder, lambda stage: None),
            open_artifact=lambda folder, conversion: open_artifact(sought, folder, conversion),
            report=report,
        )
    except Exception as error:  # the verdict stands whatever becomes of the search
        module = f"not found, since a prefix of the network could not be converted ({error})"
    what = (
        f"{plan.target.name} {plan.precision} does not compute what PyTorch computes: "
        f"{failed[0].name} is {failed[0].value:.3g} where {failed[0].threshold:g} is allowed; "
        f"first module that departs: {module}"
    )
    return what, "nothing was written; another --lowering or --precision may work, and please report it"
