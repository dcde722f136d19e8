"""Work that exporters repeat on graphs of ``torch.fx``, as ``repeated_work`` has others: done when it is needed."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Iterator
from typing import Any

import torch.fx
from torch.fx.passes.infra.pass_base import PassResult

from .repeated_work import in_this_thread, this_thread


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
    with in_this_thread("defers_code"):
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
        if not getattr(this_thread, "defers_code", False):
            return recompile(graph)
        # What else it does, which is read without asking for the code.
        if described := getattr(graph.graph._codegen, "pytree_info", None):
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
    with in_this_thread("keeps_traced"):
        yield


_traced: weakref.WeakKeyDictionary[torch.fx.Graph, tuple[list[tuple[Any, ...]], list[Any]]] = (
    weakref.WeakKeyDictionary()
)
"""Of graphs that a pass has traced, what they were then; and their nodes' values, which keep their identities taken."""


def _unless_traced(call: Any, base: type) -> Any:
    @functools.wraps(call)
    def called(self: Any, graph: torch.fx.GraphModule) -> Any:
        if not getattr(this_thread, "keeps_traced", False):
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
