"""The state of a run on disk: what it takes to go on as if nothing had happened. Safetensors, never a pickle."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from edgesr.errors import CheckpointError
from edgesr.files.atomic import file_aside
from edgesr.models.checkpoint import IN_RUN, read_tensors
from edgesr.training.config import TrainConfig

STATE = "state.safetensors"
"""Name of the file in a run's folder."""
PHOTOS = "photos, people, name and initial weights"
"""Name of the digest in a run's description."""


def write_state(path: Path, tensors: Mapping[str, Tensor], step: int, run: str) -> None:
    """Complete, or what stood there before is kept; ``run`` says what a run must agree on to go on from it.

    Raises:
        InputOutputError: it cannot be written.
    """
    stored = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    with file_aside(path) as aside:
        # Not save_file: it writes to a name of its own, which a killed process would leave.
        aside.write_bytes(safetensors.torch.save(stored, metadata={"step": str(step), "run": run}))


def read_state(path: Path, run: str) -> tuple[dict[str, Tensor], int]:
    """The tensors and the step.

    Raises:
        CheckpointError: damaged, or the state of another run.
    """
    tensors = read_tensors(path)
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("run") != run:
        raise CheckpointError(
            f"{path.parent} holds another run: {differences(metadata.get('run', ''), run)}",
            "give the same to go on, or another folder; edgesr train --init starts from what a run in float learned "
            f"({path.parent / IN_RUN})",
        )
    return tensors, int(metadata["step"])


def recorded_precision(run: Path) -> str | None:
    """What the run in this folder has computed in so far; None where there is no state, or none that can be read."""
    try:
        with safetensors.safe_open(run / STATE, framework="pt") as file:
            found = json.loads((file.metadata() or {})["run"])["train"]["precision"]
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None
    return found if isinstance(found, str) else None


def differences(there: str, here: str) -> str:
    """What two descriptions of a run (JSON) do not agree on: ``degradation (there phone-2, here phone-1)``.

    A setting that is left out of a description has its default.
    """
    try:
        old, new = _flat(json.loads(there)), _flat(json.loads(here))
    except ValueError:
        return "its description cannot be read"
    usual = _flat(json.loads(json.dumps(dataclasses.asdict(TrainConfig()))))
    named = old.keys() | new.keys()
    changed = sorted(name for name in named if old.get(name, usual.get(name)) != new.get(name, usual.get(name)))
    return ", ".join(
        # A digest says nothing to anybody.
        name
        if name == PHOTOS
        else f"{name} (there {old.get(name, 'the default')}, here {new.get(name, 'the default')})"
        for name in changed
    )


def _flat(described: object, name: str = "") -> dict[str, object]:
    """Values of nested objects by the innermost name, or by the path where that is no setting of training."""
    if not isinstance(described, dict):
        return {name: described}
    parts = [_flat(value, key if name in ("", "train") else f"{name}.{key}") for key, value in described.items()]
    return {key: value for part in parts for key, value in part.items()}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under names that start with ``prefix``."""
    return {f"{prefix}{k}": v for k, v in tensors.items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def optimizer_tensors(prefix: str, optimizer: Any) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, by the parameter's index."""
    states = optimizer.state_dict()["state"]
    return {f"{prefix}{i}.{k}": v for i, state in states.items() for k, v in state.items() if isinstance(v, Tensor)}


def load_optimizer(prefix: str, tensors: Mapping[str, Tensor], optimizer: Any) -> None:
    """The inverse of ``optimizer_tensors``, into an optimizer of the same parameters."""
    packed = optimizer.state_dict()
    packed["state"] = {}
    for key, value in below(prefix, tensors).items():
        index, name = key.split(".", 1)
        packed["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(packed)


def digest(tensors: Mapping[str, Tensor], names: list[str]) -> str:
    """SHA-256 of tensors and names, in hexadecimal."""
    hashed = hashlib.sha256(json.dumps(names).encode())
    for key, tensor in sorted(tensors.items()):
        hashed.update(key.encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
