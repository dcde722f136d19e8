"""``edgesr.write_report``: from a network's name and a folder of faces to the page, its JSON and its summary."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.errors import EdgesrError, UnavailableError, UsageError
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.models import Checkpoint
    from edgesr.models.interface import Interface

    from .report import Report
    from .subject import Split, Subject, Tools
    from .worst import Pictures

TARGETS = ("executorch", "coreml", "tflite")
PRECISIONS = ("fp32", "fp16", "int8-ptq", "int8", "mixed")
"""What a report measures unless told otherwise."""
SHOWN = "london"
"""The split whose photos may be shown (CC-BY 4.0); where a folder lacks it, the package's samples stand in."""

Track = Callable[[Sequence[Any], str], Iterator[Any]]


@dataclasses.dataclass(frozen=True)
class WrittenReport:
    """The three files of a report, and what stands in them."""

    page: Path
    """One HTML file that opens offline."""
    json: Path
    markdown: Path
    content: Report
    """What the JSON file holds, by the same names; ``docs/report.md`` tells them."""
    node_data: tuple[Path, ...] = ()
    """Files that Model Explorer overlays on a bundle's model; ``docs/report.md`` says how."""

    @property
    def ok(self) -> bool:
        """Whether every target has a precision that keeps within the limits."""
        return self.content.verdict.ships


def write_report(
    output: str | Path = "report.html",
    *,
    checkpoint: str | Path = DEFAULT_CHECKPOINT,
    quantized: Sequence[str | Path] = (),
    data: str | Path | None = None,
    splits: Sequence[str] = (),
    show: str | None = None,
    targets: Sequence[str] | None = None,
    precisions: Sequence[str] = PRECISIONS,
    bundles: Sequence[str | Path] = (),
    calibrate: str | Path | None = None,
    recipe: str | Path | None = None,
    device_results: Sequence[str | Path] = (),
    sensitivity: str | Path | None = None,
    sensitivity_faces: int = 8,
    limit: int | None = None,
    slow_faces: int = 12,
    worst: int = 4,
    identity: bool | None = None,
    embedder: str | Path | None = None,
    latency: bool = True,
    graph: bool = False,
    runs: int = 30,
    timed_threads: int = 1,
    work: str | Path | None = None,
    command: str = "",
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
    track: Track = lambda items, _: iter(items),
) -> WrittenReport:
    """Measure what each precision loses on each target, through the converted artifacts, and write it down.

    ``output`` ends in ``.html``; the JSON and the Markdown summary lie beside it under the same name. All three are
    complete or not written at all. Bundles that are missing are converted into ``work`` (by default ``output`` with
    the suffix ``.work``), where figures are kept, too: the same call after an interruption goes on from there.

    Args:
        output: the page.
        checkpoint: the float network, a shipped name or a folder.
        quantized: its int8 checkpoints; by default the shipped one of its name.
        data: a folder of aligned faces with ``eval_list.csv``; by default the package's sample faces are measured.
        splits: of ``data``, the first for the table and the verdict; by default ``test``.
        show: the split whose faces may be printed; by default ``london`` where there is one, else the samples.
        targets: by default ``TARGETS``, or those of ``bundles`` alone.
        precisions: of each target, as far as it has them.
        bundles: bundles, or folders of bundles, that are there already.
        calibrate: faces to calibrate ``int8-ptq`` on; by default ``data``.
        recipe: for ``mixed``, the precision of each layer, as ``edgesr quantize --search`` writes it.
        device_results: files that the demo apps measured on phones.
        sensitivity: layer sensitivities, as ``edgesr quantize`` writes them; else they are measured on
            ``sensitivity_faces`` faces of ``val`` (0: not at all).
        limit: so many faces of each split, evenly spread; by default all.
        slow_faces: so many where a network is evaluated op by op.
        worst: so many of the worst faces are shown.
        identity: whether identity similarity is measured; None: where an embedder is installed.
        embedder: an ONNX face embedder in place of dlib's.
        graph: draw each artifact's graph, and write Model Explorer's node data into a folder beside ``output``.
        latency: whether both graphs are timed, ``runs`` times on ``timed_threads`` threads.
        work: where bundles and figures are kept.
        command: the command line that the page says it was made by; empty: none.
        force: replace an existing report.
        report: is told what happens, a line at a time.
        track: wraps what is gone through, ``(items, what)``, to show how far it is.

    Thread safety: one call at a time in a process, since it times graphs and sets the number of threads.

    Raises:
        UsageError: a file exists and ``force`` is not given; an unknown name; options that exclude each other; or
            bundles that do not belong together.
        UnavailableError: a library is missing, or nothing can be measured here.
        InputOutputError: a file or folder that was named is missing, damaged, or cannot be written.
    """
    files = refuse_early(output, force)
    node_data = Path(output).with_suffix(".graph")
    if graph and node_data.exists() and not force:
        raise UsageError(f"{node_data} already exists", "pass --force to replace what is in it")
    from edgesr.benchmarking.device_results import read_device_results
    from edgesr.faces.identity import open_meter
    from edgesr.models import load_checkpoint

    from .build import measure_report
    from .bundles import Sources, check_names, given_cells, with_conversions
    from .graph import write_node_data
    from .subject import Settings, Subject

    folder, calibration = _path(data), _path(calibrate) or _path(data)
    kept = _path(work) or files["page"].with_suffix(".work")
    devices = [result for file in device_results for result in read_device_results(Path(file))]
    source = load_checkpoint(checkpoint)
    ints = int8_checkpoints([str(name) for name in quantized], source)
    wanted = tuple(targets) if targets is not None else () if bundles else TARGETS
    check_names(wanted, precisions)
    given = given_cells([Path(bundle) for bundle in bundles])
    interface = next((cell.bundle.interface for cell in given if cell.bundle), source.model.interface)
    measured, shown = choose_faces(folder, splits, show, limit, interface, source.degradation)
    sources = Sources(source, str(checkpoint), ints, calibration, _path(recipe), kept / "bundles")
    cells = with_conversions(given, wanted, precisions, sources, report)
    subject = Subject(source, [c for c, _ in ints], cells, measured, shown if worst else None, devices)
    lent = _tools(report, track)
    few = min(sensitivity_faces, limit or sensitivity_faces)
    subject = with_sensitivity(subject, _path(sensitivity), few, folder, calibration, kept, lent)
    settings = Settings(
        work=kept,
        runs=runs,
        threads=timed_threads,
        slow_faces=slow_faces,
        worst=worst,
        latency=latency,
        graph=graph,
        identity_missing="not asked for" if identity is False else "no face embedder",
        command=command,
    )
    content, pictures = measure_report(subject, settings, open_meter(identity, _path(embedder), report), lent)
    _write(content, pictures, files)
    overlaid = tuple(path for one in content.graphs for path in write_node_data(one, node_data))
    return WrittenReport(**files, content=content, node_data=overlaid)


def refuse_early(output: str | Path, force: bool) -> dict[str, Path]:
    """The report's files by the names of ``WrittenReport``; what can be refused before anything heavy is imported.

    Raises:
        UsageError: a name that does not end in .html, or a file that exists.
        UnavailableError: what draws the page is not installed.
    """
    page = Path(output)
    if page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"cannot write {page.name!r} as a report", "its name ends in .html")
    files = {"page": page, "json": page.with_suffix(".json"), "markdown": page.with_suffix(".md")}
    for file in files.values():
        if file.exists() and not force:
            raise UsageError(f"{file} already exists", "pass --force to replace it, or -o for another place")
    needed = (("matplotlib", "matplotlib"), ("jinja2", "Jinja"), ("cattrs", "cattrs"), ("torch", "PyTorch"))
    for module, name in needed:
        if importlib.util.find_spec(module) is None:
            raise UnavailableError(f"a report needs {name}", "pip install 'edgesr[report]'")
    return files


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
    data: Path | None, names: Sequence[str], show: str | None, limit: int | None, interface: Interface, degradation: str
) -> tuple[list[Split], Split]:
    """Splits to measure, the first for the table, and the one whose faces may be shown.

    That is measured too, but for the few samples beside a folder's faces, of which no table says anything.
    """
    from edgesr.data.faces import eval_splits, read_eval_list

    from .subject import SAMPLES, Split, faces_of_pairs, faces_of_samples, spread

    if data is None and (names or (show and show != SAMPLES)):
        raise UsageError("--split and --show are of a folder of faces", "give --data FOLDER too")

    def split(name: str) -> Split:
        if data is None or name == SAMPLES:
            found = faces_of_samples(interface, degradation)
            return Split(SAMPLES, spread(found, limit), len(found))
        pairs = read_eval_list(data, name, interface.hr_size)
        return Split(name, faces_of_pairs(spread(pairs, limit), name, interface, degradation), len(pairs))

    shown = show or (SHOWN if data is not None and SHOWN in eval_splits(data / "eval_list.csv") else SAMPLES)
    measured = list(names or ([SAMPLES] if data is None else ["test"]))
    if shown != SAMPLES:
        measured.append(shown)
    splits = {name: split(name) for name in dict.fromkeys([*measured, shown])}
    return [splits[name] for name in dict.fromkeys(measured)], splits[shown]


def with_sensitivity(
    subject: Subject,
    file: Path | None,
    count: int,
    data: Path | None,
    calibration: Path | None,
    work: Path,
    tools: Tools,
) -> Subject:
    """The subject with its layers' sensitivities: from a file, or measured, or why not."""
    from .layers import read_sensitivity, sensitivity_of
    from .subject import Absent

    def without(why: str, command: str) -> Subject:
        return dataclasses.replace(subject, sensitivity_missing=Absent("layer sensitivity", why, command))

    if file is not None:
        return dataclasses.replace(subject, sensitivity=read_sensitivity(file))
    if not count:
        return without("not asked for", "edgesr report --sensitivity-faces 8")
    if data is None or calibration is None:
        return without("no folder of faces", "edgesr report --data FOLDER")
    try:
        tools.say(f"sensitivity of every layer on {count} faces of val")
        rows = sensitivity_of(subject.checkpoint, data, calibration, count, work, tools.track)
    except EdgesrError as error:
        return without(error.what, error.hint)
    return dataclasses.replace(subject, sensitivity=rows)


def _tools(report: Callable[[str], None], track: Track) -> Tools:
    from edgesr.convert.targets import target_named
    from edgesr.convert.verify import runtime_or_evaluator

    from .subject import Tools

    return Tools(
        open_runtime=lambda bundle: runtime_or_evaluator(bundle)[0],
        executes_here=lambda bundle: target_named(bundle.manifest["target"]).executes_here,
        say=report,
        track=track,
    )


def _write(content: Report, pictures: Pictures | None, files: dict[str, Path]) -> None:
    """All three files; each complete or not at all."""
    from edgesr.files.atomic import file_aside

    from .page import report_html, report_markdown

    texts = {
        "page": report_html(content, pictures),
        "json": content.to_json(),
        "markdown": report_markdown(content, files["page"].name),
    }
    for name, text in texts.items():
        with file_aside(files[name]) as aside:
            aside.write_text(text, encoding="utf-8")


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
