"""Which faces gain, by which network, and how large the photo must be for it to show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgesr.errors import GalleryError, UsageError
from edgesr.models.shipped import replaces, to_give

if TYPE_CHECKING:
    from edgesr.api import Model
    from edgesr.gallery.format import Gallery

LEAST, MOST = 0.6, 3.0
"""A face gains from a network while its side is within these multiples of the network's LR size; docs/enhance.md has
the figures. Below there is nothing to restore from; above, bicubic does as well with what the photo has."""

LARGEST = 144
"""Side in pixels of the largest face that gains from any network: at 128 it does and at 160 no more."""

DOWN_FROM = 0.75
"""Of several networks the one with the largest LR size serves that is at most the face's side over this. A network
that was trained on faces as phones photograph them takes one that is enlarged to its LR size for a blurred one.
docs/enhance.md has the figures at 20, 24, 48, 56 and 64 pixels."""

SHOWN = 0.75
"""The output shows a restored face once it has so many of its pixels a side."""

FACTORS = (1, 2, 3, 4)
MOST_MEGAPIXELS = 50.0


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A network with the gallery whose exemplars it restores with; none is plain super-resolution."""

    model: Model
    gallery: Gallery | None = None

    def __post_init__(self) -> None:
        if self.gallery is not None:
            self.model.check_gallery(self.gallery)

    @property
    def lr_size(self) -> int:
        """Side of the LR face in pixels."""
        return self.model.config.lr_size

    @property
    def hr_size(self) -> int:
        """Side of the restored face in pixels."""
        return self.model.config.hr_size


def pair_networks(models: Sequence[Model], galleries: Sequence[Gallery]) -> list[Network]:
    """Each network with the gallery that has a section for it; without galleries each network alone.

    Raises:
        GalleryError: a gallery that none of the networks takes, or a network without a gallery among others with one.
        UsageError: two networks for one gallery's section, or for one LR size.
    """
    if not galleries:
        networks = [Network(model) for model in models]
    else:
        networks = []
        for gallery in galleries:
            # Of several networks for one section the first named serves; the others are found out below.
            fitting = {
                section: model for model in reversed(models) if (section := section_for(model, gallery)) is not None
            }
            if not fitting:
                spaces = [section.feature_space for section in gallery.sections]
                for model in models:
                    if replaces(model.feature_space, spaces):
                        model.check_gallery(gallery)  # which says so
                names, first = ", ".join(model.name for model in models), to_give(models[0].name)
                raise GalleryError(
                    f"a gallery for {serves(gallery)} fits none of {names}",
                    f"leave --model out, or make one: edgesr gallery build PHOTOS -m {first} -o GALLERY",
                )
            networks += [Network(fitting[section], gallery) for section in sorted(fitting)]
        for model in models:
            if any(network.model is model for network in networks):
                continue
            served = [network.model.name for network in networks if section_for(model, network.gallery) is not None]
            if served:
                raise UsageError(
                    f"one network serves a gallery, and {served[0]} and {model.name} are both named for it",
                    "name one of them: --model",
                )
            every = " ".join(f"-m {to_give(one.name)}" for one in models)
            raise GalleryError(
                f"no gallery fits {model.name}",
                f"edgesr gallery build PHOTOS {every} -o GALLERY makes one that fits all",
            )
    of_size: dict[int, Network] = {}
    for network in networks:
        other = of_size.setdefault(network.lr_size, network)
        if other is network:
            continue
        if network.gallery is not None and other.model.name == network.model.name:
            what = f"two galleries have features of {network.model.name}, and a face is restored with one"
            raise UsageError(what, "give one of them, or build one of all photos: edgesr gallery add")
        what = f"{other.model.name} and {network.model.name} are both for faces of {network.lr_size} pixels"
        raise UsageError(what, "several networks are for faces of several sizes: name one of them")
    return sorted(networks, key=lambda network: network.lr_size)


def serves(gallery: Gallery) -> str:
    """What a gallery's sections are for: shipped networks by name, others by feature space, scale and LR size."""
    from edgesr.models.shipped import shipped_for

    found = [shipped_for(*section.key) or "{}, x{}, {} px".format(*section.key) for section in gallery.sections]
    return " and ".join(dict.fromkeys(found))


def section_for(model: Model, gallery: Gallery | None) -> int | None:
    """The section that the gallery has for the network, if any; no gallery has none."""
    if gallery is None:
        return None
    ours = (model.feature_space, model.interface.scale, model.interface.lr_size)
    return next((i for i, section in enumerate(gallery.sections) if section.key == ours), None)


def network_for(side: int, networks: Sequence[Network]) -> tuple[Network | None, str]:
    """The network for a face of ``side`` pixels, and why: a sentence for the user."""
    by_size = sorted(networks, key=lambda network: network.lr_size)
    smallest, largest = by_size[0].lr_size, by_size[-1].lr_size
    most = min(math.floor(MOST * largest), LARGEST)
    if side > most:
        return None, f"large enough: {side} px, and up to {most} px gain"
    if side < LEAST * smallest:
        return None, f"too small: {side} px, and {math.ceil(LEAST * smallest)} px are needed"
    chosen = max(
        (network for network in by_size if network.lr_size * DOWN_FROM <= side),
        key=lambda network: network.lr_size,
        default=by_size[0],
    )
    return chosen, f"{side} px, restored by {chosen.model.name}"


def factor_for(
    sides: Sequence[tuple[int, int]], size: tuple[int, int], megapixels: float = MOST_MEGAPIXELS
) -> tuple[int, bool]:
    """How many times larger the output is, and whether ``megapixels`` kept it from being what the faces need.

    ``sides``: of each restored face, in the photo and restored; ``size`` of the photo. The smallest factor at which
    every face shows ``SHOWN`` of its restored pixels a side, at most 4.
    """
    wanted = 1
    for side, restored in sides:
        wanted = max(wanted, next((f for f in FACTORS if f * side >= SHOWN * restored), FACTORS[-1]))
    factor = wanted
    while factor > 1 and size[0] * size[1] * factor**2 > megapixels * 1e6:
        factor -= 1
    return factor, factor < wanted
