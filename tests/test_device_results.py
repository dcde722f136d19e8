"""What phones measured: JSON files of the demo apps, checked field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgesr.benchmarking.device_results import read_device_results
from edgesr.errors import InputOutputError

RESULT = {
    "runtime": "executorch",
    "precision": "int8",
    "graph": "restore",
    "ms_median": 9.8,
    "ms_p10": 9.5,
    "ms_p90": 11.2,
    "memory_mib": 31.5,
    "checkpoint_sha256": "60" * 32,
}
DEVICE = {
    "format": "edgesr-device-results",
    "format_version": 1,
    "device": "Pixel 8",
    "os": "Android 16",
    "results": [RESULT],
}


def changed(**fields: Any) -> dict[str, Any]:
    return {**DEVICE, "results": [{**RESULT, **fields}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], '"format" is not'),
        ({**DEVICE, "format_version": 2}, "format version 2"),
        ({**DEVICE, "device": ""}, "device is '', not a text"),
        ({k: v for k, v in DEVICE.items() if k != "os"}, "os is missing"),
        ({**DEVICE, "results": []}, "results is no list with at least one result"),
        ({**DEVICE, "results": ["fast"]}, "results[0] is no object"),
        (changed(graph="decode"), "results[0].graph is 'decode', not one of encode, restore"),
        (changed(ms_median="9.8"), "results[0].ms_median is '9.8', not a number"),
        (changed(ms_p90=True), "results[0].ms_p90 is True"),
        (changed(ms_p10=20), "not in this order above 0"),
        (changed(memory_mib=-1), "results[0].memory_mib is -1"),
        (changed(checkpoint_sha256="60"), "results[0].checkpoint_sha256 is no SHA-256"),
        (changed(checkpoint_sha256=""), "neither checkpoint_sha256 nor bundle_sha256"),
    ],
)
def test_device_results_are_checked_field_by_field(content: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "phone.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputOutputError) as error:
        read_device_results(file)
    assert said in error.value.what
    assert str(file) in error.value.what
    assert error.value.hint


def test_the_documented_device_results_are_valid(tmp_path: Path) -> None:
    documented = (Path(__file__).parent.parent / "docs" / "report.md").read_text()
    example = next(b for b in re.findall(r"```json\n(.*?)```", documented, re.DOTALL) if "device-results" in b)
    (tmp_path / "phone.json").write_text(example)
    result = read_device_results(tmp_path / "phone.json")[0]
    assert (result.device, result.graph, result.runs, result.unit) == ("Pixel 8", "restore", 50, "cpu")
