"""The architectures that there are, a line each.

Further ones come with installed packages, which name their records under the entry point ``edgesr.architectures``: they
are looked for where a name is not known, so that every process finds them.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from edgesr.errors import CheckpointError, UsageError
from edgesr.files.reading import read_json
from edgesr.models import hime, hime_large, pwave
from edgesr.models.architecture import Architecture, NetworkConfig

ARCHITECTURES: dict[str, Architecture] = {}
GROUP = "edgesr.architectures"
FIRST = "hime"
"""The architecture of checkpoints and bundles that name none."""
PRESETS: dict[str, NetworkConfig] = {}
"""Configurations of all architectures, by the name that commands take."""


def register(architecture: Architecture) -> None:
    """Make an architecture known to everything that loads, trains, quantizes or converts a network.

    Raises:
        ValueError: its name, or that of a preset, is taken by another one.
    """
    if ARCHITECTURES.get(architecture.name, architecture) is not architecture:
        raise ValueError(f"there is another architecture {architecture.name!r}")
    if taken := [name for name, own in architecture.presets.items() if PRESETS.get(name, own) is not own]:
        raise ValueError(f"there is another preset {taken[0]!r}")
    ARCHITECTURES[architecture.name] = architecture
    PRESETS.update(architecture.presets)


register(hime.ARCHITECTURE)
register(hime_large.ARCHITECTURE)
register(pwave.ARCHITECTURE)


def load_installed() -> None:
    """Register what installed packages bring.

    Raises:
        CheckpointError: one cannot be imported, or is called as another one.
    """
    for found in importlib.metadata.entry_points(group=GROUP):
        try:
            register(found.load())
        except (ImportError, AttributeError, ValueError) as error:
            raise CheckpointError(f"the architecture {found.value} cannot be used: {error}", "update it") from error


def architecture_named(name: Any) -> Architecture:
    """Raises CheckpointError for an unknown one, with those that are known."""
    if name not in tuple(ARCHITECTURES):
        load_installed()
    if name not in tuple(ARCHITECTURES):  # anything that JSON holds, lists too
        raise CheckpointError(f"unknown architecture {name!r}", f"known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def architecture_of(config: NetworkConfig) -> Architecture:
    """The one that a configuration belongs to."""
    return next(one for one in ARCHITECTURES.values() if type(config) is one.config)


def preset(name: str) -> NetworkConfig | None:
    """The configuration that commands call so; None where there is none."""
    if name not in PRESETS:
        load_installed()
    return PRESETS.get(name)


def in_training(name: str) -> str:
    """Where the weights of a preset are that do not come with the package, as a clause; empty where there are none."""
    config = preset(name)
    folder = architecture_of(config).in_training.get(name) if config else None
    if folder is None:
        return ""
    return (
        f"weights in training are in docs/training/{folder} of edgesr's source repository, not in the installed "
        "package: give that folder's path"
    )


def read_config(path: Path) -> NetworkConfig:
    """The network that a JSON file describes: a checkpoint's ``config.json``, or the fields of its ``model`` alone.

    ``architecture`` stands among them where it is not the first.

    Raises:
        InputOutputError: it cannot be read, or is no JSON.
        UsageError: it describes no network.
        CheckpointError: an unknown architecture, or a field is unknown or out of range.
    """
    described = read_json(path)
    fields = described.get("model", described) if isinstance(described, dict) else described
    if not isinstance(fields, dict):
        raise UsageError(f"{path} holds no fields", "it should be a JSON object such as a checkpoint's config.json")
    architecture = architecture_named(described.get("architecture", FIRST))
    own = {name: value for name, value in fields.items() if name != "architecture"}
    config: NetworkConfig = architecture.config.from_dict(own)
    return config
