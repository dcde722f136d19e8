"""``edgesr targets``."""

from __future__ import annotations

from typing import Any

import click

from edgesr.cli import output


@click.command("targets")
@output.json_option
def command(as_json: bool) -> None:
    """What can be converted to, in which precisions, what runs here, and what each still needs."""
    from edgesr.convert.targets import TARGETS, target_named

    rows: list[dict[str, Any]] = []
    for target in TARGETS.values():
        missing = target.missing()
        rows.append(
            {
                "name": target.name,
                "precisions": list(target.precisions),
                "default_precision": target.default_precision,
                "lowerings": list(target.lowerings),
                "available": not missing,
                "executes_here": target.executes_here,
                "missing": missing,
            }
        )
    if as_json:
        output.write_json({"targets": rows})
        return
    output.table(
        ("target", "precisions (* default)", "lowerings (best first)", "converts here", "executes here"),
        [
            (
                row["name"],
                ", ".join(f"{p}*" if p == row["default_precision"] else p for p in row["precisions"]),
                ", ".join(row["lowerings"]),
                "yes" if row["available"] else f"no: {', '.join(row['missing'])} missing",
                "yes" if row["executes_here"] else f"no: {target_named(row['name']).otherwise}",
            )
            for row in rows
        ],
    )
