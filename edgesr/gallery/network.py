"""The shipped networks that restore with a gallery, where the user names none."""

from __future__ import annotations

import shlex
from pathlib import Path

from edgesr.errors import GalleryError
from edgesr.gallery.format import Gallery
from edgesr.release import DEFAULT_CHECKPOINT


def networks_of(gallery: Gallery, path: Path | None = None) -> list[str]:
    """The names of the shipped networks that serve a gallery: of each section the quickest, if there is one.

    ``path`` is where it lies, for the error.

    Raises:
        GalleryError: no shipped network takes any of its sections.
    """
    from edgesr.models.shipped import shipped_for

    names = [name for section in gallery.sections if (name := shipped_for(*section.key)) is not None]
    if not names and (earlier := earlier_networks(gallery)):
        raise GalleryError(
            f"{path or 'the gallery'} was built with earlier weights of {', '.join(earlier)}",
            f"build it again: {built_anew(gallery, path)}",
        )
    if not names:
        sections = "; ".join(
            f"{space}, x{scale}, {size} px" for space, scale, size in (s.key for s in gallery.sections)
        )
        raise GalleryError(
            f"no shipped network takes a gallery of feature space {sections}",
            "name the network it was built with: --model; or build it again with a shipped one",
        )
    return names


def earlier_networks(gallery: Gallery) -> list[str]:
    """The shipped networks of whose earlier weights a gallery has features; nothing takes those any more."""
    from edgesr.models.shipped import earlier_weights

    return earlier_weights(section.feature_space for section in gallery.sections)


def rebuild_hint(gallery: Gallery, path: Path) -> str | None:
    """One sentence on how to build the gallery at ``path`` for today's networks, if it is for an earlier default or for
    earlier weights of a shipped network."""
    from edgesr.models.shipped import EARLIER_DEFAULTS, EARLIER_PHOTO_NETWORKS, PHOTO_NETWORKS, shipped_for

    served = [shipped_for(*section.key) for section in gallery.sections]
    again = built_anew(gallery, path)
    if weights := earlier_networks(gallery):
        return (
            f"{path} was built with earlier weights of {', '.join(weights)}, and what it holds for them serves no "
            f"longer; to build it anew: {again}"
        )
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


def built_anew(gallery: Gallery, path: Path | None, wanted: str = "") -> str:
    """The command that builds a gallery again: for what is built unasked, where that is what it is for, else for its
    own networks, one a size of face, as ``enhance`` takes them: ``wanted`` first, then what serves it today."""
    from edgesr.models.description import SHIPPED, read_description
    from edgesr.models.shipped import EARLIER_DEFAULTS, EARLIER_SPACES, PHOTO_NETWORKS, shipped_for

    served = [shipped_for(*section.key) for section in gallery.sections]
    named = [wanted] if wanted else []
    named += [name for name in served if name]
    named += earlier_networks(gallery)
    sizes: dict[int, str] = {}
    for name in named:
        sizes.setdefault(read_description(SHIPPED / name).config.lr_size, name)
    own = [
        f"NETWORK-OF-{one.feature_space}"
        for one, name in zip(gallery.sections, served, strict=True)
        if not name and one.feature_space not in EARLIER_SPACES
    ]
    unasked = {*sizes.values()} <= {*PHOTO_NETWORKS} or (not wanted and {*named} & {*EARLIER_DEFAULTS})
    models = [] if unasked and not own else [*sizes.values(), *own]
    target = "GALLERY" if path is None else shlex.quote(str(path))
    return f"edgesr gallery build PHOTOS{''.join(f' -m {name}' for name in models)} -o {target} --force"
