"""The parity gate again, on a bundle that came from anywhere: nothing that it says of itself is believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.bundle import Bundle, open_bundle
from edgesr.errors import EdgesrError, UnavailableError
from edgesr.process import extras
from edgesr.runtime.base import Runtime
from edgesr.runtime.tried import is_tried, remember, try_first

from .artifact import engine_or_evaluator, isolated, isolates_itself
from .beside import Beside
from .manifest_checks import file_checks, form_checks, own_checks
from .parity import Case, Check, Expected, expected, measure_golden, measure_parity, real_cases
from .precision import QUANTIZED
from .shipped_reference import ShippedReference, find_shipped_reference
from .target import Report
from .targets import target_named
from .verification import Verification

if TYPE_CHECKING:
    from .reference import Reference

NO_CHECKPOINT = "the checkpoint it was made from is not here (--checkpoint says where it is)"
SAME_FILES = "its graphs are byte for byte the ONNX graphs that edgesr ships: every weight and step is theirs"
NOT_READ_BACK = (
    "compared with the ONNX graphs that edgesr ships, since PyTorch is not installed: what it computes was checked, "
    "what the files hold was not read back"
)


def verify(
    folder: str | Path, checkpoint: str | Path | None = None, report: Report = lambda stage: None
) -> Verification:
    """Repeat a bundle's parity gate: every hash first, then all that ``convert`` checks.

    The bundle is compared with the network that its manifest names, a shipped one, or with ``checkpoint``. A model file
    that nobody here has run yet runs in a process of its own; that it does not load, or ends that process, is an
    answer. ``result.ok`` is True where every check was made and passed; ``result.failed`` and ``result.unverified``
    say why it is not. Without PyTorch the network is compared with as its shipped ONNX graphs compute it, and what the
    files hold is judged by what they compute. ``report`` is told the name of each stage as it begins.

    Thread safety: several threads may verify bundles at once, as far as the target's engine allows it (see
    ``docs/threads.md``).

    Raises:
        BundleError: it is damaged or no bundle; nothing of it was loaded.
        CheckpointError: ``checkpoint`` is given, and the bundle was not made from it.
        UnavailableError: nothing on this machine can run or evaluate it.
    """
    report("checking hashes")
    bundle = open_bundle(Path(folder))  # refuses the bundle at the first file that is not what was converted
    files = float(len(bundle.manifest["sha256"]))
    work = Work(bundle, report, [Check("files with the right hash", True, files, files)])
    reference = None
    if work.add(form_checks(bundle)):
        sound = work.add(own_checks(bundle))
        reference = find_any_reference(bundle, checkpoint)
        # What is false on paper is not run.
        if (reference is None or work.agrees_with(reference)) and sound:
            work.run(reference)
        # Without PyTorch it is an ONNX bundle, which holds nothing else.
        if extras.has_torch() and (further := target_named(bundle.manifest["target"]).further("verify_further")):
            work.include(further(bundle, checkpoint, verify, report))
    if reference is None:
        work.unverified.append(NO_CHECKPOINT)
    unverified = "; ".join(work.unverified) or None
    residency = bundle.residency
    return Verification(tuple(work.checks), work.evaluated_with, tuple(work.notes), unverified, residency=residency)


def find_any_reference(bundle: Bundle, checkpoint: str | Path | None) -> Reference | ShippedReference | None:
    """The network that the bundle was made of, in PyTorch or as shipped graphs; None where it is not here.

    Raises:
        CheckpointError: ``checkpoint`` is given, and the bundle was not made from it.
        UnavailableError: only PyTorch could tell, and it is not installed.
    """
    if extras.has_torch():
        from .reference import find_reference

        return find_reference(bundle, checkpoint)
    if bundle.manifest["target"] != "onnx" or checkpoint is not None:
        what = "a checkpoint of one's own" if checkpoint is not None else f"a bundle for {bundle.manifest['target']}"
        raise UnavailableError(
            f"to verify {what} takes PyTorch, which is not installed", extras.install_hint("convert")
        )
    return find_shipped_reference(bundle)


@dataclasses.dataclass(frozen=True)
class Truth:
    """Real faces, and what the network makes of them."""

    cases: Sequence[Case]
    outputs: Sequence[Expected]


class Work:
    """What is known of a bundle so far."""

    def __init__(self, bundle: Bundle, report: Report, checks: list[Check]) -> None:
        self.bundle, self.report, self.checks = bundle, report, checks
        self.notes: list[str] = []
        self.unverified: list[str] = []
        self.evaluated_with = "nothing"

    def add(self, checks: Sequence[Check]) -> bool:
        """Note checks; whether all of them passed."""
        self.checks += checks
        return all(check.ok for check in checks)

    def include(self, other: Verification) -> None:
        """Note what another part of the bundle came to."""
        self.checks += other.checks
        self.notes += other.notes
        self.unverified += [other.unverified] if other.unverified else []

    def agrees_with(self, reference: Reference | ShippedReference) -> bool:
        """Whether the manifest is of this network, so that running one beside the other means something."""
        return self.add(reference.checks())

    def run(self, reference: Reference | ShippedReference | None) -> None:
        """Run the artifact beside the reference, and read back what it holds."""
        m = self.bundle.manifest
        self.report("running it on its golden vectors")
        runtime = self.attempt("model file: its runtime takes it", self.open_runtime)
        if runtime is None:
            return
        self.evaluated_with = runtime.name
        beside = self.beside_cpu(runtime)
        if not self.measure_golden(beside or runtime):
            return
        if beside is not None and beside.all_equal:
            claims = f"{runtime.name} claims {runtime.accelerator}"
            self.notes.append(f"suspected fallback: {claims}, and every bit is as the CPU computes it")
        if reference is None:
            self.notes.append(f"{NO_CHECKPOINT}: only what it says of itself was compared")
            return
        self.report("comparing with the network on real faces")
        self.measure_faces(runtime, self.truth(reference))
        if isinstance(reference, ShippedReference):
            self.notes.append(SAME_FILES if reference.same_files else NOT_READ_BACK)
            if not self.failed:
                remember(m)
        else:
            self.compare_contents(reference)

    def truth(self, reference: Reference | ShippedReference) -> Truth:
        """What the network makes of real faces; and the bundle's golden vectors are compared with what it makes."""
        network, cases = reference.runtime(), real_cases(reference.interface)
        theirs = measure_golden(network, self.bundle.golden(), self.bundle.manifest["precision"])
        self.add(
            [dataclasses.replace(check, name=f"golden vectors of the network {check.name}") for check in theirs.checks]
        )
        return Truth(cases, expected(network, cases))

    @property
    def least(self) -> Any:
        """What the target asks of the bundle's precision instead of what all are asked; None where nothing."""
        m = self.bundle.manifest
        return target_named(m["target"]).psnr_db.get(m["precision"])

    def measure_golden(self, runtime: Runtime, where: str = "") -> bool:
        """The gate on the golden vectors; whether both graphs could run. ``where`` stands before each check's name."""
        golden, precision = self.bundle.golden(), self.bundle.manifest["precision"]
        measured = self.attempt(
            f"{where}golden vectors: both graphs run", lambda: measure_golden(runtime, golden, precision, self.least)
        )
        if measured is not None:
            self.add([dataclasses.replace(check, name=f"{where}golden {check.name}") for check in measured.checks])
        return measured is not None

    def measure_faces(self, runtime: Runtime, truth: Truth, where: str = "") -> None:
        """The gate on real faces."""
        precision = self.bundle.manifest["precision"]
        parity = self.attempt(
            f"{where}real faces: both graphs run",
            lambda: measure_parity(runtime, truth.cases, truth.outputs, precision, self.least),
        )
        if parity is not None:
            self.add([dataclasses.replace(check, name=f"{where}real faces {check.name}") for check in parity.checks])

    def beside_cpu(self, runtime: Runtime) -> Beside | None:
        """An engine that claims an accelerator, beside the same artifact on the CPU; None of any other."""
        if not runtime.accelerator:
            return None  # before the target's module is loaded, which takes PyTorch
        m, on_cpu = self.bundle.manifest, target_named(self.bundle.manifest["target"]).further("on_cpu")
        if on_cpu is None:
            return None
        described = (self.bundle.folder, m["files"], self.bundle.interface, m["tensors"])
        return self.attempt("model file: the CPU takes it", lambda: Beside(runtime, on_cpu(*described)))

    def open_runtime(self) -> Runtime:
        m, target = self.bundle.manifest, target_named(self.bundle.manifest["target"])
        known = is_tried(m) or isolates_itself(target)
        opener = engine_or_evaluator if known else isolated
        runtime = opener(target, self.bundle.folder, m["files"], self.bundle.interface, m["tensors"])
        if not target.executes_here:
            self.notes.append(f"{target.name} does not execute on this system: {target.otherwise}")
        return runtime

    def compare_contents(self, reference: Reference) -> None:
        """Every weight and step of the file, and the figures that the manifest gives of it."""
        from .int8 import int8_checks
        from .stored import stored_checks

        self.report("reading back what the file holds")
        plan, graphs, m = reference.plan, reference.graphs, self.bundle.manifest
        read = self.attempt(
            "model file: it can be read back",
            lambda: plan.target.read_back(self.bundle.folder, m["files"], plan.precision),
        )
        if read is None:
            return
        if plan.precision in QUANTIZED:
            self.add(int8_checks(read.convolutions, graphs))
        self.add(stored_checks(read.convolutions, graphs, plan.precision))
        self.add(list(file_checks(self.bundle, read, graphs)))
        if not self.failed:
            remember(m)

    @property
    def failed(self) -> bool:
        return not all(check.ok for check in self.checks)

    def attempt(self, name: str, call: Callable[[], Any]) -> Any:
        """What ``call`` gives; None where the file made it fail, which is a failed check with a note that says how.

        Raises:
            UnavailableError: this machine lacks something.
        """
        try:
            return call()
        except UnavailableError:
            raise
        except Exception as error:  # libraries raise anything on a damaged file
            what = error.what if isinstance(error, EdgesrError) else f"{type(error).__name__}: {error}"
            self.checks.append(Check(name, False, 0.0, 1.0))
            self.notes.append(f"{name}: it does not: {' '.join(what.split())[:300]}")
            return None


def runtime_or_evaluator(bundle: Bundle) -> tuple[Runtime, list[str]]:
    """What runs the bundle here, with a note where that is no execution.

    Raises:
        BundleError: its runtime does not take the model, or is ended by it.
    """
    m = bundle.manifest
    target = target_named(m["target"])
    described = (target, bundle.folder, m["files"], bundle.interface, m["tensors"])
    if not isolates_itself(target):
        try_first(m, lambda: isolated(*described))
    runtime = engine_or_evaluator(*described)
    if target.executes_here:
        return runtime, []
    return runtime, [f"{target.name} does not execute on this system: {target.otherwise}"]
