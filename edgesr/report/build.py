"""The quantization accuracy report: every artifact on the same faces against the float network, and why it loses.

``measure_report`` gives the report as data (what the JSON file holds) and its pictures; ``html`` and
``markdown`` write them down. All figures come from running the bundles; nothing is taken from a simulation but
the sections that say so (sensitivity, layers to blame).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgesr.bundle import MANIFEST, Bundle
from edgesr.convert.precision import QUANTIZED, by_interest, rank
from edgesr.errors import EdgesrError, UnavailableError, UsageError
from edgesr.faces.identity import IdentityMeter
from edgesr.models.checkpoint import sha256_of
from edgesr.runtime.torch import TorchRuntime

from . import layers as report_layers
from .faces import ReportFace, spread
from .latency import with_latency
from .machine import machine, versions
from .measure import FigureCache, Figures, Restorer, bicubic, bundle_key, measure_faces
from .rows import convolutions, delegated, loss_figures
from .subject import Cell, Settings, Split, Subject, Tools
from .verdict import add_other_splits, few, verdict
from .verified import share, threshold
from .worst import worst_faces

FORMAT, FORMAT_VERSION = "edgesr-report", 1
LAYER_FACES = 8
"""Faces that weights' and activations' ranges and the offsets are looked at on."""


def check_subject(subject: Subject) -> None:
    """Raises UsageError where the bundles are not of this network, or not of one size."""
    bundles = [cell.bundle for cell in subject.cells if cell.bundle is not None]
    for bundle in bundles:
        if bundle.manifest["feature_space"] != subject.checkpoint.feature_space:
            raise UsageError(
                f"{bundle.folder} is no form of {subject.checkpoint.name}: its feature space is "
                f"{bundle.manifest['feature_space']}",
                "--checkpoint names the float network that the bundles were made of",
            )
        sizes = [(b.config.lr_size, b.config.scale, b.config.slots) for b in (bundles[0], bundle)]
        if sizes[0] != sizes[1]:
            raise UsageError(
                f"{bundles[0].folder.name} and {bundle.folder.name} take different faces: LR {sizes[0][0]} and "
                f"{sizes[1][0]}, {sizes[0][2]} and {sizes[1][2]} slots",
                "a report compares bundles of one size",
            )
    if not bundles:
        why = "; ".join(f"{cell.target} {cell.precision}: {cell.why}" for cell in subject.cells)
        raise UnavailableError(f"there is nothing to measure: {why or 'no bundle given'}", "see edgesr targets")


def measure_report(
    subject: Subject, settings: Settings, meter: IdentityMeter | None, tools: Tools
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report as JSON holds it, and the pictures of its worst faces.

    Raises:
        UsageError: the bundles do not belong together. UnavailableError: none of them can run here.
    """
    check_subject(subject)
    started = datetime.datetime.now(datetime.UTC)
    load = machine()
    measured = _Measurement(subject, settings, meter, tools)
    rows = measured.rows(subject.splits[0])
    if not rows:
        why = "; ".join(f"{m['target']} {m['precision']}: {m['why']}" for m in measured.missing)
        raise UnavailableError(f"nothing could be measured: {why}", "see edgesr doctor")
    if settings.latency:
        tools.say("measuring latency, all networks in turn")
        with_latency(rows, settings.work, settings.runs, settings.threads, tools.say)
    others: list[dict[str, Any]] = [
        {"split": split.name, "faces": len(split.faces), "of": split.of, "rows": measured.rows(split)}
        for split in subject.splits[1:]
    ]
    for row in [*rows, *(row for other in others for row in other["rows"])]:
        for key in ("bundle_folder", "bundle_key"):  # of this machine, and of no use to a reader
            del row[key]
    conclusion = verdict(rows, settings.limits)
    add_other_splits(conclusion, others, settings.limits)
    tools.say("looking at layers and offsets")
    layer_faces = spread(subject.splits[0].faces, LAYER_FACES)
    worst, pictures = worst_faces(subject, rows, measured.open, settings, meter, tools)
    checkpoint = subject.checkpoint
    config = checkpoint.model.config
    report = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": checkpoint.name,
        "checkpoint_sha256": checkpoint.sha256,
        "feature_space": checkpoint.feature_space,
        "scale": config.scale,
        "lr_size": measured.config.lr_size,
        "slots": measured.config.slots,
        "date": started.date().isoformat(),
        "split": {"name": subject.splits[0].name, "faces": len(subject.splits[0].faces), "of": subject.splits[0].of},
        "people": len({face.person for face in subject.splits[0].faces}),
        "identity_embedder": meter.embedder.name if meter else None,
        "limits": dataclasses.asdict(settings.limits),
        "verdict": conclusion,
        "few": few(len(subject.splits[0].faces), len({face.person for face in subject.splits[0].faces})),
        "anchors": measured.anchors(subject.splits[0]),
        "rows": rows,
        "missing": measured.missing,
        "splits": others,
        "worst": worst,
        "sensitivity": list(subject.sensitivity),
        "layers": report_layers.layer_ranges(checkpoint, layer_faces, _points(rows, subject.cells)),
        "layer_faces": len(layer_faces),
        "offsets": report_layers.offsets(checkpoint, layer_faces),
        "devices": [dataclasses.asdict(result) for result in subject.devices],
        "known_sha256": _known(subject, rows),
        "absent": _absent(subject, meter, worst, settings),
        "command": settings.command,
        "machine": load,
        "versions": versions(),
    }
    return report, pictures


class _Measurement:
    """Figures of every cell on a split, kept by content."""

    def __init__(self, subject: Subject, settings: Settings, meter: IdentityMeter | None, tools: Tools) -> None:
        self.subject, self.settings, self.meter, self.tools = subject, settings, meter, tools
        first = next(cell.bundle for cell in subject.cells if cell.bundle is not None)
        self.config = first.config
        self.missing = [
            {"target": c.target, "precision": c.precision, "why": c.why, "command": c.command}
            for c in subject.cells
            if c.bundle is None
        ]
        self._float: dict[str, list[Figures]] = {}
        self._thresholds: dict[str, float | None] = {}

    def open(self, bundle: Bundle | None) -> Restorer:
        """What restores with a bundle, or with the float network in PyTorch."""
        if bundle is None:
            return Restorer(TorchRuntime(self.subject.checkpoint.model, self.config))
        return Restorer(self.tools.open_runtime(bundle))

    def rows(self, split: Split) -> list[dict[str, Any]]:
        """A row for every cell that runs here; what fails is added to ``missing``."""
        found = []
        for cell in sorted(self.subject.cells, key=self._order):
            gone = any((m["target"], m["precision"]) == (cell.target, cell.precision) for m in self.missing)
            if cell.bundle is None or gone:
                continue
            try:
                found.append(self._row(cell, cell.bundle, split))
            except EdgesrError as error:
                self.missing.append(
                    {"target": cell.target, "precision": cell.precision, "why": error.what, "command": error.hint}
                )
        return found

    def anchors(self, split: Split) -> dict[str, dict[str, Any]]:
        """Bicubic and the float network on the whole split."""
        embedder = self.meter is not None
        cache = FigureCache(self.settings.work / "faces", "bicubic")
        figures = {
            "bicubic": measure_faces(lambda: bicubic, split.faces, cache, self.meter, self._track("bicubic", split)),
            "float": self._reference(split.faces, split),
        }
        return {
            name: {
                "psnr": _mean([f.psnr for f in found]),
                "ssim": _mean([f.ssim for f in found]),
                "identity": _mean([f.identity for f in found if f.identity is not None]) if embedder else None,
                "verified": share(split.faces, found, self._threshold(split)),
            }
            for name, found in figures.items()
        }

    def _threshold(self, split: Split) -> float | None:
        if split.name not in self._thresholds:
            self._thresholds[split.name] = threshold(split.faces, self.meter) if self.meter else None
        return self._thresholds[split.name]

    def _row(self, cell: Cell, bundle: Bundle, split: Split) -> dict[str, Any]:
        executes = self.tools.executes_here(bundle)
        faces = list(split.faces) if executes else spread(split.faces, self.settings.slow_faces)
        name = f"{cell.target} {cell.precision}"
        self.tools.say(f"{name} on {len(faces)} faces of {split.name}")
        cache = FigureCache(self.settings.work / "faces", bundle_key(bundle))
        got = measure_faces(lambda: self.open(bundle), faces, cache, self.meter, self._track(name, split))
        wanted = self._reference(faces, split)
        m = bundle.manifest
        return {
            "precision": cell.precision,
            "target": cell.target,
            "bundle": bundle.folder.resolve().name,
            "bundle_folder": str(bundle.folder.resolve()),
            "bundle_sha256": sha256_of(bundle.folder / MANIFEST),
            "bundle_key": bundle_key(bundle),
            "checkpoint_sha256": m["checkpoint_sha256"],
            "executed": executes,
            "faces_of": split.of,
            **loss_figures(faces, got, wanted),
            "verified": share(faces, got, self._threshold(split)),
            "verified_float": share(faces, wanted, self._threshold(split)),
            "size_bytes": m["size_bytes"],
            "computes_in": m["precision_got"],
            "lowering": m["lowering"],
            "delegation": delegated(m),
            "convolutions": convolutions(m),
            "parity": {key: m["parity"].get(key) for key in ("max_abs_error", "psnr_db", "evaluated_with")},
            **dict.fromkeys(("ms_median", "ms_p10", "ms_p90", "ratio", "encode_ms_median", "peak_mib")),
        }

    def _reference(self, faces: Sequence[ReportFace], split: Split) -> list[Figures]:
        c = self.config
        name = f"float-{self.subject.checkpoint.sha256[:20]}-{c.lr_size}"
        cache = FigureCache(self.settings.work / "faces", name)
        return measure_faces(lambda: self.open(None), faces, cache, self.meter, self._track("float network", split))

    def _track(self, name: str, split: Split) -> Callable[[Sequence[ReportFace]], Iterator[ReportFace]]:
        return lambda faces: self.tools.track(faces, f"{name}, {split.name}")

    def _order(self, cell: Cell) -> tuple[int, int]:
        targets = list(dict.fromkeys(c.target for c in self.subject.cells))
        return targets.index(cell.target), rank(cell.precision)


def _points(rows: Sequence[dict[str, Any]], cells: Sequence[Cell]) -> dict[str, Any]:
    """Scales of the quantization that the table's best-trained int8 row has."""
    measured = {row["bundle_sha256"] for row in rows}
    for precision in by_interest(QUANTIZED):
        for cell in cells:
            if cell.bundle and cell.precision == precision and sha256_of(cell.bundle.folder / MANIFEST) in measured:
                points: dict[str, Any] = (cell.bundle.manifest.get("quantization") or {}).get("points", {})
                return points
    return {}


def _known(subject: Subject, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What a device result may be of to belong to this report."""
    of_rows = {row[key] for row in rows for key in ("bundle_sha256", "checkpoint_sha256")}
    return sorted({*of_rows, subject.checkpoint.sha256, *(checkpoint.sha256 for checkpoint in subject.quantized)})


def _absent(
    subject: Subject, meter: IdentityMeter | None, worst: dict[str, Any], settings: Settings
) -> list[dict[str, str]]:
    """Optional parts that this report is without, and the command that supplies each."""
    found = []
    if meter is None:
        found.append(
            {"part": "identity", "why": settings.identity_missing, "command": "pip install 'edgesr[identity]'"}
        )
    if not subject.sensitivity:
        why, _, command = subject.sensitivity_missing.partition("\n")
        found.append({"part": "layer sensitivity", "why": why or "not measured", "command": command})
    if not worst["blamed"]:
        found.append({"part": "layers to blame for the worst faces", "why": worst["why"], "command": worst["command"]})
    if not subject.devices:
        found.append(
            {
                "part": "measurements of phones",
                "why": "none were given",
                "command": "edgesr report --device-results FILE (the demo apps write it)",
            }
        )
    if not settings.latency:
        found.append({"part": "latency", "why": "not asked for", "command": "edgesr report without --no-latency"})
    return found


def report_json(report: dict[str, Any]) -> str:
    """The report as its JSON file has it; infinite and undefined numbers become null."""
    return json.dumps(_finite(report), indent=1) + "\n"


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
