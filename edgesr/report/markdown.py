"""The report's Markdown summary: verdict, table, worst faces, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgesr.convert.targets import title

from .html import megabytes, milliseconds, number, verified
from .verdict import decibel

COLUMNS = (
    "target",
    "precision",
    "PSNR dB",
    "lost, mean",
    "worst",
    "identity",
    "lost",
    "verified %",
    "size",
    "ms",
    "ratio",
    "int8 convs",
    "faces",
)


def report_markdown(report: dict[str, Any], page: str) -> str:
    """A summary that stands on its own; ``page`` is the name of the HTML file beside it."""
    split, anchors = report["split"], report["anchors"]
    part = f" of {split['of']}" if split["faces"] < split["of"] else ""
    lines = [
        f"# {report['name']}: quantization accuracy",
        "",
        f"**{report['verdict']['headline']}**",
        "",
        *([report["few"], ""] if report["few"] else []),
        *(
            f"- {title(line['target'])}: {line['precision'] or 'none'}. {line['text']}."
            for line in report["verdict"]["lines"]
        ),
        "",
        f"Through the converted artifacts on {split['faces']}{part} faces of {report['people']} people "
        f"(`{split['name']}`), against the float network in PyTorch on the same faces "
        f"({number(anchors['float']['psnr'])} dB; bicubic {number(anchors['bicubic']['psnr'])} dB). "
        f"Charts, layers and the worst faces: [{page}]({page}).",
        "",
        markdown_table(COLUMNS, table_rows(report)),
        "",
        *(f"- not measured: {title(row['target'])} {row['precision']}: {row['why']}" for row in report["missing"]),
        *(
            f"- without {part['part']}: {part['why']}" + (f" (`{part['command']}`)" if part["command"] else "")
            for part in report["absent"]
        ),
        "",
        f"Machine: {report['machine']['processor']}, {report['machine']['cores']} cores. {report['date']}.",
        *(["", "```text", report["command"], "```"] if report["command"] else []),
    ]
    return "\n".join(lines) + "\n"


def table_rows(report: dict[str, Any]) -> list[list[str]]:
    """Cells of the measured rows, in ``COLUMNS``."""
    return [
        [
            title(row["target"]),
            row["precision"],
            number(row["psnr"]),
            decibel(row["psnr_loss_mean"]),
            decibel(row["psnr_loss_max"]),
            number(row["identity"], 3),
            number(row["identity_loss"], 4),
            verified(row.get("verified")),  # reports from before have none
            megabytes(row["size_bytes"]),
            milliseconds(row["ms_median"]),
            number(row["ratio"]),
            str(row["convolutions"]["int8"]),
            str(row["faces"]),
        ]
        for row in report["rows"]
    ]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first two columns left, the others right."""
    rule = ["---" if i < 2 else "---:" for i in range(len(columns))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *rows))
