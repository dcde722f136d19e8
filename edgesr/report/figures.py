"""Figures quoted in Markdown files: marked blocks that are written anew from a report's JSON.

A block is ``<!-- figures:NETWORK/KIND -->``, lines, ``<!-- /figures -->``; both markers stand on lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgesr.convert.targets import title
from edgesr.errors import InputOutputError, UsageError
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json, read_text

from .html import megabytes, milliseconds, number
from .markdown import COLUMNS, markdown_table, table_rows
from .verdict import decibel

BLOCK = re.compile(r"^<!-- figures:([\w.-]+)/([\w-]+) -->\n(.*?)^<!-- /figures -->$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^<!-- /?figures\b.*$", re.MULTILINE)


def verdict_lines(report: dict[str, Any]) -> str:
    """The headline and a line a target."""
    lines = [
        f"- {title(line['target'])}: {line['precision'] or 'none'}. {line['text']}."
        for line in report["verdict"]["lines"]
    ]
    return "\n".join([report["verdict"]["headline"], "", *lines])


def whole_table(report: dict[str, Any]) -> str:
    """Every measured row."""
    return markdown_table(COLUMNS, table_rows(report))


def short_table(report: dict[str, Any]) -> str:
    """What a README quotes: losses, size and speed of every measured row."""
    columns = ("target", "precision", "lost, mean dB", "worst face", "size", "ms", "ratio")
    rows = [
        [
            title(row["target"]),
            row["precision"],
            decibel(row["psnr_loss_mean"]),
            decibel(row["psnr_loss_max"]),
            megabytes(row["size_bytes"]),
            milliseconds(row["ms_median"]),
            number(row["ratio"]),
        ]
        for row in report["rows"]
    ]
    return markdown_table(columns, rows)


KINDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "verdict": verdict_lines,
    "table": whole_table,
    "short-table": short_table,
}


def read_report(path: Path) -> dict[str, Any]:
    """A report's JSON file.

    Raises:
        InputOutputError: it cannot be read, or is no report.
    """
    report = read_json(path, "edgesr report writes it")
    if not isinstance(report, dict) or report.get("format") != "edgesr-report":
        raise InputOutputError(f"{path} is no report", "edgesr report writes one beside its page")
    return report


def with_figures(text: str, report: dict[str, Any], source: str = "the text") -> str:
    """``text`` with the blocks of the report's network written anew; those of other networks stay.

    Raises:
        UsageError: a block of an unknown kind, or a marker without its twin.
    """

    def rewritten(block: re.Match[str]) -> str:
        network, kind, _ = block.groups()
        if kind not in KINDS:
            raise UsageError(f"{source} has a block of unknown figures {kind!r}", f"kinds: {', '.join(KINDS)}")
        if network != report["name"]:
            return block.group()
        return f"<!-- figures:{network}/{kind} -->\n{KINDS[kind](report)}\n<!-- /figures -->"

    if len(MARKER.findall(text)) != 2 * len(BLOCK.findall(text)):
        raise UsageError(
            f"{source} has a figures marker without its twin",
            "<!-- figures:NETWORK/KIND --> and <!-- /figures --> stand on lines of their own",
        )
    return BLOCK.sub(rewritten, text)


def rewrite(files: Sequence[Path], report: dict[str, Any]) -> list[Path]:
    """Write the blocks of all files anew; returns those that changed. Nothing is written where one is faulty."""
    before = {file: read_text(file) for file in files}
    after = {file: with_figures(text, report, str(file)) for file, text in before.items()}
    changed = [file for file in files if before[file] != after[file]]
    for file in changed:
        with file_aside(file) as aside:
            aside.write_text(after[file], encoding="utf-8")
    return changed
