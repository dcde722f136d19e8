"""What a check of the iOS booth says: one line for each promise that is not kept, last ``N passed, N failed``."""

from __future__ import annotations

from collections.abc import Iterable

Check = tuple[str, bool, str]
"""What must hold, whether it does, what was found."""


def tell(checks: Iterable[Check]) -> int:
    """Print what failed and how many there were; the exit code: 1 where any failed."""
    passed = failed = 0
    for promise, kept, found in checks:
        passed, failed = passed + kept, failed + (not kept)
        if not kept:
            print(f"failed: {promise}: {found}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)
