"""The quantization accuracy report: every artifact on the same faces against the float network, and why it loses.

All figures come from running the bundles; nothing is taken from a simulation but the sections that say so
(sensitivity, layers to blame).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

from edgesr.benchmarking.benchmark import BenchRow, bench_bundles
from edgesr.benchmarking.machine import machine, versions
from edgesr.bundle import MANIFEST, Bundle
from edgesr.convert.precision import QUANTIZED, by_interest, rank
from edgesr.errors import EdgesrError, InputOutputError, UnavailableError
from edgesr.faces.identity import IdentityMeter
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json
from edgesr.models.checkpoint import sha256_of
from edgesr.runtime.torch import TorchRuntime

from .graph import artifact_graphs
from .layers import layer_ranges, offsets
from .measure import (
    FigureCache,
    Figures,
    Restorer,
    bicubic,
    bundle_key,
    float_key,
    measure_faces,
    share,
    threshold,
)
from .report import Anchor, Missing, Part, Report, SplitRows
from .rows import Latency, Parity, Row, convolutions, delegated, loss_figures, mean
from .subject import Absent, Cell, ReportFace, Settings, Split, Subject, Tools, check_subject, spread
from .verdict import few, verdict
from .worst import Pictures, WorstFaces, worst_faces

LAYER_FACES = 8
"""Faces that weights' and activations' ranges and the offsets are looked at on."""


def measure_report(
    subject: Subject, settings: Settings, meter: IdentityMeter | None, tools: Tools
) -> tuple[Report, Pictures | None]:
    """The report, and the pictures of its worst faces (None where none may be shown).

    Raises:
        UsageError: the bundles do not belong together. UnavailableError: none of them can run here.
    """
    check_subject(subject)
    date, found_on = datetime.datetime.now(datetime.UTC).date(), machine()
    measuring = _Measuring(subject, settings, meter, tools)
    split, *others = subject.splits
    measured = measuring.cells(split)
    if not measured:
        why = "; ".join(f"{one.target} {one.precision}: {one.why}" for one in measuring.missing)
        raise UnavailableError(f"nothing could be measured: {why}", "see edgesr doctor")
    rows = [row for _, row in measured]
    if settings.latency:
        tools.say("measuring latency, all networks in turn")
        rows = timed(measured, settings, tools)
    tables = [SplitRows(one.name, len(one.faces), one.of, measuring.rows(one)) for one in others]
    tools.say("looking at layers and offsets")
    layer_faces = spread(split.faces, LAYER_FACES)
    worst, pictures = worst_faces(subject, rows, measuring.open, settings, meter, tools)
    people = len({face.person for face in split.faces})
    graphs = artifact_graphs([bundle for bundle, _ in measured], subject, layer_faces, tools) if settings.graph else ()
    checkpoint, first_look = subject.checkpoint, few(len(split.faces), people)
    report = Report(
        name=checkpoint.name,
        checkpoint_sha256=checkpoint.sha256,
        feature_space=checkpoint.feature_space,
        scale=checkpoint.model.config.scale,
        lr_size=measuring.interface.lr_size,
        slots=measuring.interface.slots,
        gallery_bytes=measuring.interface.gallery_bytes,
        date=date.isoformat(),
        split=Part(split.name, len(split.faces), split.of),
        degradation=next((face.degradation for face in split.faces), "bicubic"),
        people=people,
        identity_embedder=meter.embedder.name if meter else None,
        limits=settings.limits,
        verdict=verdict(rows, settings.limits, {table.split: table.rows for table in tables}, bool(first_look)),
        few=first_look,
        anchors=measuring.anchors(split),
        rows=tuple(rows),
        missing=tuple(measuring.missing),
        splits=tuple(tables),
        worst=worst,
        sensitivity=tuple(subject.sensitivity),
        layers=tuple(layer_ranges(checkpoint, layer_faces, _points(rows, subject.cells))),
        layer_faces=len(layer_faces),
        offsets=offsets(checkpoint, layer_faces),
        devices=tuple(subject.devices),
        graphs=tuple(graphs),
        known_sha256=_known(subject, rows),
        absent=tuple(_absent(subject, meter, worst, settings)),
        command=settings.command,
        machine=found_on,
        versions=versions(),
    )
    return report, pictures


class _Measuring:
    """Figures of every cell on a split, kept by content."""

    def __init__(self, subject: Subject, settings: Settings, meter: IdentityMeter | None, tools: Tools) -> None:
        self.subject, self.settings, self.meter, self.tools = subject, settings, meter, tools
        self.interface = next(cell.bundle for cell in subject.cells if cell.bundle is not None).interface
        self.missing = [Missing(c.target, c.precision, c.why, c.command) for c in subject.cells if c.bundle is None]
        self._thresholds: dict[str, float | None] = {}

    def open(self, bundle: Bundle | None) -> Restorer:
        """What restores with a bundle, or with the float network in PyTorch."""
        if bundle is None:
            return Restorer(TorchRuntime(self.subject.checkpoint.model, self.interface))
        return Restorer(self.tools.open_runtime(bundle))

    def cells(self, split: Split) -> list[tuple[Bundle, Row]]:
        """A row for every cell that runs here; what fails is added to ``missing``."""
        found = []
        for cell in sorted(self.subject.cells, key=self._order):
            gone = any((one.target, one.precision) == (cell.target, cell.precision) for one in self.missing)
            if cell.bundle is None or gone:
                continue
            try:
                found.append((cell.bundle, self._row(cell, cell.bundle, split)))
            except EdgesrError as error:
                self.missing.append(Missing(cell.target, cell.precision, error.what, error.hint))
        return found

    def rows(self, split: Split) -> tuple[Row, ...]:
        """``cells`` alone, for a further split."""
        return tuple(row for _, row in self.cells(split))

    def anchors(self, split: Split) -> dict[str, Anchor]:
        """Bicubic and the float network on the whole split."""
        cache = FigureCache(self.settings.work / "faces", "bicubic")
        figures = {
            "bicubic": measure_faces(lambda: bicubic, split.faces, cache, self.meter, self._track("bicubic", split)),
            "float": self._reference(split.faces, split),
        }
        return {
            name: Anchor(
                psnr=mean([f.psnr for f in found]),
                ssim=mean([f.ssim for f in found]),
                identity=mean([f.identity for f in found if f.identity is not None]) if self.meter else None,
                verified=share(split.faces, found, self._threshold(split)),
            )
            for name, found in figures.items()
        }

    def _threshold(self, split: Split) -> float | None:
        if split.name not in self._thresholds:
            self._thresholds[split.name] = threshold(split.faces, self.meter) if self.meter else None
        return self._thresholds[split.name]

    def _row(self, cell: Cell, bundle: Bundle, split: Split) -> Row:
        executes = self.tools.executes_here(bundle)
        faces = list(split.faces) if executes else spread(split.faces, self.settings.slow_faces)
        name = f"{cell.target} {cell.precision}"
        self.tools.say(f"{name} on {len(faces)} faces of {split.name}")
        cache = FigureCache(self.settings.work / "faces", bundle_key(bundle))
        got = measure_faces(lambda: self.open(bundle), faces, cache, self.meter, self._track(name, split))
        wanted = self._reference(faces, split)
        m = bundle.manifest
        return Row(
            precision=cell.precision,
            target=cell.target,
            bundle=bundle.folder.resolve().name,
            bundle_sha256=sha256_of(bundle.folder / MANIFEST),
            checkpoint_sha256=m["checkpoint_sha256"],
            executed=executes,
            faces_of=split.of,
            loss=loss_figures(faces, got, wanted),
            verified=share(faces, got, self._threshold(split)),
            verified_float=share(faces, wanted, self._threshold(split)),
            size_bytes=m["size_bytes"],
            computes_in=m["precision_got"],
            lowering=m["lowering"],
            delegation=delegated(m),
            convolutions=convolutions(m),
            residency=bundle.residency,
            parity=Parity(*(m["parity"].get(key) for key in ("max_abs_error", "psnr_db", "evaluated_with"))),
        )

    def _reference(self, faces: Sequence[ReportFace], split: Split) -> list[Figures]:
        cache = FigureCache(self.settings.work / "faces", float_key(self.subject.checkpoint, self.interface.lr_size))
        return measure_faces(lambda: self.open(None), faces, cache, self.meter, self._track("float network", split))

    def _track(self, name: str, split: Split) -> Callable[[Sequence[ReportFace]], Iterator[ReportFace]]:
        return lambda faces: self.tools.track(faces, f"{name}, {split.name}")

    def _order(self, cell: Cell) -> tuple[int, int]:
        targets = list(dict.fromkeys(c.target for c in self.subject.cells))
        return targets.index(cell.target), rank(cell.precision)


def timed(measured: Sequence[tuple[Bundle, Row]], settings: Settings, tools: Tools) -> list[Row]:
    """The rows, those that are executed here with their latency, all measured in one run.

    Ratios of separate runs cannot be compared, so what was measured before counts only for just these networks.
    """
    executed = [bundle for bundle, row in measured if row.executed]
    if not executed:
        return [row for _, row in measured]
    of = [[bundle_key(bundle) for bundle in executed], settings.runs, settings.threads]
    kept = settings.work / f"latency-{hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]}.json"
    found: list[BenchRow] = []
    with contextlib.suppress(InputOutputError, TypeError):  # there is none, or another version's
        found = [BenchRow(**row) for row in read_json(kept)]
    if not found:
        folders = [bundle.folder.resolve() for bundle in executed]
        found = bench_bundles(folders, runs=settings.runs, threads=settings.threads, report=tools.say)
        with file_aside(kept) as aside:
            aside.write_text(json.dumps([row.to_dict() for row in found]))
    latencies = iter(
        Latency(
            encode_ms_median=encode.ms_median,
            **{f.name: getattr(restore, f.name) for f in dataclasses.fields(Latency) if f.name != "encode_ms_median"},
        )
        for encode, restore in zip(found[::2], found[1::2], strict=True)
    )
    return [dataclasses.replace(row, latency=next(latencies)) if row.executed else row for _, row in measured]


def _points(rows: Sequence[Row], cells: Sequence[Cell]) -> dict[str, Sequence[float]]:
    """Scales of the quantization that the table's best-trained int8 row has."""
    measured = {row.name for row in rows}
    for precision in by_interest(QUANTIZED):
        for cell in cells:
            if cell.bundle and cell.precision == precision and (cell.target, precision) in measured:
                points: dict[str, Sequence[float]] = (cell.bundle.manifest.get("quantization") or {}).get("points", {})
                return points
    return {}


def _known(subject: Subject, rows: Sequence[Row]) -> tuple[str, ...]:
    """What a device result may be of to belong to this report."""
    of_rows = {sha256 for row in rows for sha256 in (row.bundle_sha256, row.checkpoint_sha256)}
    return tuple(sorted({*of_rows, subject.checkpoint.sha256, *(one.sha256 for one in subject.quantized)}))


def _absent(subject: Subject, meter: IdentityMeter | None, worst: WorstFaces, settings: Settings) -> Iterator[Absent]:
    """Optional parts that this report is without, and the command that supplies each."""
    if meter is None:
        yield Absent("identity", settings.identity_missing, "pip install 'edgesr[identity]'")
    if not subject.sensitivity:
        yield subject.sensitivity_missing or Absent("layer sensitivity", "not measured", "")
    if not worst.blamed:
        yield Absent("layers to blame for the worst faces", worst.why, worst.command)
    if not subject.devices:
        command = "edgesr report --device-results FILE (the demo apps write it)"
        yield Absent("measurements of phones", "none were given", command)
    if not settings.latency:
        yield Absent("latency", "not asked for", "edgesr report without --no-latency")
