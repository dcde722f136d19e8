"""docs/formats.md names every field that bundles and checkpoints hold, and none that there is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgesr.bundle import MANIFEST
from edgesr.convert.manifest import write_manifest
from edgesr.models.checkpoint import CONFIG, SHIPPED

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"
ELSEWHERE = {
    "manifest": ("first_visit_bytes", "models", "detector", "notes", "delegation", "residency", "npu"),
    "config": (),
}
"""Fields that the bundles here do not hold: the web's, what is left by a delegate, and an NPU's."""


def documented(what: str) -> list[str]:
    section = next(part for part in PAGE.read_text().split("\n## ") if part.startswith(f"`{what}"))
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Every field's path; an element of a list has ``[]``."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from fields(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(element, dict) for element in value):
        for element in value:
            yield from fields(element, f"{path}[]")
    else:
        yield path


def covers(name: str, field: str) -> bool:
    """Whether a documented name is the field's, or a parent of it that ends in ``*``."""
    pattern = re.escape(name).replace(r"\*", r"[^.\[\]]+")
    whole = r".*" if name.endswith(".*") and name.split(".")[0] in OPEN else ""
    return re.fullmatch(pattern + whole, field) is not None


OPEN = {"sha256", "model", "training", "quantization", "operators", "models", "detector", "toolchain"}
"""Below these a ``*`` at the end stands for all that lies there: file names with dots, settings, rules."""


def found(path: Path) -> set[str]:
    return set(fields(json.loads(path.read_text())))


@pytest.mark.parametrize("name", sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir()))
def test_a_checkpoints_fields_are_documented(name: str) -> None:
    names = documented("config.json")
    missing = [f for f in found(SHIPPED / name / CONFIG) if not any(covers(known, f) for known in names)]
    assert missing == []


def test_a_bundles_fields_are_documented_and_nothing_else(tiny_bundle: Path) -> None:
    names = documented("manifest.json")
    held = found(tiny_bundle / MANIFEST)
    described = [f for f in held if not f.startswith(("quantization.", "model."))]
    assert [f for f in described if not any(covers(known, f) for known in names)] == []
    idle = [known for known in names if not any(covers(known, f) for f in held)]
    assert {known.split(".")[0] for known in idle} <= set(ELSEWHERE["manifest"]), idle


def test_no_field_of_a_checkpoint_is_documented_that_there_is_not() -> None:
    held = {field for folder in SHIPPED.iterdir() if folder.is_dir() for field in found(folder / CONFIG)}
    parents = {".".join(field.split(".")[:depth]) for field in held for depth in (1, 2)}
    idle = [known for known in documented("config.json") if not any(covers(known, f) for f in held | parents)]
    assert idle == []


def test_every_key_that_is_written_is_named() -> None:
    """The keys of all targets stand in the code that writes them."""
    import inspect

    written = set(re.findall(r'^        "(\w+)": ', inspect.getsource(write_manifest), re.MULTILINE))
    named = {name.split(".")[0].split("[")[0] for name in documented("manifest.json")}
    assert written
    assert written <= named
