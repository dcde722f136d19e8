"""The ablations' tables, read from the TOML files beside this module; what their rows are is in ``definitions``."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from edgesr.errors import UsageError

FOLDER = Path(__file__).parent
NETWORK = "hime-small-x8"
"""What the HIME paper's ablations are made with: (16, x8)."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row's place in a table, with the paper's figures for it (``psnr`` in dB, ``ssim``), where it prints some."""

    label: str
    row: str
    paper: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows that answer one question, each compared with ``baseline``, the label of one of them."""

    name: str
    title: str
    source: str
    baseline: str
    entries: tuple[Entry, ...]
    network: str = NETWORK
    """The preset that its rows change."""
    note: str = ""
    """What is odd about the paper's own figures, or another in ours."""
    init: str = ""
    """The checkpoint that its rows start from unless told otherwise, where it is about fine-tuning."""


def table_names() -> list[str]:
    """Every table there is."""
    return sorted(path.stem for path in (FOLDER / "tables").glob("*.toml"))


def load_table(name: str) -> Table:
    """A table by name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in table_names():
        raise UsageError(f"unknown table {name!r}", f"there are: {', '.join(table_names())}")
    fields = read("tables", name)
    entries = tuple(Entry(label, e["row"], e.get("paper", {})) for label, e in fields["rows"].items())
    network, note, init = fields.get("network", NETWORK), fields.get("note", ""), fields.get("init", "")
    return Table(name, fields["title"], fields["source"], fields["baseline"], entries, network, note, init)


def read(folder: str, name: str) -> dict[str, Any]:
    """The fields of one file of ``tables`` or ``rows``."""
    return tomllib.loads((FOLDER / folder / f"{name}.toml").read_text())
