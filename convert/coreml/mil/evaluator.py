"""Evaluation of a saved Core ML package where Core ML itself does not run: operation by operation."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgesr.errors import BundleError, UnavailableError
from edgesr.runtime.base import GraphRuntime

from .ops import OPERATIONS
from .program import FUNCTIONS, dtype_name, inputs_of, load_program, operations
from .types import DTYPES

Value = Tensor | str


class MILEvaluator(GraphRuntime):
    """Runs the functions of ``model.mlpackage`` as the file has them, in the program's own types.

    It shows that the file computes what PyTorch computes, by the documented meaning of each operation. It does
    not show what a given device makes of them, nor how fast.
    """

    name, library = "mil-evaluator", "torch"
    lock = threading.RLock()
    """PyTorch's number of threads is the process's: it is set while one evaluator runs."""

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002
        """``threads`` has no effect: one of PyTorch's computes the operations, which are small.

        Raises:
            BundleError: the package is missing or damaged.
            UnavailableError: it has an operation that the evaluator does not know.
        """
        program = load_program(folder / files["model"])
        self.functions = {name: Function(program.functions[name]) for name in FUNCTIONS}

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        specs = self.specs[graph]
        named = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        before = torch.get_num_threads()
        # On a busy machine more threads wait for each other longer than they compute.
        torch.set_num_threads(1)
        try:
            outputs = self.functions[graph](named)
        finally:
            torch.set_num_threads(before)
        return [outputs[spec.file_name] for spec in specs["outputs"]]


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation of a function, with the names of what it reads and writes."""

    kind: str
    operation: Callable[..., Tensor | tuple[Tensor, ...]]
    arguments: dict[str, str | list[str]]
    results: list[tuple[str, tuple[int, ...], torch.dtype]]
    """Name, shape and type that the program declares."""
    released: list[str]
    """Values that nothing reads after this operation."""


class Function:
    """One function of a program, ready to be evaluated: constants as tensors, operations as steps."""

    def __init__(self, function: Any) -> None:
        self.inputs = {name: DTYPES[dtype_name(var)] for name, var in function.inputs.items()}
        self.outputs = [var.name for var in function.outputs]
        ops = operations(function)
        self.constants = {op.outputs[0].name: _value(op.val.val) for op in function.operations if op.op_type == "const"}
        last_use = {var.name: index for index, op in enumerate(ops) for var in inputs_of(op)}
        kept = {*self.constants, *self.outputs}
        self.steps: list[Step] = []
        for index, op in enumerate(ops):
            released = [name for name in {var.name for var in inputs_of(op)} - kept if last_use[name] == index]
            step = _step(op, released)
            if op.op_type.startswith("constexpr_"):  # by definition computed when the program is loaded
                _evaluate(step, self.constants)
            else:
                self.steps.append(step)

    @torch.inference_mode()
    def __call__(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Named outputs from named inputs."""
        values: dict[str, Value] = dict(self.constants)
        for name, dtype in self.inputs.items():
            values[name] = torch.from_numpy(np.ascontiguousarray(inputs[name])).to(dtype)
        for step in self.steps:
            _evaluate(step, values)
            for name in step.released:
                del values[name]
        outputs = {name: values[name] for name in self.outputs}
        return {name: value.contiguous().numpy() for name, value in outputs.items() if isinstance(value, Tensor)}


def _step(op: Any, released: Sequence[str]) -> Step:
    if op.op_type not in OPERATIONS:
        raise UnavailableError(
            f"the evaluator does not know the Core ML operation {op.op_type!r} ({op.name})",
            f"evaluate the package on a Mac, or choose another lowering; known: {', '.join(OPERATIONS)}",
        )
    arguments: dict[str, str | list[str]] = {}
    for name, value in op.inputs.items():
        if isinstance(value, list | tuple):
            arguments[name] = [var.name for var in value]
        elif value is not None:
            arguments[name] = value.name
    results = [(var.name, tuple(int(size) for size in var.shape), DTYPES[dtype_name(var)]) for var in op.outputs]
    return Step(op.op_type, OPERATIONS[op.op_type], arguments, results, list(released))


def _evaluate(step: Step, values: dict[str, Value]) -> None:
    """Compute one operation's results into ``values``, and hold them against what the program declares."""

    def resolve(names: str | list[str]) -> Any:
        return values[names] if isinstance(names, str) else [values[name] for name in names]

    try:
        computed = step.operation(**{name: resolve(names) for name, names in step.arguments.items()})
    except (NotImplementedError, TypeError) as error:
        what = f"the evaluator does not cover this form of the Core ML operation {step.kind!r}: {error}"
        raise UnavailableError(what, "evaluate the package on a Mac, or choose another lowering") from error
    except IndexError as error:
        raise BundleError(f"the Core ML program reads outside its tensors: {error}", "convert again") from error
    tensors = computed if isinstance(computed, tuple) else (computed,)
    for tensor, (name, shape, dtype) in zip(tensors, step.results, strict=True):
        if tuple(tensor.shape) != shape or tensor.dtype != dtype:
            raise UnavailableError(
                f"{step.kind} gives {name} as {tensor.dtype} {tuple(tensor.shape)}, "
                f"where the program declares {dtype} {shape}",
                "the evaluator and the program disagree on this operation: please report it",
            )
        values[name] = tensor


def _value(constant: Any) -> Value:
    if isinstance(constant, str):
        return constant
    return torch.from_numpy(np.array(constant))
