"""Checkpoints: a folder with ``model.safetensors``, ``config.json`` and a model card. No pickle is ever loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from edgesr.errors import CheckpointError, UnavailableError, UsageError
from edgesr.files.atomic import folder_aside
from edgesr.files.leftovers import recover
from edgesr.files.litter import is_empty
from edgesr.models.description import CONFIG as CONFIG
from edgesr.models.description import FORMAT_VERSION as FORMAT_VERSION
from edgesr.models.description import IN_RUN as IN_RUN
from edgesr.models.description import SHIPPED as SHIPPED
from edgesr.models.description import WEIGHTS as WEIGHTS
from edgesr.models.description import find_checkpoint as find_checkpoint
from edgesr.models.description import read_description as read_description
from edgesr.models.description import sha256_of as sha256_of
from edgesr.models.description import shipped_names as shipped_names
from edgesr.models.description import trained_for
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of

CARD = "README.md"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
"""Types that weights may be stored in; they are computed with in float32."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A loaded network with what its files say about it."""

    name: str
    model: Network
    feature_space: str
    """Id of the features' meaning: galleries travel between networks that share it."""
    feature_scales: dict[str, float]
    """int8 step of each part of the features (f_ref, g_ref), fixed for the feature space."""
    sha256: str
    """The SHA-256 of ``model.safetensors``."""
    training: dict[str, Any]
    quantization: dict[str, Any] | None = None
    """What ``edgesr.quantize`` needs to make an int8 network of these weights; None for a float one."""

    @property
    def degradation(self) -> str:
        """What its LR faces were made with in training, and are made with where it is judged."""
        return trained_for(self.training)


def load_checkpoint(name_or_path: str | Path, *, quantized: bool = False) -> Checkpoint:
    """Load a checkpoint in evaluation mode.

    ``quantized`` says that the caller heeds ``quantization``: the weights of an int8 network are meant to be rounded,
    and to run them in float would be another network than the one that was measured.

    Raises:
        CheckpointError: missing, truncated, of another version or architecture, with tensors that do not fit, or of
            an int8 network where the caller takes none.
        UnavailableError: a shipped one, whose weights are not installed.
    """
    folder = find_checkpoint(name_or_path)
    described = read_description(folder)
    config, quantization = described.config, described.quantization
    if quantization and not quantized:
        raise CheckpointError(
            f"{described.name} is an int8 network, and a float one is needed",
            f"give the one that it was made of, called {quantization.get('float_name') or 'as its card says'}",
        )
    if folder.parent == SHIPPED and not (folder / WEIGHTS).is_file():  # of a wheel, whose weights come by themselves
        raise UnavailableError(f"the weights of {described.name} are not installed", "pip install edgesr-weights")
    state = read_tensors(folder / WEIGHTS)
    if getattr(config, "blocks", 0) > len(
        state
    ):  # building thousands of blocks, only to find that they are not there, takes minutes
        raise CheckpointError(f"{folder / WEIGHTS} holds fewer blocks than {CONFIG} describes", "take both anew")
    with torch.device("meta"):
        model: Network = architecture_of(config).build(config)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[0][0]
        raise CheckpointError(
            f"{folder / WEIGHTS} does not hold the network that {CONFIG} describes (first difference: {wrong})",
            "its two files come from different checkpoints, or it is not an edgesr checkpoint",
        )
    foreign = [name for name, tensor in state.items() if tensor.dtype not in DTYPES]
    if foreign:
        raise CheckpointError(f"{folder / WEIGHTS} holds {state[foreign[0]].dtype} in {foreign[0]}")
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise CheckpointError(f"{folder / WEIGHTS} holds values that are not finite in {broken[0]}")
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    model.eval().requires_grad_(False)
    return Checkpoint(
        name=described.name,
        model=model,
        feature_space=described.feature_space,
        feature_scales=described.feature_scales,
        sha256=sha256_of(folder / WEIGHTS),
        training=described.training,
        quantization=quantization,
    )


def save_checkpoint(
    folder: Path,
    name: str,
    model: Network,
    *,
    training: dict[str, Any],
    feature_scales: dict[str, float] | None = None,
    feature_space: str | None = None,
    quantization: dict[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write a checkpoint, complete or not at all; what stood there before is replaced.

    ``feature_space`` is minted from the encoder's weights unless the network inherits one.

    Raises:
        UsageError: ``folder`` holds something that is no checkpoint.
        InputOutputError: it cannot be written.
    """
    described = {
        "format": "edgesr-checkpoint",
        "format_version": FORMAT_VERSION,
        "architecture": architecture_of(model.config).name,
        "name": name,
        "model": model.config.to_dict(),
        "feature_space": feature_space or mint_feature_space(name, model),
        "feature_scales": feature_scales or {},
        "training": training,
    }
    if quantization is not None:
        described["quantization"] = quantization
    recover(folder)
    if folder.exists() and not (folder / CONFIG).is_file() and not _awaits_weights(folder):
        raise UsageError(f"{folder} exists and is no checkpoint", "only checkpoints are replaced: choose another place")
    with folder_aside(folder) as aside:
        (aside / WEIGHTS).write_bytes(_serialised(model))
        (aside / CONFIG).write_text(json.dumps(described, indent=2) + "\n")
        if card is not None:
            (aside / CARD).write_text(card)
        elif (folder / CARD).is_file():
            shutil.copy(folder / CARD, aside / CARD)


def weights_sha256(model: Network) -> str:
    """The SHA-256 that ``model.safetensors`` of these weights has."""
    return hashlib.sha256(_serialised(model)).hexdigest()


def _serialised(model: Network) -> bytes:
    state = {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in model.state_dict().items()}
    stored: bytes = safetensors.torch.save(state, metadata={"format": "pt"})
    return stored


def _awaits_weights(folder: Path) -> bool:
    """Whether there is nothing in it yet, or its card alone, which is written before the first weights are shipped."""
    return folder.is_dir() and (is_empty(folder) or [p.name for p in folder.iterdir()] == [CARD])


def mint_feature_space(name: str, model: Network) -> str:
    """An id for what this encoder's features mean: equal encoders share it, any other has its own."""
    digest, encoder = hashlib.sha256(), architecture_of(model.config).encoder
    for key, tensor in sorted(model.state_dict().items()):
        if key.startswith(encoder):
            digest.update(key.encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return f"{name}-{digest.hexdigest()[:12]}"


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, with a damaged or foreign one refused by name."""
    if not path.is_file():
        raise CheckpointError(f"no file {path}", "the checkpoint is incomplete: take it anew")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"cannot read {path}: {error}", "it is damaged or no safetensors file; pickled weights are never loaded"
        ) from error
