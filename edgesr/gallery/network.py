"""The shipped network that restores with a gallery, where the user names none."""

from __future__ import annotations

from pathlib import Path

from edgesr.errors import GalleryError
from edgesr.gallery.format import Gallery
from edgesr.release import DEFAULT_CHECKPOINT


def network_of(gallery: Gallery) -> str:
    """The name of the one shipped network that serves a gallery: of its feature space, and the quickest of those.

    Raises:
        GalleryError: no shipped network takes it.
    """
    from edgesr.models.shipped import shipped_for

    name = shipped_for(gallery.feature_space, gallery.scale, gallery.lr_size)
    if name is None:
        raise GalleryError(
            f"no shipped network takes a gallery of feature space {gallery.feature_space}, x{gallery.scale}, "
            f"{gallery.lr_size} px",
            "name the network it was built with: --model; or build it again with a shipped one",
        )
    return name


def rebuild_hint(gallery: Gallery, path: Path) -> str | None:
    """One sentence on how to build the gallery at ``path`` for today's default network, if it is of an earlier one."""
    from edgesr.models.shipped import EARLIER_DEFAULTS, shipped_for

    name = shipped_for(gallery.feature_space, gallery.scale, gallery.lr_size)
    if name not in EARLIER_DEFAULTS:
        return None
    return (
        f"{path} was built for {name}, which goes on serving it; for phone photos {DEFAULT_CHECKPOINT} is better: "
        f"edgesr gallery build PHOTOS -o {path} --force"
    )
