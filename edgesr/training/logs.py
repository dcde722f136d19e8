"""What a run writes down: CSV always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

LONGEST_ROW = 1 << 16


class Means:
    """Means of scalars since they were last read; nothing waits for the device until then."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def read(self) -> dict[str, Tensor]:
        """The means, still on the device; the next ones start anew."""
        means = {name: torch.stack(values).mean() for name, values in self._values.items()}
        self._values = {}
        return means


class RunLog:
    """Rows of figures by step, appended to ``<name>.csv`` in the run folder and to TensorBoard's event files."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._writer: Any = None

    def append(self, name: str, step: int, row: Mapping[str, float]) -> None:
        """One row; ``name`` is the file's, and the group's in TensorBoard."""
        self._append_csv(self.run / f"{name}.csv", {"step": step, **row})
        writer = self._tensorboard()
        if writer is not None:
            for key, value in row.items():
                writer.add_scalar(f"{name}/{key}", value, step)
            writer.flush()

    def close(self) -> None:
        """Close the files, and end TensorBoard's thread."""
        if self._writer:
            self._writer.close()
        self._writer = None

    def _append_csv(self, path: Path, row: dict[str, float]) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row))
        with path.open("ab+") as stream:
            whole = _whole_lines(stream)
            stream.truncate(whole)  # the half of a row that a killed run left
            if not whole:
                writer.writeheader()
            writer.writerow({k: round(v, 6) for k, v in row.items()})
            stream.write(text.getvalue().encode())

    def _tensorboard(self) -> Any:
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self._writer = False
            else:
                self._writer = SummaryWriter(str(self.run / "tensorboard"))
        return self._writer or None


def _whole_lines(stream: BinaryIO) -> int:
    """Bytes of a file up to the end of its last whole line; rows are far shorter than what is looked at."""
    size = stream.seek(0, os.SEEK_END)
    start = stream.seek(max(0, size - LONGEST_ROW))
    end = stream.read().rfind(b"\n") + 1
    return start + end if end else 0
