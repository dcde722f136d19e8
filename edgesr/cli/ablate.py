"""``edgesr ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.ablations.tables import NETWORK, load_table, table_names
from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.errors import UnavailableError, UsageError
from edgesr.process.extras import title

if TYPE_CHECKING:
    from edgesr.ablations.definitions import Row
    from edgesr.ablations.report import TableReport
    from edgesr.ablations.runs import Ablation
    from edgesr.ablations.tables import Table


@click.command("ablate")
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True)
@click.option("--data", type=PATH, help="Folder with the splits train, val and test, as for train and eval.")
@click.option("--minutes", default=8.0, show_default=True, type=Number(0, min_open=True), help="A row.")
@click.option(
    "--output", "-o", "folder", type=PATH, help="Default: runs/ablate, or runs/ablate-NETWORK of tables of another."
)
@click.option("--rows", metavar="ROW,ROW,...", help="Train only these; the table shows all that are finished.")
@click.option("--report", is_flag=True, help="Train nothing: print what is finished, also beside a run that goes on.")
@click.option("--network", help=f"A preset, or a config.json with widths. Default: the tables', mostly {NETWORK}.")
@click.option(
    "--init",
    help="Start every row from this checkpoint instead of at random: from those of its tensors that all rows have. "
    "Default: the table's, where it is about fine-tuning.",
)
@click.option("--seed", default=0, show_default=True)
@threads_option
@click.option("--identity", is_flag=True, help="Measure identity similarity too, with dlib.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@output.json_option
def command(
    tables: tuple[str, ...],
    data: Path | None,
    minutes: float,
    folder: Path | None,
    rows: str | None,
    report: bool,
    network: str | None,
    init: str | None,
    seed: int,
    identity: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Train a table's rows for equal minutes each, evaluate them, and print them beside the paper's table.

    \b
    edgesr ablate list
    edgesr ablate alignment --data my-faces
    edgesr ablate alignment aggregation exemplars --data my-faces --minutes 60 --threads 1
    edgesr ablate alignment --rows deformable --data my-faces
    edgesr ablate curriculum --init hime-small-x8 --data my-faces
    edgesr ablate alignment --init my-start-without-exemplars --data my-faces

    Minutes are those of the CPU where it does the work: a row's step is timed first, and the steps it gets are the
    minutes over that, so that what else the machine does takes nothing from one row. The same command again goes on
    where it was interrupted, exactly; finished rows are reused, also by other tables that have them.
    """
    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other", "choose one")
    if tables == ("list",):
        list_tables(as_json)
        return
    if data is None:
        raise UsageError("no --data", "a folder with the splits train, val and test")
    wanted = [load_table(name) for name in dict.fromkeys(tables)]
    apart = network is None and one_network(wanted) != NETWORK  # rows of other networks share their names
    network, own_init = network or one_network(wanted), one_start(wanted)
    names = ["ablate", *([network] if apart else []), *([f"from-{own_init}"] if own_init and init is None else [])]
    folder, init = folder or Path("runs", "-".join(names)), (own_init or None) if init is None else init
    early.architecture(network)
    if init is not None:  # an empty name, of a variable that is not set, is none
        early.checkpoint(init)
    for split in ("val", "test"):
        early.faces(data, split)
    try:
        from edgesr.ablations.definitions import load_row
        from edgesr.ablations.report import METRICS, TableReport
        from edgesr.ablations.runs import Ablation
        from edgesr.ablations.start import Start
    except ImportError as error:
        raise UnavailableError(f"training needs {title(error)}", "pip install 'edgesr[train]'") from error
    from edgesr.cli.eval import measure_with
    from edgesr.cli.training_progress import fit
    from edgesr.data.faces import FaceSet, read_eval_list
    from edgesr.data.layout import with_more_exemplars
    from edgesr.faces.identity import open_meter
    from edgesr.models import load_checkpoint
    from edgesr.training.setup import network_config, settings_for

    config, _ = network_config(network)
    known = {
        entry.row: load_row(entry.row, config, settings_for(config, {"seed": seed}))
        for table in wanted
        for entry in table.entries
    }
    most = max(row.exemplars for row in known.values())
    pairs = {
        split: [with_more_exemplars(pair, most) for pair in read_eval_list(data, split, config.hr_size)]
        for split in ("val", "test")
    }
    meter = open_meter(True) if identity else None
    metrics = [metric for metric in METRICS if metric != "identity" or identity]
    start = Start.of(load_checkpoint(init), list(known.values())) if init is not None else None
    ablation = Ablation(folder, list(known.values()), minutes, pairs, measure_with(meter, None), metrics, start)

    def read_faces() -> FaceSet:
        output.say(f"reading photos from {data}")
        return FaceSet.read(data, "train", config.hr_size, track=lambda paths: progress.track(paths, "reading photos"))

    if not report:
        output.claim(folder)
        asked = chosen(known, wanted, rows)
        if rows is None:
            asked = measurable(ablation, asked)
        ablation.train(
            asked,
            read_faces,
            lambda trainer: fit(trainer, trainer.name),
            output.say,
            lambda turns: progress.track(turns, "timing steps"),
        )
    results = {row.name: result for row in known.values() if (result := ablation.result(row)) is not None}
    reports = [TableReport(table, results) for table in wanted]
    show(reports, minutes, seed, markdown, as_json)


def one_network(tables: list[Table]) -> str:
    """The network whose rows the tables compare.

    Raises:
        UsageError: tables of several.
    """
    networks = list(dict.fromkeys(table.network for table in tables))
    if len(networks) > 1:
        raise UsageError(f"tables of {' and '.join(networks)}", "ask for those of one network at a time")
    return networks[0]


def one_start(tables: list[Table]) -> str:
    """The checkpoint that the tables' rows start from unless told otherwise; empty where that is at random.

    Raises:
        UsageError: tables of several.
    """
    starts = list(dict.fromkeys(table.init for table in tables))
    if len(starts) > 1:
        told = " and ".join(f"from {start}" if start else "at random" for start in starts)
        raise UsageError(f"tables whose rows start {told}", "ask for those of one start at a time")
    return starts[0]


def chosen(known: dict[str, Row], tables: list[Table], rows: str | None) -> list[Row]:
    """The rows to train, by the label that a table gives them or by their own name; all where none are named."""
    if rows is None:
        return list(known.values())
    names = {entry.label: entry.row for table in tables for entry in table.entries} | {name: name for name in known}
    asked = [name.strip() for name in rows.split(",")]
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise UsageError(
            f"no row {', '.join(unknown)} in {', '.join(t.name for t in tables)}", f"rows: {', '.join(names)}"
        )
    return [known[name] for name in dict.fromkeys(names[label] for label in asked)]


def measurable(ablation: Ablation, rows: list[Row]) -> list[Row]:
    """Those of a whole table's rows that the folder has the photos for; the others are left out, which is said.

    Where it has them for none, all: the first is refused then, as one is that was asked for by name.
    """
    lacking = {row.name: why for row in rows if (why := ablation.lacking(row))}
    if len(lacking) == len(rows):
        return rows
    for why in lacking.values():
        output.say(f"note: {why}: the row is left out")
    return [row for row in rows if row.name not in lacking]


def list_tables(as_json: bool) -> None:
    """Every table with its rows."""
    tables = [load_table(name) for name in table_names()]
    if as_json:
        listed = [
            {"name": t.name, "title": t.title, "source": t.source, "rows": [entry.label for entry in t.entries]}
            for t in tables
        ]
        output.write_json({"ok": True, "tables": listed})
        return
    lines = [[t.name, t.title, ", ".join(entry.row for entry in t.entries), t.source] for t in tables]
    output.table(["table", "what it compares", "rows", "source"], lines)


def show(reports: list[TableReport], minutes: float, seed: int, markdown: bool, as_json: bool) -> None:
    """The tables, as text, Markdown or one JSON object."""
    from edgesr.ablations.report import remarks, text
    from edgesr.cli import eval_text

    if as_json:
        tables: list[dict[str, Any]] = [
            {
                "name": report.table.name,
                "title": report.table.title,
                "source": report.table.source,
                "baseline": report.table.baseline,
                "rows": report.rows(),
            }
            for report in reports
        ]
        output.write_json({"ok": True, "minutes": minutes, "seed": seed, "tables": tables})
        return
    for report in reports:
        columns, lines = text(report)
        if markdown:
            output.write(eval_text.markdown(report.heading, columns, lines, remarks([report], minutes)) + "\n")
        else:
            output.table(columns, lines, title=report.heading)
    if not markdown:
        for note in remarks(reports, minutes):
            output.write(note)
