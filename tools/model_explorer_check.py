"""Does Model Explorer find every node that a report's node data speak of? By its own adapters, on the model files.

    pip install ai-edge-model-explorer==0.1.34 pte-adapter-model-explorer==0.2.0
    python tools/model_explorer_check.py MODEL NODE_DATA...

MODEL is a bundle's ``model.tflite`` or ``model.pte``, NODE_DATA the files that `edgesr report --graph` wrote of it.
Prints for each file how many of its keys are nodes of the graph that they are said to be in, or tensors that a node
gives. Exit code 1 where one is not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PTE = "pte_adapter_model_explorer"
ADAPTERS = {".tflite": "builtin_tflite_flatbuffer", ".pte": PTE}


def main() -> int:
    model, *files = (Path(word) for word in sys.argv[1:])
    names = names_in(model)
    missing = 0
    for file in files:
        for graph, data in json.loads(file.read_text()).items():
            keys = set(data["results"])
            found = keys & names.get(graph, set())
            missing += len(keys - found)
            sys.stdout.write(f"{file.name}: {len(found)} of {len(keys)} in {graph}\n")
    return 1 if missing else 0


def names_in(model: Path) -> dict[str, set[str]]:
    """By graph the names by which Model Explorer knows its nodes: their ids, and the tensors that they give."""
    from model_explorer.extension_manager import ExtensionManager

    manager = ExtensionManager([PTE])
    manager.load_extensions()
    asked = {"cmdId": "convert", "extensionId": ADAPTERS[model.suffix], "modelPath": str(model), "settings": {}}
    answer = manager.run_cmd({**asked, "deleteAfterConversion": False})
    graphs = [graph for collection in answer["graphCollections"] for graph in collection["graphs"]]
    return {graph["id"]: {name for node in graph["nodes"] for name in names_of(node)} for graph in graphs}


def names_of(node: dict[str, Any]) -> list[str]:
    tensors = [attribute for output in node.get("outputsMetadata") or [] for attribute in output["attrs"]]
    return [node["id"], *(tensor["value"] for tensor in tensors if tensor["key"] == "tensor_name")]


if __name__ == "__main__":
    sys.exit(main())
