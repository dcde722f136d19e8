"""``edgesr report``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.errors import EdgesrError, UnavailableError, UsageError
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.models import Checkpoint
    from edgesr.models.hime.config import HIMEConfig
    from edgesr.report.subject import Split, Subject

TARGETS, PRECISIONS = "executorch,coreml,tflite", "fp32,fp16,int8-ptq,int8,mixed"
SHOWN = "london"
"""The split whose photos may be shown (CC-BY 4.0); where a folder lacks it, the package's samples stand in."""

_path = click.Path(path_type=Path)


class SeveralValues(click.Command):
    """Lets ``--bundles A B C`` stand for ``--bundles A --bundles B --bundles C``."""

    SEVERAL = ("--bundles", "--device-results", "--quantized")

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
@click.option("--data", type=_path, help="Folder of aligned faces with eval_list.csv. Default: the sample faces.")
@click.option("--split", "splits", multiple=True, help="Of the table and the verdict; again for more. Default: test.")
@click.option("--show", help="Split whose faces may be shown. Default: london where there is one, else the samples.")
@click.option("--targets", help=f"Default: {TARGETS}, or just the --bundles.")
@click.option("--precisions", default=PRECISIONS, show_default=True)
@click.option("--bundles", multiple=True, type=_path, metavar="DIR...", help="Bundles, or folders of bundles.")
@click.option("--calibrate", type=_path, metavar="FOLDER", help="Faces to calibrate int8-ptq on. Default: --data.")
@click.option("--recipe", type=_path, metavar="FILE", help="For mixed: the precision of each layer.")
@click.option("--device-results", multiple=True, type=_path, metavar="FILE...", help="What demo apps measured.")
@click.option("--sensitivity", "sensitivity_file", type=_path, help="Layer sensitivities from edgesr quantize.")
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
@click.option("--embedder", type=_path, help="An ONNX face embedder (as ArcFace) for identity instead of dlib's.")
@click.option("--latency/--no-latency", default=True, show_default=True)
@click.option("--runs", default=30, show_default=True, type=click.IntRange(3, 10_000), help="Timed runs of a graph.")
@click.option("--timed-threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Of timed runs.")
@click.option("--work", type=_path, help="Keeps bundles and figures, to resume. Default: OUTPUT without .html, .work.")
@click.option("--output", "-o", "out", default=Path("report.html"), show_default=True, type=_path)
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
    runs: int,
    timed_threads: int,
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

    Writes one HTML file that opens offline, its JSON and a Markdown summary beside it. What is not converted yet is
    converted. An interrupted report goes on where it stopped. Exit code 1 where no precision keeps within the limits
    on some target.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"cannot write {out.name!r} as a report", "its name ends in .html")
    files = {"report": out, "json": out.with_suffix(".json"), "markdown": out.with_suffix(".md")}
    for file in files.values():
        if file.exists() and not force:
            raise UsageError(f"{file} already exists", "pass --force to replace it, or -o for another place")
    check_installed()
    early.checkpoint(checkpoint)
    for name in quantized:
        early.checkpoint(name)
    for folder in bundles:
        if not folder.is_dir():
            early.bundle(folder)
    early.files(recipe, sensitivity_file, embedder, *device_results)
    if data:
        for name in splits or ("test",):
            early.faces(data, name)
    from edgesr.cli.report_bundles import Sources, check_names, given_cells, with_conversions
    from edgesr.models import load_checkpoint
    from edgesr.report.build import measure_report
    from edgesr.report.subject import Settings, Subject

    devices = [result for file in device_results for result in read_devices(file)]
    work = work or out.with_suffix(".work")
    source = load_checkpoint(checkpoint)
    ints = int8_checkpoints(quantized, source)
    wanted = _names(targets if targets is not None else TARGETS if not bundles else ""), _names(precisions)
    check_names(*wanted)
    given = given_cells(bundles)
    config = next((cell.bundle.config for cell in given if cell.bundle), source.model.config)
    measured, shown = choose_faces(data, splits, show, limit, config, source.degradation)
    sources = Sources(source, checkpoint, ints, calibrate or data, recipe, work / "bundles")
    chosen = with_conversions(given, *wanted, sources, output.say)
    subject = Subject(source, [c for c, _ in ints], chosen, measured, shown if worst else None, devices)
    few = min(sensitivity_faces, limit or sensitivity_faces)
    subject = with_sensitivity(subject, sensitivity_file, few, data, calibrate or data, work)
    settings = Settings(
        work=work,
        runs=runs,
        threads=timed_threads,
        slow_faces=slow_faces,
        worst=worst,
        latency=latency,
        identity_missing="not asked for" if identity is False else "no face embedder",
        command=command_line(),
    )
    report, pictures = measure_report(subject, settings, meter_for(identity, embedder), tools())
    write(report, pictures, files)
    if as_json:
        output.write_json(
            {
                "ok": bool(all(line["precision"] for line in report["verdict"]["lines"])),
                **{name: str(file) for name, file in files.items()},
                "split": report["split"],
                "verdict": report["verdict"],
                "few": report["few"],
                "rows": [without_faces(row) for row in report["rows"]],
                "missing": report["missing"],
                "absent": report["absent"],
            }
        )
    else:
        print_summary(report, files)
    if any(not line["precision"] for line in report["verdict"]["lines"]):
        raise output.NegativeResult


def command_line() -> str:
    """What was typed, without the folders of this machine; empty where this runs inside another program."""
    ours = Path(sys.argv[0]).name in ("edgesr", "__main__.py")
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["edgesr", *words]) if ours else ""


def check_installed() -> None:
    """Refuse at once what would only fail after all measuring is done."""
    import importlib.util

    for module, name in (("matplotlib", "matplotlib"), ("jinja2", "Jinja")):
        if importlib.util.find_spec(module) is None:
            raise UnavailableError(f"a report needs {name}", "pip install 'edgesr[report]'")


def read_devices(file: Path) -> list[Any]:
    from edgesr.report.device import read_device_results

    return list(read_device_results(file))


def int8_checkpoints(quantized: Sequence[str], source: Checkpoint) -> list[tuple[Checkpoint, str]]:
    """Those given, or the shipped one of the float network's name; each with the name or path it came by."""
    from edgesr.models import load_checkpoint
    from edgesr.models.checkpoint import shipped_names

    names = quantized or [name for name in (f"{source.name}-int8",) if name in shipped_names()]
    found = [(load_checkpoint(name, quantized=True), name) for name in names]
    for loaded, name in found:
        if loaded.quantization is None:
            raise UsageError(f"{name} is a float network", "--quantized takes checkpoints of edgesr quantize")
        if loaded.feature_space != source.feature_space:
            raise UsageError(
                f"{name} was not made of {source.name}", "their feature spaces differ: give another --checkpoint"
            )
    return found


def choose_faces(
    data: Path | None, names: Sequence[str], show: str | None, limit: int | None, config: HIMEConfig, degradation: str
) -> tuple[list[Split], Split]:
    """Splits to measure, the first for the table, and the one whose faces may be shown (it is measured too)."""
    from edgesr.data.faces import eval_splits, read_eval_list
    from edgesr.report.faces import SAMPLES, faces_of_pairs, faces_of_samples, spread
    from edgesr.report.subject import Split

    if data is None and (names or (show and show != SAMPLES)):
        raise UsageError("--split and --show are of a folder of faces", "give --data FOLDER too")

    def split(name: str) -> Split:
        if data is None or name == SAMPLES:
            found = faces_of_samples(config, degradation)
            return Split(SAMPLES, spread(found, limit), len(found))
        pairs = read_eval_list(data, name, config.hr_size)
        return Split(name, faces_of_pairs(spread(pairs, limit), name, config, degradation), len(pairs))

    shown = show or (SHOWN if data is not None and SHOWN in eval_splits(data / "eval_list.csv") else SAMPLES)
    wanted = list(dict.fromkeys([*(names or ([SAMPLES] if data is None else ["test"])), shown]))
    splits = {name: split(name) for name in wanted}
    return list(splits.values()), splits[shown]


def with_sensitivity(
    subject: Subject, file: Path | None, count: int, data: Path | None, calibration: Path | None, work: Path
) -> Subject:
    """The subject with its layers' sensitivities: from a file, or measured, or why not."""
    import dataclasses

    from edgesr.report.sensitivity import read_sensitivity, sensitivity_of

    if file is not None:
        return dataclasses.replace(subject, sensitivity=read_sensitivity(file))
    if not count:
        return dataclasses.replace(subject, sensitivity_missing="not asked for\nedgesr report --sensitivity-faces 8")
    if data is None or calibration is None:
        return dataclasses.replace(subject, sensitivity_missing="no folder of faces\nedgesr report --data FOLDER")
    try:
        output.say(f"sensitivity of every layer on {count} faces of val")
        rows = sensitivity_of(subject.checkpoint, data, calibration, count, work, progress.track)
    except EdgesrError as error:
        return dataclasses.replace(subject, sensitivity_missing=f"{error.what}\n{error.hint}")
    return dataclasses.replace(subject, sensitivity=rows)


def tools() -> Any:
    """What the report takes from conversion and from this command line."""
    from edgesr.convert.targets import target_named
    from edgesr.convert.verify import runtime_or_evaluator
    from edgesr.report.subject import Tools

    return Tools(
        open_runtime=lambda bundle: runtime_or_evaluator(bundle)[0],
        executes_here=lambda bundle: target_named(bundle.manifest["target"]).executes_here,
        say=output.say,
        track=progress.track,
    )


def meter_for(identity: bool | None, embedder: Path | None) -> Any:
    from edgesr.cli.eval import identity_meter

    return identity_meter(identity, embedder)


def write(report: dict[str, Any], pictures: dict[str, Any], files: dict[str, Path]) -> None:
    """All three files; each complete or not at all."""
    from edgesr.files.atomic import file_aside
    from edgesr.report.build import report_json
    from edgesr.report.html import report_html
    from edgesr.report.markdown import report_markdown

    texts = {
        "report": report_html(report, pictures),
        "json": report_json(report),
        "markdown": report_markdown(report, files["report"].name),
    }
    for name, text in texts.items():
        with file_aside(files[name]) as aside:
            aside.write_text(text, encoding="utf-8")


def without_faces(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the figures of single faces, which the JSON file has."""
    return {key: value for key, value in row.items() if key not in ("loss_per_face", "worst")}


def print_summary(report: dict[str, Any], files: dict[str, Path]) -> None:
    from edgesr.report.markdown import COLUMNS, table_rows

    output.table(COLUMNS, table_rows(report), title=report["verdict"]["headline"])
    if report["few"]:
        output.write(report["few"])
    for missing in report["missing"]:
        output.write(f"not measured: {missing['target']} {missing['precision']}: {missing['why']}")
    for file in files.values():
        output.write(str(file))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
