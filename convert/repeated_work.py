"""Work that exporters do again and again, done once. What they make is the same to the byte: a test compares it.

Each function changes a library's own class for good, where the library still has it under that name; else the exporter
takes as long as it does alone. docs/decisions.md says what each saves.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Iterator
from typing import Any

_thread = threading.local()


def share_provenance() -> None:
    """PyTorch's record of the node that each node comes from is shared between graphs.

    Every pass over a graph copies the whole history of every node before it adds to it: a million objects for a network
    of 150 layers. A record never changes once it is made.
    """
    with contextlib.suppress(ImportError):
        from torch.fx.traceback import NodeSource

        NodeSource.__deepcopy__ = lambda source, memo: source  # type: ignore[attr-defined]


def read_torchlib_once() -> None:
    """The 500 functions that write PyTorch's operators in ONNX are parsed once, and not for every exported graph."""
    from torch.onnx._internal.exporter import _registration

    library = getattr(_registration, "onnxscript_apis", None)
    found = getattr(library, "get_torchlib_ops", None)
    if found is not None and not hasattr(found, "cache_info"):
        library.get_torchlib_ops = functools.cache(found)  # type: ignore[union-attr]


@contextlib.contextmanager
def seldom_collected() -> Iterator[None]:
    """Python looks for rubbish seldom: exported graphs are millions of small objects that live until their conversion
    ends, and going through them every 700 new ones takes a sixth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def without_validation() -> Iterator[None]:
    """coremltools' programs are not validated after each of some 90 passes; whoever ends validates the last one.

    It is so in this thread alone.
    """
    from coremltools.converters.mil.mil.program import Program

    if not hasattr(Program.validate, "__wrapped__"):
        Program.validate = _unless_spared(Program.validate)
    _thread.spares = True
    try:
        yield
    finally:
        _thread.spares = False


def _unless_spared(validate: Any) -> Any:
    @functools.wraps(validate)
    def validated(*arguments: Any, **options: Any) -> None:
        if not getattr(_thread, "spares", False):
            validate(*arguments, **options)

    return validated
