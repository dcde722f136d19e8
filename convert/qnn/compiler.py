"""Compiling ONNX graphs for a chip's NPU, each whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgesr.errors import EdgesrError, ParityError

from ..child import ChildTimeoutError, last_meaningful_line, run_child
from ..target import Report

SECONDS = 3600.0
"""Longest that a chip may take: with ``rows`` the shipped restorer alone takes one to two minutes of one core."""
NAMED = 5
"""So many of the nodes that do not go onto the NPU are named; the others are counted."""
HINT = "nothing was written; another --lowering may work"


class ResidencyError(ParityError):
    """Nodes would run on the CPU. Nothing is written."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A graph's context for one chip."""

    nodes: int
    """Of the graph, after ONNX Runtime's own simplifications."""
    on_npu: int
    """So many of them are in the context: all, or there is none."""
    partitions: int
    """Contexts that they were made into: one, or there is none."""
    bytes: int
    """Of the context binary."""
    build: str
    """Of the QAIRT that made it."""


def compile_graphs(models: Sequence[Path], folder: Path, chip: str, report: Report) -> dict[str, Compiled]:
    """Write for each ONNX graph a graph of one node by the same name into ``folder``, with its context beside it.

    Returns what they are by their files' stems.

    Raises:
        ResidencyError: a node does not go onto the NPU; it is named.
        EdgesrError: Qualcomm's compiler refuses a graph, or is ended by it.
    """
    begun = ""
    done: dict[str, Compiled] = {}

    def heard(line: str) -> None:
        nonlocal begun
        said = _read(line)
        if "begins" in said:
            begun = said["begins"]
            report(f"compiling {begun} for {chip}")
        elif "graph" in said:
            graph = said.pop("graph")
            done[graph] = _judged(graph, chip, said)

    command = [sys.executable, "-P", "-m", "edgesr.convert.qnn.worker", chip, str(folder), *map(str, models)]
    try:
        code, errors = run_child(command, heard, timeout=SECONDS)
    except ChildTimeoutError as error:
        raise EdgesrError(f"{begun} cannot be compiled for {chip}: {error}", HINT) from error
    if code or len(done) < len(models):
        raise EdgesrError(f"{begun} cannot be compiled for {chip}: {last_meaningful_line(errors)}", HINT)
    return done


def _judged(graph: str, chip: str, found: dict[str, Any]) -> Compiled:
    if "error" in found:
        raise EdgesrError(f"{graph} cannot be compiled for {chip}: {' '.join(found['error'].split())[:300]}", HINT)
    if elsewhere := found.get("elsewhere"):
        named = [f"{kind} {name}".rstrip() for kind, name in elsewhere[:NAMED]]
        more = f" and {len(elsewhere) - NAMED} more" if len(elsewhere) > NAMED else ""
        what = f"{len(elsewhere)} of {found['nodes']} nodes of {graph} do not run on the NPU of {chip}"
        raise ResidencyError(f"{what}: {', '.join(named)}{more}", HINT)
    made = Compiled(**found)
    if made.partitions != 1 or made.on_npu != made.nodes:
        what = f"{made.on_npu} of {made.nodes} nodes of {graph} are in {made.partitions} contexts for {chip}"
        raise ResidencyError(f"{what}, and not all in one", HINT)
    return made


def _read(line: str) -> dict[str, Any]:
    """A line of the worker's, or nothing where a library said it."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
