"""What a bundle was found to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgesr.errors import EXIT_NEGATIVE, EXIT_OK, EXIT_UNVERIFIED
from edgesr.residency import Residencies, residencies_to_dict

from .parity import Check


@dataclasses.dataclass(frozen=True)
class Emulated:
    """A bundle on an emulated CPU, beside this machine's own kernels."""

    cpu: str
    dotprod: bool
    i8mm: bool
    engine: str
    seconds: float
    """That all of it took: emulation says nothing of a phone's pace."""
    equal: Mapping[str, bool]
    """By output that both computed, whether it is equal to this machine's to the bit, on golden vectors and faces."""
    largest: float
    """Difference of an output, of values relative to its peak."""

    def __str__(self) -> str:
        if not self.equal:
            return f"{self.cpu}: nothing could be compared with this machine's"
        unequal = [name for name, equal in self.equal.items() if not equal]
        if not unequal:
            return f"{self.cpu}: {', '.join(self.equal)} are equal to this machine's to the bit"
        return f"{self.cpu}: {', '.join(unequal)} differ from this machine's by {self.largest:.1e} of the peak at most"


@dataclasses.dataclass(frozen=True)
class Verification:
    """The checks made, and in words what this machine could not do."""

    checks: tuple[Check, ...]
    evaluated_with: str
    notes: tuple[str, ...]
    unverified: str | None = None
    """Why nobody knows, although no check failed; None where everything was compared."""
    emulated: tuple[Emulated, ...] = ()
    """Other CPUs that it was run on."""
    residency: Residencies = dataclasses.field(default_factory=dict)
    """What each backend takes of a graph, as the manifest says; what lies in the file was held against it."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if not check.ok)

    @property
    def ok(self) -> bool:
        """Whether it is known to be what it says: every check was made and none failed."""
        return not self.failed and self.unverified is None

    @property
    def exit_code(self) -> int:
        """0 ok, 1 a check failed, 4 unverified."""
        return EXIT_NEGATIVE if self.failed else EXIT_UNVERIFIED if self.unverified else EXIT_OK

    def to_dict(self) -> dict[str, Any]:
        verdict = {EXIT_OK: "ok", EXIT_NEGATIVE: "failed", EXIT_UNVERIFIED: "unverified"}[self.exit_code]
        return {
            "ok": self.ok,
            "verdict": verdict,
            "checks": [check.to_dict() for check in self.checks],
            "evaluated_with": self.evaluated_with,
            "notes": list(self.notes),
            "residency": residencies_to_dict(self.residency),
            **({"emulated": [dataclasses.asdict(one) for one in self.emulated]} if self.emulated else {}),
        }


Verify = Callable[[Path, "str | Path | None"], Verification]
"""A function of a bundle's folder and of the checkpoint that it is said to be made of, which verifies it."""
