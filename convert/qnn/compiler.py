"""Compiling an ONNX graph for a chip's NPU, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from edgesr.errors import EdgesrError, ParityError
from edgesr.process.extras import install_hint

from ..child import ChildTimeoutError, last_meaningful_line, run_child

SECONDS = 3600.0
"""Longest that one graph may take: the shipped restorer takes one to two minutes of one core."""
NAMED = 5
"""So many of the nodes that do not go onto the NPU are named; the others are counted."""


class ResidencyError(ParityError):
    """Nodes would run on the CPU. Nothing is written."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A graph's context for one chip."""

    nodes: int
    """Of the graph, after ONNX Runtime's own simplifications."""
    on_npu: int
    """So many of them are in the contexts: all, or there is none."""
    partitions: int
    """Contexts that they were made into."""
    bytes: int
    """Of the context binary."""
    build: str
    """Of the QAIRT that made it."""


def compile_graph(model: Path, context: Path, chip: str) -> Compiled:
    """Write ``context``, a graph of one node, and its binary beside it, for the ONNX graph in ``model``.

    Raises:
        ResidencyError: a node does not go onto the NPU; it is named.
        EdgesrError: Qualcomm's compiler refuses the graph, or is ended by it.
    """
    said: list[str] = []
    command = [sys.executable, "-P", "-m", "edgesr.convert.qnn.worker", str(model), str(context), chip]
    tried = f"{model.stem} cannot be compiled for {chip}"
    hint = "another --lowering may work, and please report it"
    try:
        code, errors = run_child(command, said.append, timeout=SECONDS)
    except ChildTimeoutError as error:
        raise EdgesrError(f"{tried}: {error}", hint) from error
    found = _answer(said)
    if "elsewhere" in found:
        raise ResidencyError(*describe(model.stem, chip, found["elsewhere"], found["nodes"]))
    if code or "nodes" not in found:
        reason = found.get("error") or last_meaningful_line(errors)
        missing = "No module named" in reason
        raise EdgesrError(f"{tried}: {' '.join(reason.split())[:300]}", install_hint("qnn") if missing else hint)
    return Compiled(**found)


def describe(graph: str, chip: str, elsewhere: list[list[str]], nodes: int) -> tuple[str, str]:
    """What of a graph is not on the NPU, as the two parts of an error."""
    named = [f"{kind} {name}".rstrip() for kind, name in elsewhere[:NAMED]]
    more = f" and {len(elsewhere) - NAMED} more" if len(elsewhere) > NAMED else ""
    what = f"{len(elsewhere)} of {nodes} nodes of {graph} do not run on the NPU of {chip}: {', '.join(named)}{more}"
    return what, "nothing was written; another --lowering may work"


def _answer(said: list[str]) -> dict[str, Any]:
    for line in reversed(said):
        try:
            found = json.loads(line)
        except ValueError:  # a library's own words
            continue
        if isinstance(found, dict):
            return found
    return {}
