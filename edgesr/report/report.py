"""A report as data, by the keys of its JSON file, which is written and read here."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.benchmarking.device_results import DeviceResult
from edgesr.benchmarking.machine import Machine
from edgesr.errors import InputOutputError, UnavailableError
from edgesr.files.reading import read_json
from edgesr.quantize.scheme import LayerSensitivity

from .graph import ArtifactGraph
from .layers import LayerRange, Offsets
from .measure import Share
from .rows import Row
from .subject import Absent, Limits
from .verdict import Verdict
from .worst import WorstFaces

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT, FORMAT_VERSION = "edgesr-report", 1


@dataclasses.dataclass(frozen=True)
class Missing:
    """A precision on a target that could not be measured, why, and the command that would help."""

    target: str
    precision: str
    why: str
    command: str


@dataclasses.dataclass(frozen=True)
class Part:
    """The split of the table, and how many of its faces were taken."""

    name: str
    faces: int
    of: int


@dataclasses.dataclass(frozen=True)
class SplitRows:
    """The table on a further split."""

    split: str
    faces: int
    of: int
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class Anchor:
    """Bicubic, or the float network, on the whole split."""

    psnr: float
    ssim: float
    identity: float | None
    verified: Share | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that the page shows, but pictures of faces."""

    name: str
    checkpoint_sha256: str
    feature_space: str
    scale: int
    lr_size: int
    slots: int
    date: str
    split: Part
    people: int
    identity_embedder: str | None
    limits: Limits
    verdict: Verdict
    anchors: dict[str, Anchor]
    """``bicubic`` and ``float``."""
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]
    splits: tuple[SplitRows, ...]
    worst: WorstFaces
    sensitivity: tuple[LayerSensitivity, ...]
    layers: tuple[LayerRange, ...]
    layer_faces: int
    offsets: Offsets | None
    devices: tuple[DeviceResult, ...]
    known_sha256: tuple[str, ...]
    """What a device result may be of to belong to this report."""
    absent: tuple[Absent, ...]
    command: str
    machine: Machine
    versions: dict[str, str]
    degradation: str = "bicubic"
    """What made the LR faces."""
    few: str = ""
    """What to say where very few faces were judged."""
    gallery_bytes: int | None = None
    """Of an exemplar's features in an int8 gallery; None in reports from before."""
    graphs: tuple[ArtifactGraph, ...] = ()
    """Of each artifact whose file can be read as a graph, where they were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """As the JSON file has it."""
        splits = [{**dataclasses.asdict(one), "rows": [row.to_dict() for row in one.rows]} for one in self.splits]
        rows = [row.to_dict() for row in self.rows]
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        return {**head, **dataclasses.asdict(self), "rows": rows, "splits": splits}

    def to_json(self) -> str:
        """The JSON file; infinite and undefined numbers become null."""
        return json.dumps(_finite(self.to_dict()), indent=1) + "\n"


def read_report(path: Path) -> Report:
    """A report from its JSON file, also one of an edgesr that knew less.

    Raises:
        InputOutputError: it cannot be read, is no report, or a field is missing or impossible; the message names it.
        UnavailableError: cattrs is not installed.
    """
    content = read_json(path, "edgesr report writes it")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputOutputError(f"{path} is no report", "edgesr report writes one beside its page")
    if content.get("format_version") != FORMAT_VERSION:
        raise InputOutputError(
            f"{path} has format version {content.get('format_version')!r}",
            f"this edgesr reads version {FORMAT_VERSION}: update edgesr, or make the report anew",
        )
    try:
        from cattrs import BaseValidationError, transform_error
    except ImportError as error:
        raise UnavailableError("reading a report needs cattrs", "pip install 'edgesr[report]'") from error
    try:
        return _converter().structure(content, Report)
    except BaseValidationError as error:
        why = transform_error(error)[0]
        raise InputOutputError(f"{path} is a damaged report: {why}", "make it anew: edgesr report") from error


def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter()
    row = converter.get_structure_hook(Row)

    def nested(flat: dict[str, Any], kind: type[Row]) -> Row:
        timed = flat.get("ms_median") is not None
        parts = {"loss": flat, "latency": flat if timed else None}
        found: Row = row({"verified": None, "verified_float": None, **flat, **parts}, kind)
        return found

    def number(value: Any, _: type[float]) -> float:
        return math.nan if value is None else float(value)

    converter.register_structure_hook(float, number)
    converter.register_structure_hook(Row, nested)
    return converter


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
