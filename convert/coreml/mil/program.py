"""Saved Core ML programs: reading one from its package, and what it says about its arithmetic."""

from __future__ import annotations

import collections
import contextlib
import functools
import logging
import tempfile
import unittest.mock
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgesr.errors import BundleError

FUNCTIONS = ("encode", "restore")
"""Functions of a package, named as our graphs are."""


@contextlib.contextmanager
def quiet_coremltools(scratch: Path | None = None) -> Iterator[None]:
    """No warnings, log lines or progress bars of coremltools (the caller reports its own progress).

    With ``scratch``, what coremltools writes to temporary places goes there; it would keep it until Python ends.
    """
    import tqdm

    silent = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
    with contextlib.ExitStack() as stack:
        # For all loggers: what coremltools imports (torchao, ...) has warnings of its own.
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.WARNING)
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        stack.enter_context(unittest.mock.patch.object(tqdm.tqdm, "__init__", silent))
        if scratch is not None:
            stack.enter_context(unittest.mock.patch.object(tempfile, "tempdir", str(scratch)))
        yield


def load_program(package: Path, functions: Sequence[str] = FUNCTIONS) -> Any:
    """The program in a ``.mlpackage``: read from its protobuf, with the weights of its own weight file.

    Raises:
        BundleError: the package is missing, damaged, or without these functions.
    """
    with quiet_coremltools():
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.models import MLModel

        try:
            model = MLModel(str(package), skip_model_load=True)
            spec = model.get_spec()
            program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
        # coremltools raises anything from ValueError to bare RuntimeError here, by what is damaged.
        except Exception as error:
            raise BundleError(f"cannot read the Core ML program in {package}: {error}", "convert again") from error
    if absent := [name for name in functions if name not in program.functions]:
        raise BundleError(f"{package} has no function {', '.join(absent)}", "convert again")
    return program


def user_metadata(package: Path) -> dict[str, str]:
    """What a package's description holds beside what Core ML knows of."""
    with quiet_coremltools():
        from coremltools.models import MLModel

        return dict(MLModel(str(package), skip_model_load=True).get_spec().description.metadata.userDefined)


def operations(function: Any) -> list[Any]:
    """A function's operations in order, without constants."""
    return [op for op in function.operations if op.op_type != "const"]


def count_operations(program: Any) -> dict[str, dict[str, int]]:
    """Per function, its types of operation with their count, the most frequent first."""
    return {
        name: dict(collections.Counter(op.op_type for op in operations(program.functions[name])).most_common())
        for name in FUNCTIONS
    }


def coordinate_operations(function: Any) -> list[Any]:
    """Operations on sampling coordinates and what derives from them alone (grids, indices, interpolation weights).

    Offsets are the outputs of R tanh(x / R), the only tanh of the network. Where they meet features (sampling,
    or a product with interpolation weights) the coordinates end.
    """
    found: dict[Any, None] = {}
    for op in operations(function):
        sources = [var.op for var in inputs_of(op) if var.op is None or var.op.op_type != "const"]
        if op.op_type == "tanh" or (sources and all(source in found for source in sources)):
            found[op] = None
    return list(found)


def inputs_of(op: Any) -> list[Any]:
    """All variables that an operation reads, tuples flattened."""
    flat: list[Any] = []
    for value in op.inputs.values():
        if isinstance(value, list | tuple):
            flat.extend(value)
        elif value is not None:
            flat.append(value)
    return flat


def dtype_name(var: Any) -> str:
    """MIL's name of a variable's type, such as fp16."""
    from coremltools.converters.mil.mil import types

    name: str = types.builtin_to_string(var.dtype)
    return name


def _stored(var: Any) -> Any:
    """The constant that a variable is, or that it is dequantized from when the program is loaded."""
    constexpr = var.op is not None and var.op.op_type.startswith("constexpr_")
    return (var.op.inputs.get("data") or var.op.inputs["quantized_data"]) if constexpr else var


def describe_arithmetic(program: Any) -> dict[str, str]:
    """Which part is computed in what, as the saved program has it."""
    parts: dict[str, set[str]] = collections.defaultdict(set)
    for name in FUNCTIONS:
        function = program.functions[name]
        coordinates = set(coordinate_operations(function))
        for var in [*function.inputs.values(), *function.outputs]:
            parts["inputs and outputs"].add(dtype_name(var))
        for op in operations(function):
            types = {dtype_name(var) for var in op.outputs} & {"fp32", "fp16"}
            if op.op_type == "cast" or not types:
                continue
            parts["sampling coordinates" if op in coordinates else name] |= types
            if op.op_type == "conv":
                parts["weights"].add(dtype_name(_stored(op.inputs["weight"])))
    return {part: " and ".join(sorted(types)) for part, types in parts.items()}
