"""What phones measured: JSON files that the demo apps write, read with every field checked."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from edgesr.errors import InputOutputError
from edgesr.files.reading import read_json

FORMAT, FORMAT_VERSION = "edgesr-device-results", 1
GRAPHS = ("encode", "restore")
DOCUMENTED = "docs/report.md has an example of the format"
_HEX = set("0123456789abcdef")


@dataclasses.dataclass(frozen=True)
class DeviceResult:
    """One graph of one network on one device."""

    device: str
    os: str
    app: str
    runtime: str
    precision: str
    graph: str
    ms_median: float
    ms_p10: float
    ms_p90: float
    memory_mib: float | None
    """Peak of the app's memory above what it had before the network was opened; None where the app cannot tell."""
    runs: int | None
    unit: str
    """What computed: ``cpu``, ``gpu``, ``ane``, or empty where the app cannot tell."""
    checkpoint_sha256: str
    bundle_sha256: str
    """Of the bundle's ``manifest.json``; empty where only the checkpoint is known."""
    file: str
    equal_to_cpu: bool | None = None
    """Whether its golden outputs were equal to the same device's CPU's to the bit; None where nobody compared."""


def read_device_results(path: Path) -> list[DeviceResult]:
    """The results in one file.

    Raises:
        InputOutputError: it cannot be read, is of another format or version, or a field is missing or impossible;
            the message names the field.
    """
    fields = read_json(path, "the demo apps write it: share the measurement from there")
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise InputOutputError(f'{path} holds no device results: "format" is not "{FORMAT}"', DOCUMENTED)
    if fields.get("format_version") != FORMAT_VERSION:
        raise InputOutputError(
            f"{path} has format version {fields.get('format_version')!r}",
            f"this edgesr reads version {FORMAT_VERSION}: update edgesr",
        )
    reader = _Reader(path)
    device, system = (reader.text(fields, name, name) for name in ("device", "os"))
    app = reader.text(fields, "app", "app", needed=False)
    results = fields.get("results")
    if not isinstance(results, list) or not results:
        raise reader.wrong("results", "is no list with at least one result")
    return [reader.result(row, i, device, system, app) for i, row in enumerate(results)]


@dataclasses.dataclass(frozen=True)
class _Reader:
    path: Path

    def wrong(self, field: str, why: str) -> InputOutputError:
        return InputOutputError(f"{self.path}: {field} {why}", DOCUMENTED)

    def result(self, row: Any, index: int, device: str, system: str, app: str) -> DeviceResult:
        at = f"results[{index}]"
        if not isinstance(row, dict):
            raise self.wrong(at, "is no object")
        graph = self.text(row, "graph", f"{at}.graph")
        if graph not in GRAPHS:
            raise self.wrong(f"{at}.graph", f"is {graph!r}, not one of {', '.join(GRAPHS)}")
        p10, median, p90 = (self.number(row, name, f"{at}.{name}") for name in ("ms_p10", "ms_median", "ms_p90"))
        if not 0 < p10 <= median <= p90:
            raise self.wrong(at, f"has ms_p10 {p10:g}, ms_median {median:g}, ms_p90 {p90:g}: not in this order above 0")
        shas = {name: self.sha256(row, name, f"{at}.{name}") for name in ("checkpoint_sha256", "bundle_sha256")}
        if not any(shas.values()):
            raise self.wrong(at, "has neither checkpoint_sha256 nor bundle_sha256, so nobody knows what was measured")
        memory = self.number(row, "memory_mib", f"{at}.memory_mib") if row.get("memory_mib") is not None else None
        runs = self.number(row, "runs", f"{at}.runs") if row.get("runs") is not None else None
        return DeviceResult(
            device=device,
            os=system,
            app=app,
            runtime=self.text(row, "runtime", f"{at}.runtime"),
            precision=self.text(row, "precision", f"{at}.precision"),
            graph=graph,
            ms_median=median,
            ms_p10=p10,
            ms_p90=p90,
            memory_mib=memory,
            runs=None if runs is None else int(runs),
            unit=self.text(row, "unit", f"{at}.unit", needed=False),
            checkpoint_sha256=shas["checkpoint_sha256"],
            bundle_sha256=shas["bundle_sha256"],
            file=self.path.name,
            equal_to_cpu=self.flag(row, "equal_to_cpu", f"{at}.equal_to_cpu"),
        )

    def flag(self, fields: dict[str, Any], name: str, field: str) -> bool | None:
        value = fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(field, f"is {value!r}, neither true nor false")
        return value

    def text(self, fields: dict[str, Any], name: str, field: str, needed: bool = True) -> str:
        value = fields.get(name, None if needed else "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.wrong(field, "is missing" if name not in fields else f"is {value!r}, not a text")
        return value.strip()

    def number(self, fields: dict[str, Any], name: str, field: str) -> float:
        value = fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise self.wrong(field, "is missing" if name not in fields else f"is {value!r}, not a number from 0 up")
        return float(value)

    def sha256(self, fields: dict[str, Any], name: str, field: str) -> str:
        value = self.text(fields, name, field, needed=False).lower()
        if value and (len(value) != 64 or not set(value) <= _HEX):
            raise self.wrong(field, "is no SHA-256 (64 hexadecimal digits)")
        return value
