"""Work that exporters repeat, done once. They write the same as without: a test compares it.

Where a library no longer has what is changed here, nothing is changed, and its exporter takes as long as without this.
docs/decisions.md says what each change saves.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import torch.fx
from torch.fx import graph_module as graph_modules
from torch.fx.passes.infra.pass_base import PassResult

SELDOM = (50_000, 20, 100)
"""Thresholds of Python's garbage collector while graphs are exported: they are millions of small objects that live
until their conversion ends, and looking for unused ones among them takes a sixth of its time."""

_collecting = threading.Lock()
_before: list[tuple[int, int, int]] = []
_this_thread = threading.local()


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
def code_when_asked() -> Iterator[None]:
    """In this thread a graph is written as Python code, and that compiled, when somebody calls the graph or reads it.

    Every change of a graph does so otherwise, a thousand times in a conversion; one in thirty is asked for.
    """
    module: Any = torch.fx.GraphModule
    if not hasattr(module.recompile, "__wrapped__"):
        module.recompile = _unless_deferred(module.recompile)
        module.__reduce__ = _with_code(module.__reduce__)
        module._code = property(_code, lambda graph, code: vars(graph).update(_code=code))
    with _this_thread_only("defers_code"):
        yield


class _Deferred:
    """``forward`` of the class of a graph, each of which is of its own, until somebody asks for it."""

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        self.graph = weakref.ref(graph)

    def __get__(self, graph: torch.fx.GraphModule | None, owner: type[torch.fx.GraphModule]) -> Any:
        _compile(self.graph() if graph is None else graph)
        return owner.forward if graph is None else graph.forward


class _CodeLater:
    """What ``recompile`` returns, which few look at."""

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        self.graph = graph

    def __getattr__(self, name: str) -> Any:
        return getattr(_compile(self.graph), name)


def _compile(graph: Any) -> Any:
    return torch.fx.GraphModule.recompile.__wrapped__(graph)  # type: ignore[attr-defined]


def _code(graph: torch.fx.GraphModule) -> str:
    if "_code" not in vars(graph):
        if not isinstance(vars(type(graph)).get("forward"), _Deferred):
            raise AttributeError("_code")
        _compile(graph)
    code: str = vars(graph)["_code"]
    return code


def _with_code(reduce: Any) -> Any:
    @functools.wraps(reduce)
    def reduced(graph: Any) -> Any:
        _code(graph)  # what is pickled is all that the graph holds
        return reduce(graph)

    return reduced


def _unless_deferred(recompile: Any) -> Any:
    @functools.wraps(recompile)
    def recompiled(graph: Any) -> Any:
        if not getattr(_this_thread, "defers_code", False):
            return recompile(graph)
        # What else it does, which is read without asking for the code.
        if isinstance(graph._graph._codegen, graph_modules._PyTreeCodeGen):  # type: ignore[attr-defined]
            described = graph._graph._codegen.pytree_info
            graph._in_spec, graph._out_spec = described.in_spec, described.out_spec
        vars(graph).pop("_code", None)
        type(graph).forward = _Deferred(graph)
        graph._recompile_submodules()
        return _CodeLater(graph)

    return recompiled


@contextlib.contextmanager
def traced_when_changed() -> Iterator[None]:
    """In this thread ExecuTorch's passes do not trace a graph again that a pass has traced and none has changed since.

    Most passes of XNNPACK look for what a network has not, and trace all of it anew whether they found it or not.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from executorch.exir.pass_base import ExportPass, _ExportPassBase

        if not hasattr(_ExportPassBase.call, "__wrapped__"):
            _ExportPassBase.call = _unless_traced(_ExportPassBase.call, ExportPass)
    with _this_thread_only("keeps_traced"):
        yield


_traced: weakref.WeakKeyDictionary[torch.fx.Graph, tuple[list[tuple[Any, ...]], list[Any]]] = (
    weakref.WeakKeyDictionary()
)
"""Of graphs that a pass has traced, what they were then; and their nodes' values, which keep their identities taken."""


def _unless_traced(call: Any, base: type) -> Any:
    @functools.wraps(call)
    def called(self: Any, graph: torch.fx.GraphModule) -> Any:
        if not getattr(_this_thread, "keeps_traced", False):
            return call(self, graph)
        known = _traced.get(graph.graph)
        if known is not None and _traces_only(type(self), base) and known[0] == _described(graph.graph):
            return PassResult(graph, True)
        result = call(self, graph)
        after = result.graph_module.graph
        _traced[after] = _described(after), [node.meta.get("val") for node in after.nodes]
        return result

    return called


def _described(graph: torch.fx.Graph) -> list[tuple[Any, ...]]:
    return [
        (node.name, node.op, str(node.target), str(node.args), str(node.kwargs), id(node.meta.get("val")))
        for node in graph.nodes
    ]


def _traces_only(kind: type, base: type) -> bool:
    """Whether a pass writes every node that it comes by as it is: it has changed of ``base`` only what comes before."""
    own = [vars(one) for one in kind.__mro__[: kind.__mro__.index(base)]]
    changed = {name for names in own for name, value in names.items() if callable(value) and name in dir(base)}
    return changed <= {"__init__", "call", "requires", "ensures"}


@contextlib.contextmanager
def _this_thread_only(flag: str) -> Iterator[None]:
    before = getattr(_this_thread, flag, False)
    setattr(_this_thread, flag, True)
    try:
        yield
    finally:
        setattr(_this_thread, flag, before)


@contextlib.contextmanager
def without_validation() -> Iterator[None]:
    """In this thread coremltools does not validate its programs after each of some 90 passes: the caller validates the
    finished one."""
    with contextlib.suppress(ImportError, AttributeError):
        from coremltools.converters.mil.mil.program import Program

        if not hasattr(Program.validate, "__wrapped__"):
            Program.validate = _unless_skipped(Program.validate)
    with _this_thread_only("skips_validation"):
        yield


def _unless_skipped(validate: Any) -> Any:
    @functools.wraps(validate)
    def validated(*arguments: Any, **options: Any) -> None:
        if not getattr(_this_thread, "skips_validation", False):
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
