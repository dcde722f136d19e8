"""What is compared: tables, and the rows they are made of, read from the TOML files beside this module.

``rows/<name>.toml`` is a configuration: a preset and its settings of training with some fields changed, perhaps as
another architecture's of the same widths, and the number of exemplars it is evaluated with. ``tables/<name>.toml``
names rows and holds the paper's figures. Two tables that name one row share its run.

The papers train with a fixed number of exemplars and mention no dropout of them, so neither do these rows: a row
that is evaluated with three exemplars is trained with three. Its figure without any says nothing, and is not taken.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.ablations.tables import read
from edgesr.errors import UsageError
from edgesr.models.architecture import NetworkConfig
from edgesr.models.registry import architecture_named
from edgesr.training.config import TrainConfig
from edgesr.training.losses import RECONSTRUCTION, DiscriminatorConfig, LossConfig
from edgesr.training.setup import settings_for


@dataclasses.dataclass(frozen=True)
class Row:
    """One configuration; ``training.steps`` is left to the minutes it gets."""

    name: str
    about: str
    exemplars: int
    """How many exemplars evaluation gives the network."""
    network: NetworkConfig
    training: TrainConfig


def load_row(name: str, network: NetworkConfig, training: TrainConfig) -> Row:
    """A row's changes, made to a network and to settings that all rows share.

    Raises:
        UsageError: a field that does not exist, which would be ignored in silence.
    """
    fields = read("rows", name)
    sections = {key: fields.pop(key, {}) for key in ("network", "training", "curriculum", "loss")}
    about, exemplars = fields.pop("about"), fields.pop("exemplars")
    if other := fields.pop("architecture", None):
        network = architecture_named(other).config.from_dict(network.to_dict() | sections["network"])
        training = settings_for(network, {"seed": training.seed})
    if fields:
        raise UsageError(f"unknown {', '.join(fields)} in the row {name}", f"sections: {', '.join(sections)}")
    network = _changed(network, sections["network"])
    curriculum = _changed(training.curriculum, sections["curriculum"])
    training = _changed(training, sections["training"] | {"curriculum": curriculum})
    return Row(
        name,
        about,
        exemplars,
        network,
        dataclasses.replace(training, loss=_loss(sections["loss"], network, training.loss)),
    )


def _loss(fields: dict[str, Any], network: NetworkConfig, usual: LossConfig) -> LossConfig:
    """The loss that a row's ``[loss]`` describes; the discriminator sees faces of the network's size."""
    weights = _changed(RECONSTRUCTION, fields.pop("weights", {}))
    discriminator = DiscriminatorConfig()
    if weights.adv:
        discriminator = DiscriminatorConfig(size=network.hr_size, **fields.pop("discriminator", {}))
    return _changed(usual, fields | {"weights": weights, "discriminator": discriminator})


def _changed(base: Any, changes: dict[str, Any]) -> Any:
    """A copy of a dataclass with some fields changed; lists become the tuples that a frozen one holds."""
    unknown = set(changes) - {field.name for field in dataclasses.fields(base)}
    if unknown:
        raise UsageError(f"{type(base).__name__} has no {', '.join(sorted(unknown))}", "see its fields")
    return dataclasses.replace(base, **{k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()})
