"""Layer sensitivities for a report: read from a file, or measured and kept."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgesr.data.faces import eval_splits, read_eval_list
from edgesr.errors import InputOutputError, UnavailableError
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json
from edgesr.models.checkpoint import Checkpoint

from .faces import spread

FIELDS = ("graph", "layer", "kind", "macs", "only_loss_db", "spared_gain_db", "sqnr_db")
HINT = "edgesr quantize --search --json prints one"
Track = Callable[[Sequence[Any], str], Iterator[Any]]


def read_sensitivity(path: Path) -> list[dict[str, Any]]:
    """Rows of ``LayerSensitivity`` from a JSON file: a list of them, or an object that holds it as
    ``sensitivity`` or, as ``edgesr quantize --search --json`` prints it, ``layers``.

    Raises:
        InputOutputError: it cannot be read, or a field is missing or no number.
    """
    found = read_json(path, HINT)
    rows = found.get("sensitivity", found.get("layers")) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not rows:
        raise InputOutputError(f"{path} holds no layer sensitivities", HINT)
    for i, row in enumerate(rows):
        if missing := [name for name in FIELDS if not isinstance(row, dict) or name not in row]:
            raise InputOutputError(f"{path}: row {i} has no {missing[0]}", HINT)
        for name in ("only_loss_db", "spared_gain_db"):
            if isinstance(row[name], bool) or not isinstance(row[name], int | float):
                raise InputOutputError(f"{path}: {name} of {row['layer']} is {row[name]!r}, not a number", HINT)
    return rows


def sensitivity_of(
    checkpoint: Checkpoint, data: Path, calibration: Path, count: int, work: Path, track: Track, split: str = "val"
) -> list[dict[str, Any]]:
    """Sensitivity of every layer of the float network on ``count`` faces of ``split``; kept in ``work``.

    Raises:
        UnavailableError: torchao is not installed, or the folder has no such split.
    """
    kept = work / f"sensitivity-{checkpoint.sha256[:16]}-{split}-{count}.json"
    with contextlib.suppress(InputOutputError):
        return read_sensitivity(kept)
    try:
        from edgesr.quantize.ptq import calibrate, calibration_faces
        from edgesr.quantize.recipe import EVERYTHING
        from edgesr.quantize.sensitivity import measure
    except ImportError as error:
        raise UnavailableError(f"it needs {error.name}", "pip install 'edgesr[executorch]'") from error
    if split not in eval_splits(data / "eval_list.csv"):
        raise UnavailableError(f"{data} has no split {split}, and choices are not made on others")
    config = checkpoint.model.config
    faces = calibration_faces(calibration, "train", config.hr_size, config.slots)
    quantization = calibrate(checkpoint, faces, recipe=EVERYTHING, track=lambda items: track(items, "calibrating"))
    pairs = spread(read_eval_list(data, split, config.hr_size), count)
    found = measure(checkpoint, quantization, pairs, track=lambda items: track(items, "sensitivity"))
    rows = [dataclasses.asdict(row) for row in found]
    with file_aside(kept) as aside:
        aside.write_text(json.dumps([{k: _finite(v) for k, v in row.items()} for row in rows], indent=1) + "\n")
    return rows


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
