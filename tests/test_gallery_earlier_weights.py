"""Galleries of weights that shipped once under a name that has others now."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import edgesr
from edgesr.cli.gallery import sections_of
from edgesr.enhance.run import open_networks
from edgesr.errors import GalleryError
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Gallery
from edgesr.gallery.network import built_anew, networks_of, rebuild_hint
from edgesr.models.shipped import EARLIER_SPACES, PHOTO_NETWORKS, shipped_networks

ANEW = "edgesr gallery build PHOTOS -o me.gallery --force"
ONCE = "hime-small-x4-photo-7f6ea486a240"
CURRENT = "hime-small-x4-photo"


def gallery(space: str, *others: str) -> Gallery:
    """Its first section is of that feature space, as a gallery of ``hime-small-x4-photo`` has it otherwise."""
    whole = empty_gallery([edgesr.load(name) for name in ("hime-small-x4-photo", *others)])
    first, *rest = sorted(whole.sections, key=lambda one: "hime-small-x4-photo" not in one.feature_space)
    return dataclasses.replace(whole, sections=(dataclasses.replace(first, feature_space=space), *rest))


def test_no_network_that_ships_is_of_earlier_weights() -> None:
    assert not {*EARLIER_SPACES} & {one.feature_space for one in shipped_networks()}


def test_what_is_served_still_is_and_the_rest_is_restored_without_exemplars() -> None:
    old = gallery(ONCE, "hime-small-x8-photo")
    assert networks_of(old) == ["hime-small-x8-photo"]
    assert [(network.model.name, network.gallery is old) for network in open_networks([old], [])] == [
        ("hime-small-x8-photo", True),
        ("hime-small-x4-photo", False),
    ]
    assert rebuild_hint(old, Path("me.gallery")) == (
        "me.gallery was built with earlier weights of hime-small-x4-photo, and what it holds for them serves no "
        f"longer; to build it anew: {ANEW}"
    )


def test_inspect_tells_of_which_network() -> None:
    told = [(one["network"], one["earlier_weights_of"]) for one in sections_of(gallery(ONCE, "hime-small-x8-photo"))]
    assert told == [(None, "hime-small-x4-photo"), ("hime-small-x8-photo", None)]


def test_where_nothing_is_served_the_file_is_named() -> None:
    with pytest.raises(
        GalleryError, match=rf"me\.gallery was built with earlier weights of hime-small-x4-photo .*{ANEW}"
    ):
        networks_of(gallery(ONCE), Path("me.gallery"))


@pytest.mark.parametrize("name", ["hime-small-x4-photo", "hime-small-x4-photo-int8"])
def test_named_all_the_same_the_network_says_so(name: str) -> None:
    for old in (gallery(ONCE), gallery(ONCE, "hime-small-x8-photo")):
        with pytest.raises(GalleryError, match=r"built with earlier weights of hime-small-x4-photo .*build it again"):
            edgesr.load(name).check_gallery(old)
        with pytest.raises(GalleryError, match=r"built with earlier weights of hime-small-x4-photo .*build it again"):
            open_networks([old], [name])


def test_a_network_of_the_users_own_by_a_shipped_name_is_none_of_earlier_weights() -> None:
    own = gallery("hime-small-x4-photo-0123456789ab")
    with pytest.raises(GalleryError, match=r"no shipped network takes .*name the network it was built with"):
        networks_of(own)
    assert rebuild_hint(gallery("hime-small-x4-photo-0123456789ab", "hime-small-x8-photo"), Path("me.gallery")) is None


LARGE = "hime-large-x4-photo-9d509109fa5f"


@pytest.mark.parametrize(
    ("spaces", "others", "models"),
    [
        ((LARGE,), ("hime-small-x8-photo",), " -m hime-small-x8-photo -m hime-large-x4-photo"),
        ((LARGE,), (), " -m hime-large-x4-photo"),
        ((LARGE, "hime-small-x4-photo"), (), ""),  # one a size of face: those two are for the same
        ((ONCE,), ("hime-small-x8-photo",), ""),
        (("hime-small-x4-0a8e4dd1ac7c",), ("hime-small-x8",), ""),  # a default of before
        (("hime-small-x8-b71718170aea",), (), " -m hime-small-x8"),
        ((LARGE,), ("mine",), " -m hime-large-x4-photo -m NETWORK-OF-mine-0123456789ab"),
    ],
)
def test_the_command_is_for_the_networks_that_the_gallery_was_for(
    spaces: tuple[str, ...], others: tuple[str, ...], models: str
) -> None:
    known = {one.name: one.feature_space for one in shipped_networks()} | {"mine": "mine-0123456789ab"}
    first = gallery(ONCE).sections[0]
    sections = [dataclasses.replace(first, feature_space=known.get(space, space)) for space in spaces]
    for name in others:
        like = empty_gallery([edgesr.load("hime-small-x8-photo")]).sections[0]
        sections.append(dataclasses.replace(like, feature_space=known[name]))
    old = dataclasses.replace(gallery(ONCE), sections=tuple(sections))
    assert built_anew(old, Path("my photos/me.gallery")) == (
        f"edgesr gallery build PHOTOS{models} -o 'my photos/me.gallery' --force"
    )
    named = [name for name in models.split(" -m ") if name and "NETWORK-OF" not in name]
    taken = [network.model.name for network in open_networks([], named)]  # refuses two for one size of face
    assert sorted(taken) == sorted(named or PHOTO_NETWORKS)


def test_a_network_that_is_named_is_built_for_before_what_serves_its_size() -> None:
    both = dataclasses.replace(
        gallery(LARGE), sections=(*gallery(LARGE).sections, *empty_gallery([edgesr.load(CURRENT)]).sections)
    )
    assert " -m hime-large-x4-photo -o GALLERY" in built_anew(both, None, "hime-large-x4-photo")
