"""``edgesr report``."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.errors import UsageError
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.report.write import PRECISIONS, TARGETS, WrittenReport, refuse_early


class SeveralValues(click.Command):
    """Lets ``--bundles A B C`` stand for ``--bundles A --bundles B --bundles C``."""

    SEVERAL = ("--bundles", "--device-results", "--quantized", "--compare")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        expanded: list[str] = []
        option = ""
        for i, argument in enumerate(args):
            if argument.startswith("-"):
                option = argument if argument in self.SEVERAL else ""
            elif option and args[i - 1] != option:
                expanded.append(option)
            expanded.append(argument)
        return super().parse_args(ctx, expanded)


@click.command("report", cls=SeveralValues)
@click.option("--checkpoint", "-c", default=DEFAULT_CHECKPOINT, show_default=True, help="The float network.")
@click.option("--quantized", multiple=True, help="Its int8 checkpoints (edgesr quantize). Default: the shipped one.")
@click.option("--data", type=PATH, help="Folder of aligned faces with eval_list.csv. Default: the sample faces.")
@click.option("--split", "splits", multiple=True, help="Of the table and the verdict; again for more. Default: test.")
@click.option("--show", help="Split whose faces may be shown. Default: london where there is one, else the samples.")
@click.option("--targets", help=f"Default: {','.join(TARGETS)}, or just the --bundles.")
@click.option("--precisions", default=",".join(PRECISIONS), show_default=True)
@click.option("--bundles", multiple=True, type=PATH, metavar="DIR...", help="Bundles, or folders of bundles.")
@click.option("--calibrate", type=PATH, metavar="FOLDER", help="Faces to calibrate int8-ptq on. Default: --data.")
@click.option("--recipe", type=PATH, metavar="FILE", help="For mixed: the precision of each layer.")
@click.option("--device-results", multiple=True, type=PATH, metavar="FILE...", help="What demo apps measured.")
@click.option("--sensitivity", "sensitivity_file", type=PATH, help="Layer sensitivities from edgesr quantize.")
@click.option(
    "--sensitivity-faces",
    default=8,
    show_default=True,
    type=click.IntRange(0),
    help="Else: of val, up to --limit.",
)
@click.option("--limit", type=click.IntRange(1), help="So many faces of each split, evenly spread.")
@click.option("--slow-faces", default=12, show_default=True, type=click.IntRange(1), help="Where evaluated op by op.")
@click.option("--worst", default=4, show_default=True, type=click.IntRange(0), help="Worst faces to show.")
@click.option("--identity/--no-identity", default=None, help="Default: on where edgesr[identity] is installed.")
@click.option("--embedder", type=PATH, help="An ONNX face embedder (as ArcFace) for identity instead of dlib's.")
@click.option("--latency/--no-latency", default=True, show_default=True)
@click.option("--graph", is_flag=True, help="Draw each artifact's graph, and write node data for Model Explorer.")
@click.option("--runs", default=30, show_default=True, type=click.IntRange(3, 10_000), help="Timed runs of a graph.")
@click.option("--timed-threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Of timed runs.")
@click.option(
    "--compare",
    multiple=True,
    type=PATH,
    metavar="JSON...",
    help="An older report's JSON to set this one beside; or two, old and new: then nothing is measured.",
)
@click.option("--work", type=PATH, help="Keeps bundles and figures, to resume. Default: OUTPUT without .html, .work.")
@click.option("--output", "-o", "out", default=Path("report.html"), show_default=True, type=PATH)
@threads_option
@output.force_option
@output.json_option
def command(
    checkpoint: str,
    quantized: tuple[str, ...],
    data: Path | None,
    splits: tuple[str, ...],
    show: str | None,
    targets: str | None,
    precisions: str,
    bundles: tuple[Path, ...],
    calibrate: Path | None,
    recipe: Path | None,
    device_results: tuple[Path, ...],
    sensitivity_file: Path | None,
    sensitivity_faces: int,
    limit: int | None,
    slow_faces: int,
    worst: int,
    identity: bool | None,
    embedder: Path | None,
    latency: bool,
    graph: bool,
    runs: int,
    timed_threads: int,
    compare: tuple[Path, ...],
    work: Path | None,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """What each precision loses on each target, measured through the converted artifacts, and which layers lose it.

    \b
    edgesr report                                            on the sample faces, a first look
    edgesr report --data my-faces -o report.html             on the test split
    edgesr report --bundles A B --device-results pixel8.json
    edgesr report --compare old.json                         measure, and set beside an older report
    edgesr report --compare old.json new.json -o both.html   two reports that are there, side by side

    Writes one HTML file that opens offline, its JSON and a Markdown summary beside it. What is not converted yet is
    converted. An interrupted report goes on where it stopped. Exit code 1 where no precision keeps within the limits
    on some target, and where a figure got worse than an older report's beyond the spread of both.
    """
    if len(compare) > 2:
        raise UsageError("--compare takes one report or two", "edgesr report --compare OLD.json NEW.json")
    early.files(*compare)
    if len(compare) == 2:
        show_comparison(*compare, out, force, as_json)
        return
    refuse_early(out, force)
    beside = out.with_suffix(".compare.html")
    older = None
    early.checkpoint(checkpoint)
    if compare:
        from edgesr.models.description import describe
        from edgesr.report.compare import check_alike
        from edgesr.report.report import read_report

        early.absent(beside, beside.with_suffix(".md"), force=force)
        older = read_report(compare[0])  # before anything is measured: the new one may take its place
        network = describe(checkpoint)
        check_alike(older, network.name, network.config.scale, network.config.lr_size)
    for name in quantized:
        early.checkpoint(name)
    for folder in bundles:
        if not folder.is_dir():
            early.bundle(folder)
    early.files(recipe, sensitivity_file, embedder, *device_results)
    if data:
        for name in splits or ("test",):
            early.faces(data, name)
    from edgesr.report.write import write_report

    written = write_report(
        out,
        checkpoint=checkpoint,
        quantized=quantized,
        data=data,
        splits=splits,
        show=show,
        targets=_names(targets) if targets is not None else None,
        precisions=_names(precisions),
        bundles=bundles,
        calibrate=calibrate,
        recipe=recipe,
        device_results=device_results,
        sensitivity=sensitivity_file,
        sensitivity_faces=sensitivity_faces,
        limit=limit,
        slow_faces=slow_faces,
        worst=worst,
        identity=identity,
        embedder=embedder,
        latency=latency,
        graph=graph,
        runs=runs,
        timed_threads=timed_threads,
        work=work,
        command=command_line(),
        force=force,
        report=output.say,
        track=progress.track,
    )
    compared, worse = {}, False
    if older is not None:
        from edgesr.report.compare import compare as side_by_side
        from edgesr.report.compare import write_comparison

        found = side_by_side(older, written.content)
        worse, summary = bool(found.worse), write_comparison(found, beside)
        compared = {"comparison": str(beside), "comparison_markdown": str(summary)}
    if as_json:
        described = written.content.to_dict()
        output.write_json(
            {
                "ok": written.ok and not worse,
                "report": str(written.page),
                "json": str(written.json),
                "markdown": str(written.markdown),
                **compared,
                **({"node_data": [str(path) for path in written.node_data]} if graph else {}),
                **{key: described[key] for key in ("split", "verdict", "few", "missing", "absent")},
                "rows": [without_faces(row) for row in described["rows"]],
            }
        )
    else:
        print_summary(written)
        for file in (*map(str, written.node_data), *compared.values()):
            output.write(file)
    if worse or not written.ok:
        raise output.NegativeResult


def show_comparison(old: Path, new: Path, out: Path, force: bool, as_json: bool) -> None:
    """Two reports that are there, side by side: the page, its summary, and a table."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"cannot write {out.name!r} as a report", "its name ends in .html")
    early.absent(out, out.with_suffix(".md"), force=force)
    from edgesr.report.compare import compare, write_comparison
    from edgesr.report.report import read_report

    found = compare(read_report(old), read_report(new))
    summary = write_comparison(found, out)
    if as_json:
        described = {
            key: [dataclasses.asdict(one) for one in getattr(found, key)] for key in ("shipped", "pairs", "differences")
        }
        head = {"ok": not found.worse, "comparison": str(out), "comparison_markdown": str(summary)}
        output.write_json({**head, "headline": found.headline, "incomparable": found.incomparable, **described})
    else:
        rows = [
            (f"{pair.target} {pair.precision}", figure.name, figure.old, figure.new, figure.change, word(figure.better))
            for pair in found.pairs
            for figure in pair.figures
        ]
        output.table(("artifact", "figure", "before", "now", "change", ""), rows, title=found.headline)
        for line in found.incomparable:
            output.say(f"note: {line}")
        output.write(str(out))
        output.write(str(summary))
    if found.worse:
        raise output.NegativeResult


def word(better: bool | None) -> str:
    """A verdict on a figure."""
    return "" if better is None else "better" if better else "WORSE"


def command_line() -> str:
    """What was typed, without the folders of this machine; empty where this runs inside another program."""
    ours = Path(sys.argv[0]).name in ("edgesr", "__main__.py")
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["edgesr", *words]) if ours else ""


def without_faces(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the figures of single faces, which the JSON file has."""
    return {key: value for key, value in row.items() if key not in ("loss_per_face", "worst")}


def print_summary(written: WrittenReport) -> None:
    """The table, what is missing from it, and where the files lie."""
    from edgesr.report.page import table

    report = written.content
    output.table(*table(report), title=report.verdict.headline)
    if report.few:
        output.write(report.few)
    for missing in report.missing:
        output.write(f"not measured: {missing.target} {missing.precision}: {missing.why}")
    for file in (written.page, written.json, written.markdown):
        output.write(str(file))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
