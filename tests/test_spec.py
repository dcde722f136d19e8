"""The rules that booths share are Python's: generated files are what would be generated now."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import spec

WRITTEN = spec.files()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_a_generated_file_is_what_would_be_generated_now(path: Path) -> None:
    assert path.read_text() == WRITTEN[path], "python tools/spec.py"


def test_the_rules_are_numbers_texts_and_lists() -> None:
    read = json.loads(spec.RULES.read_text())
    assert len(read) >= 10
    for fields in read.values():
        for value in fields.values():
            assert isinstance(value, int | float | str | list)


def test_the_documents_template_is_the_rules() -> None:
    words = (spec.ROOT / "docs" / "gallery-format.md").read_text()
    template = ", ".join(f"({x:.3f}, {y:.3f})" for x, y in spec.rules()["descriptor"]["template"])
    assert template in words
