"""What an architecture is to all above it: a record, and the modules that it names, loaded when they are needed."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A folder below ``edgesr.models``. Adding one is adding the folder, and a line in ``registry``."""

    name: str
    """The name that ``config.json`` has."""
    config: Any
    """The frozen dataclass of its configurations, with ``from_dict``, ``to_dict``, ``replace`` and ``interface``."""
    presets: Mapping[str, Any]
    """Configurations by the name that commands take."""
    network: str
    """``module:class`` of its networks, made of a configuration, with ``encode`` and ``restore``."""
    deployed: str
    """``module:function`` of (network, configuration, lowering, skip) that gives the modules of its two graphs."""
    encoder: tuple[str, ...]
    """How the parameters begin on which stored features depend: a feature space is named after them."""

    def build(self, config: Any) -> Any:
        """A network with fresh weights."""
        return _named(self.network)(config)

    def graphs(self, model: Any, config: Any, lowering: str, skip: str) -> tuple[Any, Any]:
        """Encoder and restorer in their deployed form, with the sizes of ``config``.

        Raises:
            UsageError: an unknown lowering or skip, or a network that has no deployed form.
        """
        encode, restore = _named(self.deployed)(model, config, lowering, skip)
        return encode, restore


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
