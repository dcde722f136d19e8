"""edgesr: a tiny face becomes sharp with that person's own features, on the phone.

>>> import edgesr
>>> edgesr.build_gallery("my-photos", "me.gallery")                 # once per person  # doctest: +SKIP
>>> edgesr.enhance_photo("party.jpg", "me.gallery", "sharp.jpg")    # once per photo  # doctest: +SKIP

Everything is imported when it is first used, so that ``import edgesr`` takes a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edgesr.release import DEFAULT_CHECKPOINT, __version__

__all__ = [
    "load",
    "build_gallery",
    "add_to_gallery",
    "read_gallery",
    "enhance_photo",
    "open_enhancer",
    "convert_network",
    "verify_bundle",
    "write_report",
    "train_network",
    "Model",
    "Gallery",
    "TrainConfig",
    "EdgesrError",
    "DEFAULT_CHECKPOINT",
    "__version__",
]

if TYPE_CHECKING:
    from edgesr.api import Model, load
    from edgesr.convert.network import convert_network
    from edgesr.convert.verify import verify as verify_bundle
    from edgesr.enhance.deliver import enhance_photo
    from edgesr.enhance.run import open_enhancer
    from edgesr.errors import EdgesrError
    from edgesr.gallery.collect import add_to_gallery, build_gallery
    from edgesr.gallery.format import Gallery, read_gallery
    from edgesr.report.write import write_report
    from edgesr.training.config import TrainConfig
    from edgesr.training.run import train_network

_LIES_IN = {
    "load": "api",
    "build_gallery": "gallery.collect",
    "add_to_gallery": "gallery.collect",
    "read_gallery": "gallery.format",
    "enhance_photo": "enhance.deliver",
    "open_enhancer": "enhance.run",
    "convert_network": "convert.network",
    "verify_bundle": "convert.verify:verify",
    "write_report": "report.write",
    "train_network": "training.run",
    "Model": "api",
    "Gallery": "gallery.format",
    "TrainConfig": "training.config",
    "EdgesrError": "errors",
}
"""The module of each name, below this package; after a colon its name there, where that is another."""


def __getattr__(name: str) -> Any:
    if name not in _LIES_IN:
        raise AttributeError(f"module 'edgesr' has no attribute {name!r}")
    module, _, called = _LIES_IN[name].partition(":")
    try:
        return getattr(importlib.import_module(f"edgesr.{module}"), called or name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("edgesr"):
            raise
        from edgesr.errors import UnavailableError
        from edgesr.process.extras import install_hint, title

        extra = {"train_network": "train", "TrainConfig": "train", "convert_network": "convert"}.get(name, "all")
        raise UnavailableError(f"edgesr.{name} needs {title(error)}", install_hint(extra)) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
