"""What an architecture is to all above it: a record, and the modules that it names, loaded when they are needed."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any, Protocol, Self

from edgesr.errors import CheckpointError
from edgesr.models.interface import Interface


class NetworkConfig(Protocol):
    """What a network is built from: a frozen dataclass, with ``from_dict`` beside. ``lr_size`` and ``slots`` are the
    sizes that a conversion uses unless told otherwise."""

    @property
    def scale(self) -> int:
        """HR side over LR side."""

    @property
    def lr_size(self) -> int:
        """Side of the LR face in pixels."""

    @property
    def hr_size(self) -> int:
        """Side of the HR face in pixels."""

    @property
    def slots(self) -> int:
        """Exemplars of the deployed restorer."""

    @property
    def interface(self) -> Interface:
        """What goes in and comes out."""

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""

    def to_dict(self) -> dict[str, Any]:
        """As ``config.json`` holds it."""


@dataclasses.dataclass(frozen=True)
class Complexity:
    """Cost of one network at its configuration's LR size and number of slots, in multiply-accumulates (MACs)."""

    parameters: int
    macs_encode: int
    """One exemplar into the gallery."""
    macs_restore: int
    """One face with every slot filled from a gallery."""
    macs_paper: int
    """As papers count, with as many references as slots: everything computed anew for each face."""


def macs_below(parts: tuple[str, ...], macs: Mapping[str, int]) -> int:
    """Of ``macs`` by module, those of the modules named in ``parts`` and of all inside them."""
    return sum(count for name, count in macs.items() if any(name == p or name.startswith(f"{p}.") for p in parts))


def refuse_unknown(fields: Mapping[str, Any], config: type[Any]) -> None:
    """Refuse fields of a ``config.json`` that ``config``, a dataclass, lacks: they would be ignored in silence.

    Raises:
        CheckpointError: with the unknown and the known ones.
    """
    known = {field.name for field in dataclasses.fields(config)}
    if unknown := sorted(set(fields) - known):
        raise CheckpointError(
            f"unknown field {', '.join(unknown)} in the model's configuration",
            f"known fields: {', '.join(sorted(known))}",
        )


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A folder below ``edgesr.models``. Adding one is adding the folder, and a line in ``registry``."""

    name: str
    """The name that ``config.json`` has."""
    config: Any
    """Class of its configurations: a ``NetworkConfig`` with a classmethod ``from_dict``, the inverse of ``to_dict``."""
    presets: Mapping[str, NetworkConfig]
    """Configurations by the name that commands take."""
    network: str
    """``module:class`` of its networks, made of a configuration, with ``encode`` and ``restore``."""
    deployed: str
    """``module:function`` of (network, configuration, lowering, skip) that gives the modules of its two graphs."""
    costs: str
    """``module:function`` of a configuration that gives its ``Complexity``."""
    encoder: tuple[str, ...]
    """How the parameters begin on which stored features depend: a feature space is named after them."""

    free: tuple[str, ...] = ("lr_size", "slots")
    """Fields of a configuration that no weight depends on."""
    halve: str = ""
    """``module:function`` of a network that gives one of half its scale to train on from; empty where there is none."""
    widen: str = ""
    """``module:function`` of (network, a configuration of this architecture) that gives the state of a wider or deeper
    network which computes the same, or None of a configuration that is no such thing; empty where there is none."""
    grows: tuple[str, ...] = ()
    """Fields that may be larger there."""
    adopt: str = ""
    """``module:function`` of (another network, of whatever architecture, and a fresh one of this) that gives the state
    to train on from, or None of a network that has nothing to give; empty where there is no such start."""
    offset_head: tuple[str, ...] = ()
    """How the parameters begin that offsets are made with, which may have a learning rate of their own."""
    offsets: str = ""
    """``module:function`` of (network, LR faces, features of an exemplar each) that reports its offsets against their
    bound, with ``to_dict``; empty where it has none."""
    pretraining: str = ""
    """``module:function`` of (network, ``edgesr.models.pretraining.KnownWarps``) that gives the loss of what it learns
    before it learns to restore; empty where there is nothing."""
    taught: str = ""
    """``module:function`` of (network, the one it was adopted from, LR faces, an exemplar each) that gives the loss of
    what it learns of that one meanwhile; empty where there is nothing."""
    edit: str = ""
    """``module:function`` of (network, LR face, its own exemplars' features, others' features, strength) that gives an
    SR face with the others' features; empty where there is no such thing."""
    training: str = ""
    """``module:class`` of a network that gives its graphs for batches, which int8 is trained in
    (``edgesr.quantize.network``); empty where its int8 networks are calibrated alone."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """How its networks are trained unless told otherwise: fields of ``edgesr.training.TrainConfig`` whose own defaults
    do not suit it, those of the losses under ``loss``."""
    in_training: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Presets whose weights do not come with the package, but lie in the source repository's docs/training: to the name
    of their folder there."""
    in_float: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Layers that its int8 networks keep in float unless told otherwise: pattern of names (as recipes have them) to
    why."""

    def build(self, config: NetworkConfig) -> Any:
        """A network with fresh weights (``edgesr.models.network``)."""
        return _named(self.network)(config)

    def halved(self, model: Any) -> Any:
        """A network of half the scale to train on from."""
        return _named(self.halve)(model)

    def widened(self, model: Any, config: NetworkConfig) -> Any:
        """The state of a wider or deeper network of ``config`` that computes what ``model`` does; or None."""
        return _named(self.widen)(model, config) if self.widen else None

    def adopted(self, start: Any, model: Any) -> Any:
        """The state of ``model``, a fresh one, with what another network has of it; or None."""
        return _named(self.adopt)(start, model) if self.adopt else None

    def complexity(self, config: NetworkConfig) -> Complexity:
        """Parameters and MACs of the network that ``config`` describes."""
        cost: Complexity = _named(self.costs)(config)
        return cost

    def report_offsets(self, model: Any, lr: Any, features: Any) -> dict[str, Any]:
        """Of an architecture that has offsets: quantiles, histogram, share near the bound."""
        found: dict[str, Any] = _named(self.offsets)(model, lr, features).to_dict()
        return found

    def pretraining_loss(self, model: Any, warps: Any) -> Any:
        """Of an architecture that is pretrained: the loss of ``KnownWarps``."""
        return _named(self.pretraining)(model, warps)

    def taught_loss(self, model: Any, teacher: Any, lr: Any, exemplars: Any) -> Any:
        """Of an architecture that learns of one it adopts from: the loss on LR faces [B, 3, h, w] and an exemplar each
        [B, 3, H, W]."""
        return _named(self.taught)(model, teacher, lr, exemplars)

    def edited(self, model: Any, lr: Any, own: Any, others: Any, strength: float) -> Any:
        """Of an architecture that edits: the SR face of ``lr`` [1, 3, h, w] with features as ``restore`` takes them;
        ``strength`` 0 has its own alone, 1 the others' alone."""
        return _named(self.edit)(model, lr, own, others, strength)

    def training_graphs(self, model: Any) -> Any:
        """Of an architecture that has them: a module of the parameters to train, with ``graphs`` and ``inputs`` for a
        batch and a number of exemplars, where ``restore`` gives the difference to the bicubic image and weights;
        ``deployable`` of a state; and ``folded``, the layers that cannot be trained in int8."""
        return _named(self.training)(model)

    def graphs(self, model: Any, config: NetworkConfig, lowering: str, skip: str) -> tuple[Any, Any]:
        """Encoder and restorer in their deployed form, with the sizes of ``config``.

        Raises:
            UsageError: an unknown lowering or skip, or a network that has no deployed form.
        """
        encode, restore = _named(self.deployed)(model, config, lowering, skip)
        return encode, restore


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
