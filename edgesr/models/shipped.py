"""Which of the shipped networks serves a gallery: told by their configurations, without loading any of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from edgesr.models.architecture import NetworkConfig
from edgesr.models.description import SHIPPED, read_description, shipped_names
from edgesr.models.registry import architecture_of, in_training, preset
from edgesr.release import DEFAULT_CHECKPOINT

PHOTO_NETWORKS = (DEFAULT_CHECKPOINT, "hime-small-x8-photo", "hime-small-lr64-x4-photo")
"""The networks for faces in photos, one a size of face: a gallery is built for all of them unless told otherwise."""

EARLIER_PHOTO_NETWORKS = PHOTO_NETWORKS[:2]
"""Those that galleries were built for before there was one for larger faces."""

EARLIER_DEFAULTS = ("hime-small-x4",)
"""What commands took before ``edgesr.DEFAULT_CHECKPOINT``: galleries of these were built without naming a network."""

EARLIER_SPACES = {
    "hime-small-x4-0a8e4dd1ac7c": "hime-small-x4",
    "hime-small-x8-b71718170aea": "hime-small-x8",
    "hime-small-x4-photo-7f6ea486a240": "hime-small-x4-photo",
    "hime-large-x4-photo-9d509109fa5f": "hime-large-x4-photo",
}
"""Feature spaces of weights that shipped under a name that has others now: their galleries are to be built anew."""


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A shipped network by what its ``config.json`` says."""

    name: str
    config: NetworkConfig
    feature_space: str
    quantized: bool
    """Made for int8 arithmetic, which PyTorch only imitates."""


def shipped_networks() -> list[Shipped]:
    """All of them, by name.

    Raises:
        CheckpointError: one is damaged.
    """
    described = ((name, read_description(SHIPPED / name)) for name in shipped_names())
    return [Shipped(name, one.config, one.feature_space, one.quantization is not None) for name, one in described]


def photo_network_of(lr_size: int) -> str | None:
    """The network for faces in photos that takes LR faces of so many pixels a side."""
    return next((name for name in PHOTO_NETWORKS if read_description(SHIPPED / name).config.lr_size == lr_size), None)


def trained_weights(name: str) -> str:
    """Where a preset without weights has some all the same, as a clause: a shipped network of its form but for the
    slots, or weights in training. Empty where there are none."""
    config = preset(name)
    if config is None:
        return ""
    form = config.replace(slots=1)
    alike = [one.name for one in shipped_networks() if not one.quantized and one.config.replace(slots=1) == form]
    return f"trained ones of this form: {', '.join(alike)}" if alike else in_training(name)


def to_give(name: str) -> str:
    """What a command is to be given for the network of this name: the name of a shipped one, else its folder."""
    return name if name in shipped_names() else f"FOLDER-OF-{name}"


def earlier_weights(feature_spaces: Iterable[str]) -> list[str]:
    """The shipped networks of whose earlier weights any of these feature spaces are."""
    return list(dict.fromkeys(EARLIER_SPACES[space] for space in feature_spaces if space in EARLIER_SPACES))


def replaces(feature_space: str | None, feature_spaces: Iterable[str]) -> str | None:
    """The shipped network of this feature space, if any of the others are of its earlier weights."""
    names = earlier_weights(feature_spaces)
    return next((one for one in names if read_description(SHIPPED / one).feature_space == feature_space), None)


def shipped_for(feature_space: str, scale: int, lr_size: int) -> str | None:
    """The name of the shipped network that serves a gallery of this feature space, scale and LR size in pixels.

    Several networks share a feature space: a float one and its int8 forms. The one that is quickest in PyTorch, which
    runs shipped networks, serves: float before int8, which is imitated there by more work, then the fewest MACs a
    face, then the first name. None where no shipped network takes such a gallery.
    """
    fitting = [
        one
        for one in shipped_networks()
        if (one.feature_space, one.config.scale, one.config.lr_size) == (feature_space, scale, lr_size)
    ]
    fitting = [one for one in fitting if not one.quantized] or fitting
    if len({one.config for one in fitting}) < 2:  # equal networks cost the same
        return min((one.name for one in fitting), default=None)
    costs = {one.name: architecture_of(one.config).complexity(one.config).macs_restore for one in fitting}
    return min(costs, key=lambda name: (costs[name], name))
