"""Imports run one way, the ones inside functions and those for type checkers too, and no file is long."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgesr

PACKAGE = Path(edgesr.__file__).parent
STOREYS = (
    *(
        ("errors", "release", "process"),
        ("versions", "files", "residency"),
        ("images", "layers"),
        ("faces",),
        ("models",),
        ("booth",),
    ),
    *(("bundle_manifest", "runtime"), ("bundle", "data", "deployment"), ("evaluation",), ("training",), ("quantize",)),
    *(("convert",), ("gallery", "api"), ("enhance", "benchmarking"), ("report", "ablations"), ("cli",)),
)
"""Rooms and loose modules: none imports what stands above it. Those of a storey may know each other."""
LONGEST = 400


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the package by name."""
    folders = [PACKAGE, *(PACKAGE / name for name in ("convert", "quantize"))]  # links, into which rglob does not go
    found = {}
    for file in sorted({file for folder in folders for file in folder.rglob("*.py")}):
        parts = ("edgesr", *file.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(name: str) -> Iterator[str]:
    """Modules of the package that a module names in imports."""
    file, package = modules()[name], name.split(".")
    package = package if file.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if (full := f"{base}.{alias.name}") in modules():
                    yield full
                elif base in modules():
                    yield base


@functools.cache
def graph() -> dict[str, set[str]]:
    return {name: set(imported(name)) - {name} for name in modules()}


def circles() -> list[str]:
    """Modules that import themselves by way of others."""
    rest = {name: set(names) for name, names in graph().items()}
    while leaves := [name for name, names in rest.items() if not names & rest.keys()]:
        for name in leaves:
            del rest[name]
    # What is left leads into a circle; what nobody of it imports is not part of one.
    while roots := rest.keys() - set().union(*rest.values()):
        for name in roots:
            del rest[name]
    return sorted(rest)


def test_every_room_has_its_storey() -> None:
    rooms = {name.split(".")[1] for name in modules() if "." in name}
    assert rooms == {room for storey in STOREYS for room in storey}


def test_no_room_imports_one_above_it() -> None:
    storey = {room: height for height, rooms in enumerate(STOREYS) for room in rooms}
    upward = [
        f"{name} -> {other}"
        for name, others in graph().items()
        for other in others
        if "." in name and "." in other and storey[other.split(".")[1]] > storey[name.split(".")[1]]
    ]
    assert upward == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles() == []


def test_no_file_is_long() -> None:
    lines = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


ARCHITECTURES = {"edgesr.models.hime": "HIME", "edgesr.models.hime_large": "HIMELarge", "edgesr.models.pwave": "PWAve"}
"""Folders, and how what is defined in them begins."""
BUILT_OF = {"edgesr.models.hime_large": "edgesr.models.hime"}
"""HIME-large is HIME with another alignment."""
REGISTRY = "edgesr.models.registry"
"""Names each architecture once, to register it."""


def test_every_architecture_is_looked_at() -> None:
    folders = {name.rpartition(".")[0] for name in modules() if name.startswith("edgesr.models.")} - {"edgesr.models"}
    assert folders == ARCHITECTURES.keys()


@pytest.mark.parametrize("own", ARCHITECTURES)
def test_an_architecture_is_named_in_its_own_folder_alone(own: str) -> None:
    """Neither imported nor mentioned in code elsewhere; words for readers may say what a network is called."""

    def inside(name: str, folder: str) -> bool:
        return name == folder or name.startswith(f"{folder}.")

    named = []
    for name, file in modules().items():
        if inside(name, own) or any(inside(name, folder) for folder, of in BUILT_OF.items() if of == own):
            continue
        tree = ast.parse(file.read_text())
        written = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        written |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        written |= {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        texts = {value for value in constants if isinstance(value, str)}
        named += [f"{name}: {one}" for one in written if ARCHITECTURES[own] in one]
        named += [f"{name}: {one}" for one in texts if inside(one.split(":")[0], own)]
        if name != REGISTRY:
            named += [f"{name} -> {other}" for other in graph()[name] if inside(other, own)]
    assert named == []


ROOT = Path(__file__).resolve().parent.parent
BESIDE = [
    file
    for folder in ("benchmarks", "tools", "android_demo/tools", "web_demo/tools", "ios_demo/tools")
    for file in sorted((ROOT / folder).glob("*.py"))
]


@pytest.mark.parametrize("file", BESIDE, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_stands_beside_the_package_imports_what_there_is(file: Path) -> None:
    """Benchmarks and tools are run by hand: a module that moved is noticed here."""
    for node in ast.walk(ast.parse(file.read_text())):
        named = [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in named:
            assert not name.startswith("edgesr.") or name in modules(), name
