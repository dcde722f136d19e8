"""The parity gate on emulated arm64 CPUs: the kernels that phones run, and whether they give what x86's give."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgesr.bundle import open_bundle
from edgesr.errors import UnavailableError, UsageError
from edgesr.runtime.engines import ENGINES, Engine
from edgesr.runtime.isolated import IsolatedRuntime

from ..beside import Beside
from ..manifest_checks import form_checks, own_checks
from ..parity import Check
from ..target import Report
from ..verification import Emulated, Verification
from ..verify import NO_CHECKPOINT, Work, find_any_reference
from .environment import Arm64Environment, arm64_environment, ours
from .runtime import CPUS, Cpu, EmulatedRuntime, find_cpu

if TYPE_CHECKING:
    from ..reference import Reference
    from ..shipped_reference import ShippedReference

RUNS = {
    "tflite": ENGINES["tflite"],
    "executorch": ENGINES["executorch"],
    "onnx": ENGINES["onnx"],
    "web": ENGINES["onnx"],
}
"""What runs a target's artifacts on arm64 Linux."""
CANNOT = {"coreml": "Core ML runs on Apple's systems alone"}
SINCE_2018 = tuple(cpu for cpu in CPUS if cpu != "cortex-a72")
"""CPUs that ExecuTorch's Python runtime runs on: it loads PyTorch, whose arm64 files are compiled for ARMv8.1."""
OLDER_EXECUTORCH = (
    "by the kernels of ExecuTorch 1.1.0, the last whose Python runtime runs on arm64 without NVIDIA's libraries: "
    "a phone has those of the version that the app is built with"
)


def verify_on_arm64(
    folder: str | Path,
    checkpoint: str | Path | None = None,
    report: Report = lambda stage: None,
    cpus: Sequence[str] = (),
) -> Verification:
    """The gate of ``verify`` on emulated arm64 CPUs: golden vectors, and real faces beside the network.

    ``cpus``: names that QEMU knows; by default ``CPUS``, with and without dotprod and i8mm, or ``SINCE_2018`` for
    ExecuTorch. What the files hold is not read back: ``verify`` does it. ``emulated`` of the result says for each CPU
    whether the outputs are this machine's to the bit. The first call fetches the emulator (half a minute, 700 MB in the
    user's cache), the first with an ExecuTorch bundle ExecuTorch and PyTorch for it (a minute, 820 MB).

    Raises:
        BundleError: it is damaged or no bundle; nothing of it was loaded.
        CheckpointError: ``checkpoint`` is given, and the bundle was not made from it.
        UnavailableError: arm64 cannot be emulated here, or nothing runs this target's artifacts there.
        UsageError: QEMU does not know a CPU, or ExecuTorch's Python runtime does not run on it.
    """
    report("checking hashes")
    bundle = open_bundle(Path(folder))
    engine = engine_of(bundle.manifest["target"])
    executorch = engine is ENGINES["executorch"]
    known = SINCE_2018 if executorch else CPUS
    environment = arm64_environment()
    environment.create(report)
    files = float(len(bundle.manifest["sha256"]))
    work = Work(bundle, report, [Check("files with the right hash", True, files, files)])
    emulated: list[Emulated] = []
    reference = None
    with ours() as path:
        found = [find_cpu(environment, path, name, known) for name in cpus or known]
        if executorch:
            refuse_older(found)
            environment.add_executorch(report)
        if work.add(form_checks(bundle)):
            sound = work.add(own_checks(bundle))
            reference = find_any_reference(bundle, checkpoint)
            if (reference is None or work.agrees_with(reference)) and sound:
                emulated += _run_on_each(_Machines(environment, path, found, engine), work, reference)
    if reference is None:
        work.unverified.append(NO_CHECKPOINT)
    if executorch:
        work.notes.append(OLDER_EXECUTORCH)
    unverified = "; ".join(work.unverified) or None
    return Verification(tuple(work.checks), work.evaluated_with, tuple(work.notes), unverified, tuple(emulated))


def refuse_older(cpus: Sequence[Cpu]) -> None:
    """Raises UsageError where ExecuTorch's Python runtime, which loads PyTorch, would be ended by a CPU."""
    for cpu in cpus:
        if not cpu.atomics:
            raise UsageError(
                f"ExecuTorch's Python runtime does not run on {cpu.name}: the PyTorch that it loads needs ARMv8.1",
                f"a phone with such a CPU runs ExecuTorch all the same; here: {', '.join(SINCE_2018)}",
            )


@dataclasses.dataclass(frozen=True)
class _Machines:
    """What arm64 is emulated with."""

    environment: Arm64Environment
    ours: Path
    cpus: Sequence[Cpu]
    engine: Engine


def _run_on_each(machines: _Machines, work: Work, reference: Reference | ShippedReference | None) -> Iterator[Emulated]:
    """The gate on each CPU; what fails there is a failed check of ``work``."""
    work.report("running it on this machine's own kernels")
    bundle, m = work.bundle, work.bundle.manifest
    described = (machines.engine, bundle.folder, m["files"], bundle.interface, m["tensors"])
    # The same engine on both, also where this machine has another for the target, as a browser.
    here = work.attempt("model file: its runtime takes it", lambda: IsolatedRuntime(*described))
    if here is None:
        return
    truth = None if reference is None else work.truth(reference)
    for cpu in machines.cpus:
        work.report(f"running it on {cpu}")
        started = time.monotonic()

        def opened(cpu: Cpu = cpu) -> EmulatedRuntime:
            return EmulatedRuntime(machines.environment, machines.ours, cpu, *described)

        runtime = work.attempt(f"{cpu.name}: model file: its runtime takes it", opened)
        if runtime is None:
            continue
        beside = Beside(runtime, here)
        try:
            if work.measure_golden(beside, f"{cpu.name}: ") and truth is not None:
                work.measure_faces(beside, truth, f"{cpu.name}: ")
        finally:
            runtime.close()
        work.evaluated_with = f"{runtime.name.split()[0]} on emulated arm64"
        result = Emulated(
            cpu=cpu.name,
            dotprod=cpu.dotprod,
            i8mm=cpu.i8mm,
            engine=runtime.name,
            seconds=round(time.monotonic() - started, 1),
            equal=beside.equal,
            largest=beside.largest,
        )
        work.notes.append(str(result))
        yield result


def engine_of(target: str) -> Engine:
    """What runs a target's artifacts on arm64 Linux.

    Raises:
        UnavailableError: nothing does.
    """
    if target not in RUNS:
        why = CANNOT.get(target, "there is no engine of it for arm64 Linux")
        raise UnavailableError(f"{target} bundles do not run on emulated arm64: {why}", f"these do: {', '.join(RUNS)}")
    return RUNS[target]
