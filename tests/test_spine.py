"""Imports run one way, the ones inside functions too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import edgesr

PACKAGE = Path(edgesr.__file__).parent
SPINE = ("models", "deployment", "quantize", "convert", "cli")


def imported(layer: str) -> dict[str, set[str]]:
    """Per module of a layer, the parts of edgesr that it names in imports."""
    found = {}
    for file in sorted((PACKAGE / layer).rglob("*.py")):
        names = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        found[file.name] = {name.split(".")[1] for name in names if name.startswith("edgesr.")}
    return found


@pytest.mark.parametrize("layer", SPINE)
def test_no_layer_imports_one_above_it(layer: str) -> None:
    modules = imported(layer)
    assert modules
    above = set(SPINE[SPINE.index(layer) + 1 :])
    assert {name: parts & above for name, parts in modules.items() if parts & above} == {}
