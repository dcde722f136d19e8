"""Work that exporters repeat, done once. They write the same as without: a test compares it.

Where a library no longer has what is changed here, nothing is changed, and its exporter takes as long as without this.
docs/decisions.md says what each change saves.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Iterator
from typing import Any

SELDOM = (50_000, 20, 100)
"""Thresholds of Python's garbage collector while graphs are exported: they are millions of small objects that live
until their conversion ends, and looking for unused ones among them takes a sixth of its time."""

_collecting = threading.Lock()
_before: list[tuple[int, int, int]] = []
this_thread = threading.local()
"""Flags of what is done once in it."""


def share_provenance() -> None:
    """Graphs share PyTorch's records of where each node comes from, for good.

    Every pass over a graph copies the whole history of every node before it adds to it: a million objects for a network
    of 150 layers. But for what it caches of itself a record does not change once it is made.
    """
    with contextlib.suppress(ImportError):
        from torch.fx.traceback import NodeSource

        NodeSource.__deepcopy__ = lambda source, memo: source  # type: ignore[attr-defined]


def read_torchlib_once() -> None:
    """The 500 functions that write PyTorch's operators in ONNX are parsed once a process, and not for every graph.

    One that somebody registers with onnxscript afterwards is not seen.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from torch.onnx._internal.exporter import _registration

        library: Any = _registration.onnxscript_apis  # type: ignore[attr-defined]
        if not hasattr(library.get_torchlib_ops, "cache_info"):
            library.get_torchlib_ops = functools.cache(library.get_torchlib_ops)


@contextlib.contextmanager
def in_this_thread(flag: str) -> Iterator[None]:
    """``this_thread`` has the flag until the end of the block."""
    before = getattr(this_thread, flag, False)
    setattr(this_thread, flag, True)
    try:
        yield
    finally:
        setattr(this_thread, flag, before)


@contextlib.contextmanager
def without_validation() -> Iterator[None]:
    """In this thread coremltools does not validate its programs after each of some 90 passes: the caller validates the
    finished one."""
    with contextlib.suppress(ImportError, AttributeError):
        from coremltools.converters.mil.mil.program import Program

        if not hasattr(Program.validate, "__wrapped__"):
            Program.validate = _unless_skipped(Program.validate)
    with in_this_thread("skips_validation"):
        yield


def _unless_skipped(validate: Any) -> Any:
    @functools.wraps(validate)
    def validated(*arguments: Any, **options: Any) -> None:
        if not getattr(this_thread, "skips_validation", False):
            validate(*arguments, **options)

    return validated


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Python's garbage collector runs seldom, in the whole process, until the last conversion that is under way ends.

    A collector that is switched off, or runs more seldom still, is left alone.
    """
    with _collecting:
        _before.append(gc.get_threshold())
        if 0 < _before[0][0] < SELDOM[0]:
            gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        with _collecting:
            last = _before.pop()
            if not _before:
                gc.set_threshold(*last)
