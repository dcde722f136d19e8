"""The process that compiles graphs for a chip: ``python -m edgesr.convert.qnn.worker CHIP FOLDER GRAPH.onnx...``.

For each it writes a compiled graph of the same name into FOLDER, and a line of JSON when it begins and when it has
ended. Qualcomm's libraries write on stdout as well, and what ends them ends nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from edgesr.runtime.qnn import PROVIDER, context_of, open_session
from edgesr.runtime.qnn_context import read_context
from edgesr.runtime.snapdragon import CHIPS

RECORDED = {"session.record_ep_graph_assignment_info": "1"}


def compiled(model: Path, context: Path, chip: str) -> dict[str, Any]:
    """``nodes`` of the graph, those ``on_npu`` in so many ``partitions``, ``bytes`` and ``build`` of the context.

    ``elsewhere`` instead: operator and name of each node that would run on the CPU, of ``nodes`` in all; ``error``:
    what the compiler said.
    """
    written = {"ep.context_enable": "1", "ep.context_file_path": str(context), "ep.context_embed_mode": "0"}
    try:
        session = open_session(model, CHIPS[chip], {**RECORDED, **written})
    except Exception as error:  # the provider raises bare exceptions
        nodes = assigned(open_session(model, CHIPS[chip], {**RECORDED, "session.disable_cpu_ep_fallback": "0"}))
        elsewhere = [[kind, name] for provider, kind, name in nodes if provider != PROVIDER]
        return {"elsewhere": elsewhere, "nodes": len(nodes)} if elsewhere else {"error": str(error)}
    nodes, binary = assigned(session), context_of(context)
    return {
        "nodes": len(nodes),
        "on_npu": sum(provider == PROVIDER for provider, _, _ in nodes),
        "partitions": len(session.get_provider_graph_assignment_info()),
        "bytes": binary.stat().st_size,
        "build": read_context(binary).build,
    }


def assigned(session: Any) -> list[tuple[str, str, str]]:
    """Provider, operator and name of every node of a session's graph."""
    parts = session.get_provider_graph_assignment_info()
    return [(part.ep_name, node.op_type, node.name) for part in parts for node in part.get_nodes()]


def main() -> None:
    """Compile each graph, and say what came of it."""
    chip, folder, *models = sys.argv[1:]
    for model in map(Path, models):
        _say({"begins": model.stem})
        try:
            found = compiled(model, Path(folder) / model.name, chip)
        except Exception as error:
            found = {"error": str(error)}
        _say({"graph": model.stem, **found})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{json.dumps(what)}\n")  # a library may have left a line open
    sys.stdout.flush()


if __name__ == "__main__":
    main()
