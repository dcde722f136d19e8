"""The shipped networks that restore with a gallery, where the user names none."""

from __future__ import annotations

from pathlib import Path

from edgesr.errors import GalleryError
from edgesr.gallery.format import Gallery
from edgesr.release import DEFAULT_CHECKPOINT


def networks_of(gallery: Gallery) -> list[str]:
    """The names of the shipped networks that serve a gallery: of each section the quickest, if there is one.

    Raises:
        GalleryError: no shipped network takes any of its sections.
    """
    from edgesr.models.shipped import shipped_for

    names = [name for section in gallery.sections if (name := shipped_for(*section.key)) is not None]
    if not names:
        sections = "; ".join(
            f"{space}, x{scale}, {size} px" for space, scale, size in (s.key for s in gallery.sections)
        )
        raise GalleryError(
            f"no shipped network takes a gallery of feature space {sections}",
            "name the network it was built with: --model; or build it again with a shipped one",
        )
    return names


def rebuild_hint(gallery: Gallery, path: Path) -> str | None:
    """One sentence on how to build the gallery at ``path`` for today's networks, if it is for an earlier default."""
    from edgesr.models.shipped import EARLIER_DEFAULTS, EARLIER_PHOTO_NETWORKS, PHOTO_NETWORKS, shipped_for

    served = [shipped_for(*section.key) for section in gallery.sections]
    again = f"edgesr gallery build PHOTOS -o {path} --force"
    if {*served} == {*EARLIER_PHOTO_NETWORKS}:
        new = ", ".join(name for name in PHOTO_NETWORKS if name not in served)
        return f"{path} has nothing for {new}, which restores larger faces; to build it anew: {again}"
    earlier = next((name for name in served if name in EARLIER_DEFAULTS), None)
    if earlier is None or DEFAULT_CHECKPOINT in served:
        return None
    return (
        f"{path} was built for {earlier}, which goes on serving it; for phone photos {DEFAULT_CHECKPOINT} is better: "
        f"{again}"
    )
