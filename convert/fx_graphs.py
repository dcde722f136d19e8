"""Work that exporters repeat on graphs of ``torch.fx``, as ``repeated_work`` has others: done when it is needed."""

from __future__ import annotations

import collections
import contextlib
import functools
import importlib
import weakref
from collections.abc import Iterator
from typing import Any

import torch.fx
import torch.utils._pytree as pytree
from torch._subclasses.fake_tensor import FakeTensor
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


@contextlib.contextmanager
def computed_once() -> Iterator[None]:
    """In this thread passes that trace a graph anew take what an operator gives, which is a shape and no numbers, from
    the pass before where it is applied to the same values: of 900 operators each of twenty passes changes few."""
    for module, kind in (
        ("torch._export.pass_base", "_ExportPassBaseDeprecatedDoNotUse"),
        ("executorch.exir.pass_base", "_ExportPassBase"),
    ):
        with contextlib.suppress(ImportError, AttributeError):
            traces: Any = getattr(importlib.import_module(module), kind)
            if not hasattr(traces._fx, "__wrapped__"):
                traces._fx = _unless_known(traces._fx)
    before, this_thread.known_values = getattr(this_thread, "known_values", None), {}
    try:
        yield
    finally:
        this_thread.known_values = before


def _unless_known(fx: Any) -> Any:
    @functools.wraps(fx)
    def traced(self: Any, *arguments: Any) -> Any:
        known = getattr(this_thread, "known_values", None)
        if known is not None and not isinstance(self.interpreter, _Remembering):
            self.interpreter = _Remembering(self.interpreter.module, known)  # a pass has a new one for every graph
        return fx(self, *arguments)

    return traced


class _Remembering(torch.fx.Interpreter):
    """Applies an operator to fake tensors, which have a shape and nothing else, or knows what has come of it before."""

    def __init__(self, module: torch.nn.Module, known: dict[Any, Any]) -> None:
        super().__init__(module)
        self.known = known
        self.times: collections.Counter[Any] = collections.Counter()

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if (applied := _applied(target, args, kwargs)) is None:
            return super().call_function(target, args, kwargs)
        # Two nodes that apply an operator to the same values have a value each.
        self.times[applied] += 1
        key = applied, self.times[applied]
        if key not in self.known:
            value = super().call_function(target, args, kwargs)
            if not all(_is_shape_alone(one) for one in pytree.tree_leaves(value)):
                return value
            self.known[key] = value, args, kwargs  # which keep their identities taken
        return self.known[key][0]


def _applied(target: Any, args: Any, kwargs: Any) -> Any:
    """An operator with what it is applied to, to be looked up; None where it may give something else another time."""
    overload = torch._ops.OpOverload
    # One of ExecuTorch's dialects stands for one of PyTorch's.
    operator = target if isinstance(target, overload) else getattr(target, "_op", None)
    if not isinstance(operator, overload) or operator._schema.is_mutable:
        return None
    leaves = pytree.tree_leaves((args, kwargs))
    fakes = [leaf for leaf in leaves if isinstance(leaf, FakeTensor)]
    if not fakes or not all(map(_is_shape_alone, fakes)):
        return None
    applied = operator, _by_identity(args), _by_identity(kwargs)
    try:
        hash(applied)
    except TypeError:
        return None
    return applied


def _by_identity(value: Any) -> Any:
    """Arguments to be told apart: tensors by which they are, all else by what it is; lists as tuples."""
    if isinstance(value, torch.Tensor):
        return id(value)
    if isinstance(value, list | tuple):
        return tuple(map(_by_identity, value))
    if isinstance(value, dict):
        return tuple((name, _by_identity(one)) for name, one in value.items())
    return type(value), value


def _is_shape_alone(value: Any) -> bool:
    return isinstance(value, FakeTensor) and value.constant is None
