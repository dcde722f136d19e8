"""The parity gate again, on a bundle that came from anywhere."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

from edgesr.bundle import Bundle, open_bundle
from edgesr.errors import CheckpointError
from edgesr.models.checkpoint import load_checkpoint, shipped_names
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.base import Runtime

from .artifact import engine_or_evaluator
from .parity import Check, expected, measure_golden, measure_parity, real_cases
from .quantized import reference_runtime
from .target import Report, target_named


@dataclasses.dataclass(frozen=True)
class Verification:
    """The checks made, and in words what this machine could not do."""

    checks: tuple[Check, ...]
    evaluated_with: str
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "checks": [check.to_dict() for check in self.checks],
            "evaluated_with": self.evaluated_with,
            "notes": list(self.notes),
        }


def verify(folder: Path, checkpoint: str | Path | None = None, report: Report = lambda stage: None) -> Verification:
    """Check every hash, then both graphs against the golden vectors and, where the checkpoint is, real faces.

    Raises:
        BundleError: it is damaged or no bundle; nothing of it was loaded.
        UnavailableError: nothing on this machine can run or evaluate it.
    """
    report("checking hashes")
    bundle = open_bundle(folder)  # refuses the bundle at the first file that is not what was converted
    precision = bundle.manifest["precision"]
    files = float(len(bundle.manifest["sha256"]))
    checks = [Check("files with the right hash", True, files, files)]
    notes = []
    report("running it on its golden vectors")
    runtime, note = runtime_or_evaluator(bundle)
    notes += note
    golden = measure_golden(runtime, bundle.golden(), precision)
    checks += [dataclasses.replace(check, name=f"golden {check.name}") for check in golden.checks]
    reference = find_reference(bundle, checkpoint)
    if reference is None:
        notes.append(
            "the checkpoint it was made from is not here, so only its golden vectors were compared "
            "(--checkpoint says where it is)"
        )
    else:
        report("comparing with PyTorch on real faces")
        cases = real_cases(bundle.config)
        parity = measure_parity(runtime, cases, expected(reference, cases), precision)
        checks += [dataclasses.replace(check, name=f"real faces {check.name}") for check in parity.checks]
    return Verification(tuple(checks), runtime.name, tuple(notes))


def runtime_or_evaluator(bundle: Bundle) -> tuple[Runtime, list[str]]:
    """What runs the bundle here, with a note where that is no execution."""
    m = bundle.manifest
    target = target_named(m["target"])
    runtime = engine_or_evaluator(target, bundle.folder, m["files"], bundle.config, m["tensors"])
    if target.executes_here:
        return runtime, []
    return runtime, [f"{target.name} does not execute on this system: {target.otherwise}"]


def find_reference(bundle: Bundle, checkpoint: str | Path | None) -> Runtime | None:
    """The network the bundle was made from, if it is here: given, shipped, or shipped as the given one's int8 form.

    Raises:
        CheckpointError: a checkpoint is given, and the bundle was made neither from it nor from its int8 form.
    """
    given = load_checkpoint(checkpoint, quantized=True) if checkpoint else None
    shipped = (load_checkpoint(name, quantized=True) for name in shipped_names())
    for candidate in itertools.chain([given] if given else [], shipped):
        made_of = (candidate.quantization or {}).get("float_sha256")
        of_given = given is None or candidate is given or made_of == given.sha256
        if of_given and candidate.sha256 == bundle.manifest["checkpoint_sha256"]:
            stored = bundle.manifest.get("quantization")
            quantization = Quantization.from_dict(stored) if stored else None
            return reference_runtime(candidate, bundle.config, bundle.manifest["lowering"], quantization)
    if given:
        raise CheckpointError(
            f"{bundle.folder} was not made from {checkpoint}", "its SHA-256 is not the one in the manifest"
        )
    return None
