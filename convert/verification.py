"""What a bundle was found to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgesr.errors import EXIT_NEGATIVE, EXIT_OK, EXIT_UNVERIFIED

from .parity import Check


@dataclasses.dataclass(frozen=True)
class Verification:
    """The checks made, and in words what this machine could not do."""

    checks: tuple[Check, ...]
    evaluated_with: str
    notes: tuple[str, ...]
    unverified: str | None = None
    """Why nobody knows, although no check failed; None where everything was compared."""

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
        }


Verify = Callable[[Path, "str | Path | None"], Verification]
"""A function of a bundle's folder and of the checkpoint that it is said to be made of, which verifies it."""
