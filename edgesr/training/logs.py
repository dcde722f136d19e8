"""What a run writes down: CSV always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


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
        """Also ends TensorBoard's thread."""
        if self._writer:
            self._writer.close()
        self._writer = None

    def _append_csv(self, path: Path, row: dict[str, float]) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 6) for k, v in row.items()})

    def _tensorboard(self) -> Any:
        if self._writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self._writer = False
            else:
                self._writer = SummaryWriter(str(self.run / "tensorboard"))
        return self._writer or None
