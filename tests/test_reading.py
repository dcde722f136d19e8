"""Texts that others made: what is too deep, too long or no text is an answer, and a quick one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgesr.errors import InputOutputError
from edgesr.reading import parse_json, parse_toml, read_table, read_text


@pytest.mark.parametrize(
    ("parse", "text", "what"),
    [
        (parse_json, "[" * 100_000, "nested too deeply"),
        (parse_json, '{"a":' * 100_000, "nested too deeply"),
        (parse_json, '{"a": "\\ud800"}', "surrogates not allowed"),
        (parse_json, '{"\\ud800": 1}', "surrogates not allowed"),
        (parse_json, "{", "cannot read x"),
        (parse_toml, "a = " + "[" * 2_000, "nested too deeply"),
        (parse_toml, "a = " + "[" * 100_000, "more than 4096 characters"),
        (parse_toml, "a." * 50_000 + "b = 1", "more than 4096 characters"),
        (parse_toml, "a = ", "cannot read x"),
    ],
)
def test_what_cannot_be_read_is_said(parse: Callable[[str, str], Any], text: str, what: str) -> None:
    with pytest.raises(InputOutputError, match=what) as caught:
        parse(text, "x")
    str(caught.value).encode()


def test_what_can_be_read_is_read() -> None:
    assert parse_json('{"a": "\\u00e9\\ud83d\\ude00"}', "x") == {"a": "é😀"}
    assert parse_toml('a = "é"\n[b]\nc = 1', "x") == {"a": "é", "b": {"c": 1}}


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b\n1,2", b""])
def test_a_table_or_text_that_is_none_is_an_answer(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(InputOutputError):
        read_table(path, columns=("split",))
    if content.startswith(b"\xff"):
        with pytest.raises(InputOutputError, match="UTF-8"):
            read_text(path)
