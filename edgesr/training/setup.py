"""What stands between a command's options and a ``Trainer``: the network, photos, validation, initial weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgesr.data.faces import EvalPair, Faces, FaceSet, Track, eval_splits, read_eval_list
from edgesr.data.holdout import hold_out
from edgesr.data.layout import EVAL_LIST, SHARD_INDEX
from edgesr.data.shards import ShardedFaces
from edgesr.data.splits import LEAST_PHOTOS
from edgesr.errors import UsageError
from edgesr.models import Checkpoint
from edgesr.models.architecture import NetworkConfig
from edgesr.models.registry import PRESETS, architecture_of, preset, read_config
from edgesr.training.config import TrainConfig
from edgesr.training.losses import LossConfig

DEFAULT_VALIDATION = "val"


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Photos to train on; pairs to validate on, or None, and then a note that says why."""

    faces: Faces
    validation: list[EvalPair] | None
    note: str = ""


def read_training_data(
    folder: Path,
    size: int,
    split: str = "train",
    validation_split: str | None = None,
    validation_people: int = 0,
    track: Track = iter,
    least: int = LEAST_PHOTOS,
) -> TrainingData:
    """Photos of ``size`` pixels of people with at least ``least`` of them, and what to validate on.

    ``validation_split`` is that of the folder's ``eval_list.csv``; without one, ``val`` is taken where there is
    one. ``validation_people`` holds so many people out of training instead, always the same ones.

    Raises:
        UsageError: no such split, or too few people to hold some out.
        InputOutputError: photos are missing, unreadable or of another size.
    """
    listed = folder / EVAL_LIST
    sharded = (folder / SHARD_INDEX).is_file()
    if validation_people and sharded:
        raise UsageError("--validation-people needs photos, not shards", "edgesr data split FOLDER, then shard it")
    if least != LEAST_PHOTOS and sharded:
        raise UsageError("--least-photos needs photos, not shards", "train on the folder that the shards are of")
    faces: Faces
    if validation_people:
        if validation_split:
            raise UsageError("--validation-people and --validation-split exclude each other", "choose one")
        faces, pairs = hold_out(folder, split, size, validation_people, least)
        names = ", ".join(sorted({pair.person for pair in pairs}))
        return TrainingData(faces, pairs, f"held out for validation: {names}")
    faces = ShardedFaces.open(folder, size, split) if sharded else FaceSet.read(folder, split, size, least, track=track)
    if validation_split is None and not listed.is_file():
        note = f"no {EVAL_LIST} in {folder}, {_ALONE}, and edgesr data split {folder} writes a list"
        return TrainingData(faces, None, note)
    splits = eval_splits(listed)
    if validation_split is None and DEFAULT_VALIDATION not in splits:
        return TrainingData(faces, None, f"no split {DEFAULT_VALIDATION!r} in {listed}, {_ALONE}")
    return TrainingData(faces, read_eval_list(folder, validation_split or DEFAULT_VALIDATION, size))


_ALONE = "so nothing is validated during training (--validation-people N would hold out N people)"


def network_config(network: str) -> tuple[NetworkConfig, str]:
    """The configuration of a preset, or of a JSON file with its fields, and a name for it."""
    if (config := preset(network)) is not None:
        return config, network
    path = Path(network)
    if path.suffix != ".json":
        raise UsageError(f"unknown network {network!r}", f"presets: {', '.join(PRESETS)}; or a .json with the widths")
    return read_config(path), path.stem


def settings_for(network: NetworkConfig, given: Mapping[str, Any], start: NetworkConfig | None = None) -> TrainConfig:
    """What a network is trained with: ``given`` where that is not None, else what its architecture says, else the
    defaults of ``TrainConfig``. One that starts from another of its architecture has learned what comes first."""
    own = dict(architecture_of(network).settings)
    if start is not None and architecture_of(start) is architecture_of(network):
        own["pretraining_share"] = 0.0
    loss = LossConfig(**own.pop("loss", {}))
    return TrainConfig(**({"loss": loss} | own | {name: value for name, value in given.items() if value is not None}))


def pretraining_steps(name: str, network: NetworkConfig, config: TrainConfig) -> int:
    """Of the run's steps those in which the network learns what comes first.

    Raises:
        UsageError: it has nothing to learn first, or no steps would be left.
    """
    if config.pretraining_share and not architecture_of(network).pretraining:
        raise UsageError(f"{name} has nothing to learn first", "leave the pretraining's share at 0")
    steps = round(config.steps * config.pretraining_share)
    if steps >= config.steps:
        raise UsageError(
            f"a pretraining share of {config.pretraining_share:g} is all {config.steps} steps",
            "leave steps for learning to restore: a smaller share, or more steps",
        )
    return steps


def initial_weights(start: Checkpoint, config: NetworkConfig) -> dict[str, Tensor]:
    """Weights of a checkpoint of the same widths; one of twice the scale is halved, a narrower or shallower one
    is widened so that it computes the same, and of one of another form what it has of this one is taken over.

    What no weight depends on may differ (an offsets' bound, say): training gets used to it.

    Raises:
        UsageError: it is another network.
    """
    model, architecture = start.model, architecture_of(config)
    same = architecture_of(model.config) is architecture
    if same and architecture.halve and model.config.scale == config.scale * 2:
        model = architecture.halved(model)
    free = {name: getattr(config, name) for name in architecture.free}
    if same and model.config.replace(**free) == config:
        return model.state_dict()
    begun: dict[str, Tensor] | None = None
    if same:
        begun = architecture.widened(model, config.replace(**{name: getattr(model.config, name) for name in free}))
    if begun is None and architecture.adopt and model.config.scale == config.scale:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            begun = architecture.adopted(model, architecture.build(config))
    if begun is None:
        hint = "--init takes a checkpoint of the same widths, with the same scale or twice that"
        if same and architecture.grows:
            hint += f"; {', '.join(architecture.grows)} may be larger than its"
        raise UsageError(f"{start.name} is another network than the one to train", hint)
    return begun
