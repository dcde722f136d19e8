"""edgesr: a tiny face becomes sharp with that person's own features, on the phone.

>>> import edgesr
>>> model = edgesr.load("hime-small-x4-photo")                # or a converted bundle's folder
>>> features = model.encode(["me-1.jpg", "me-2.jpg"])         # once per person  # doctest: +SKIP
>>> sr, weights = model.restore("tiny-face.png", features)    # once per photo  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgesr.release import DEFAULT_CHECKPOINT, __version__

__all__ = ["DEFAULT_CHECKPOINT", "EdgesrError", "Model", "__version__", "load"]

if TYPE_CHECKING:
    from edgesr.api import Model, load
    from edgesr.errors import EdgesrError


def __getattr__(name: str) -> Any:
    # Lazy, so that `edgesr --help` does not wait for torch.
    if name in ("Model", "load"):
        from edgesr import api

        return getattr(api, name)
    if name == "EdgesrError":
        from edgesr.errors import EdgesrError

        return EdgesrError
    raise AttributeError(f"module 'edgesr' has no attribute {name!r}")
