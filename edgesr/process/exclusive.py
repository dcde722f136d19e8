"""One at a time, and in one process: what keeps engines and detectors right from several threads and after a fork.

Most engines keep their state in the object that runs them, so two threads would write into each other's tensors. And a
fork copies memory without the threads that work on it: who computes in the copy waits for them for ever.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from edgesr.errors import UsageError

_first_use: dict[str, int] = {}
"""Library to the process that computed with it first."""


class ForkError(UsageError):
    """This process is a fork of one that has computed already."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"this process is a fork of one that used {name} already, and in a fork it would hang",
            "start processes by 'spawn': multiprocessing.get_context('spawn'), or set_start_method('spawn')",
        )


class Exclusive:
    """Guards an object that computes: one thread at a time, and no fork.

    ``library`` names what keeps threads of its own for the whole process (PyTorch, ExecuTorch, OpenCV): where it has
    computed before a fork, new objects are refused after it as well.
    """

    def __init__(
        self,
        name: str,
        library: str = "",
        lock: contextlib.AbstractContextManager[Any] | None = None,
        alone: bool = True,
    ) -> None:
        """``lock`` may be shared by several objects; ``alone`` False lets threads in together, for what takes them."""
        self.name, self.library = name, library
        self._lock = (lock or threading.RLock()) if alone else contextlib.nullcontext()
        self._alone = alone
        self._pid = os.getpid()
        self.check()

    def check(self) -> None:
        """Raises ForkError where the object, or its library, was used before this process was forked off."""
        pid = os.getpid()
        if pid != self._pid or (self.library and _first_use.setdefault(self.library, pid) != pid):
            raise ForkError(self.name)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """While the block computes."""
        self.check()
        with self._lock:
            yield

    def __getstate__(self) -> dict[str, Any]:
        """The state without the lock, for what is copied or sent to another process, where its life starts anew."""
        return {"name": self.name, "library": self.library, "alone": self._alone}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["name"], state["library"], alone=state["alone"])  # type: ignore[misc]
