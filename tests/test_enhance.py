"""Which faces are restored, by what, and how they are put back: on composed photos whose faces are known exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, lively
from PIL import Image
from scenes import Place, faces
from whole_photos import KnownFaces, composed, face_at, gallery_of, outside

import edgesr
from edgesr.api import Model
from edgesr.data.samples import sample_faces
from edgesr.enhance import Enhancer, Network, Photo, Settings, whose
from edgesr.enhance.paste import upscale
from edgesr.enhance.regions import factor_for, network_for, pair_networks
from edgesr.errors import GalleryError, UsageError
from edgesr.faces.face import Face
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.network import rebuild_hint
from edgesr.images.imaging import Pixels
from edgesr.models.shipped import EARLIER_DEFAULTS, EARLIER_PHOTO_NETWORKS, PHOTO_NETWORKS
from edgesr.runtime.torch import TorchRuntime

PLACE = Place((60.0, 50.0), 12.0, 0.2)
"""A face of 12 pixels for a network of 8."""


def tiny_model(lr_size: int = 8, seed: int = 0) -> Model:
    config = TINY.replace(lr_size=lr_size)
    scales = dict.fromkeys(config.feature_parts, 0.1)
    return Model(TorchRuntime(lively(config, seed)), f"tiny-{lr_size}", f"space-{lr_size}", scales)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="module")
def network(model: Model) -> Network:
    return Network(model, gallery_of(model, [face.exemplar for face in sample_faces(32)[:3]]))


@pytest.fixture(scope="module")
def scene() -> Pixels:
    return composed((120, 100), [(faces()[0], PLACE)])


def enhancer(network: Network, *places: Place, **settings: object) -> Enhancer:
    return Enhancer([network], KnownFaces(*map(face_at, places)), Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_outside_the_face_nothing_changes(network: Network, scene: Pixels, factor: int) -> None:
    before = upscale(scene, factor)
    done = enhancer(network, PLACE, upscale=factor).enhance(Photo(scene.copy()))
    assert done.factor == factor
    assert done.faces[0].restored
    beyond = outside(before.shape, PLACE, factor)
    np.testing.assert_array_equal(done.image[beyond], before[beyond])
    assert np.abs(done.image.astype(int) - before)[~beyond].max() > 3, "a face that does not change proves nothing"


def test_strength_0_leaves_the_photo_and_half_lies_halfway(network: Network, scene: Pixels) -> None:
    none, half, full = (
        enhancer(network, PLACE, upscale=1, strength=strength).enhance(Photo(scene.copy())).image.astype(int)
        for strength in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(none, scene)
    assert np.abs(half - (none + full) / 2).max() <= 1


def test_grain_is_as_coarse_as_the_enlarged_photo(network: Network, scene: Pixels) -> None:
    noisy = scene + np.random.default_rng(0).normal(0, 12, scene.shape)
    photo = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    plain, grained = (
        enhancer(network, PLACE, upscale=3, grain=grain).enhance(Photo(photo.copy())).image for grain in (False, True)
    )
    beyond = outside(plain.shape, PLACE, 3)
    np.testing.assert_array_equal(plain[beyond], grained[beyond])
    changed = grained.astype(float) - plain
    assert changed[~beyond].std() > 1
    assert np.abs(np.diff(changed, axis=1)).mean() < 0.8 * np.abs(changed[:, 1:]).mean() * 2


def test_the_network_follows_the_size_of_the_face() -> None:
    small, large = Network(tiny_model(8)), Network(tiny_model(16))
    for side, expected in ((4, None), (5, small), (11, small), (12, large), (48, large), (49, None)):
        chosen, reason = network_for(side, [large, small])
        assert chosen is expected, side
        assert str(side) in reason
    assert "too small" in network_for(4, [small])[1]
    assert "large enough" in network_for(100, [small])[1]


def test_of_the_shipped_networks_each_serves_where_it_was_measured_to() -> None:
    small, usual, large = (Network(tiny_model(size)) for size in (16, 32, 64))
    for side, expected in ((10, small), (23, small), (24, usual), (47, usual), (48, large), (144, large), (145, None)):
        assert network_for(side, [small, usual, large])[0] is expected, side
    assert network_for(39, [large])[0] is large, "where it is alone it serves whatever gains"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (EARLIER_PHOTO_NETWORKS, "me.gallery has nothing for hime-small-lr64-x4-photo, which restores larger faces"),
        (EARLIER_DEFAULTS, "me.gallery was built for hime-small-x4, which goes on serving it"),
        (PHOTO_NETWORKS, None),
        (PHOTO_NETWORKS[:1], None),
    ],
)
def test_a_gallery_of_an_earlier_default_says_how_to_build_it_anew(names: Sequence[str], says: str | None) -> None:
    hint = rebuild_hint(empty_gallery([edgesr.load(name) for name in names]), Path("me.gallery"))
    assert (hint is None) == (says is None)
    if hint is not None:
        assert hint.startswith(says)
        assert hint.endswith("edgesr gallery build PHOTOS -o me.gallery --force")


def test_the_least_factor_that_shows_the_face() -> None:
    size = (4000, 3000)
    for sides, factor in (([], 1), ([(96, 128)], 1), ([(48, 128)], 2), ([(45, 128)], 3), ([(22, 128)], 4)):
        assert factor_for(sides, (400, 300)) == (factor, False)
    assert factor_for([(96, 128), (48, 128)], (400, 300)) == (2, False)
    assert factor_for([(22, 128)], size) == (2, True)
    assert factor_for([(22, 128)], (10000, 10000)) == (1, True)


def test_galleries_meet_their_networks() -> None:
    small, large = tiny_model(8), tiny_model(16)
    galleries = [gallery_of(large, [sample_faces(64)[0].exemplar]), gallery_of(small, [sample_faces(32)[0].exemplar])]
    networks = pair_networks([small, large], galleries)
    assert [(n.lr_size, n.gallery.sections[0].lr_size) for n in networks if n.gallery] == [(8, 8), (16, 16)]
    both = empty_gallery([large, small])
    assert [(n.lr_size, n.gallery is both) for n in pair_networks([small, large], [both])] == [(8, True), (16, True)]
    assert [n.lr_size for n in pair_networks([large], [both])] == [16], "a section may go without its network"
    with pytest.raises(GalleryError, match="fits none of"):
        pair_networks([small], galleries[:1])
    with pytest.raises(GalleryError, match="no gallery fits"):
        pair_networks([small, large], galleries[:1])
    with pytest.raises(UsageError, match="one network serves a gallery"):
        pair_networks([large, tiny_model(16)], galleries[:1])
    with pytest.raises(UsageError, match="tiny-8 and tiny-8 are both for faces of 8 pixels"):
        pair_networks([small, tiny_model(8, seed=1)], [])
    with pytest.raises(UsageError, match="two galleries have features of tiny-8"):
        pair_networks([small, small], [galleries[1], empty_gallery([small])])


@pytest.mark.parametrize(
    ("tells_from", "says", "other"), [(8, "another person's face", True), (48, "too small to tell", None)]
)
def test_a_judged_stranger_is_restored_without_the_gallery(
    network: Network, scene: Pixels, monkeypatch: pytest.MonkeyPatch, tells_from: int, says: str, other: bool | None
) -> None:
    """A small face of the right person is turned away about as often as not: nobody calls it somebody else's."""
    monkeypatch.setattr(whose, "TELLS_FROM", tells_from)
    judged = []

    def stranger(native: Pixels, sr: Pixels, net: Network) -> bool:
        judged.append((native.shape, sr.shape, net.lr_size))
        return True

    finder = KnownFaces(face_at(PLACE))
    plain = Enhancer([Network(network.model)], finder).enhance(Photo(scene.copy()))
    careful = Enhancer([network], finder, judge=stranger).enhance(Photo(scene.copy()))
    editing = Enhancer([network], finder, Settings(allow_other=True), judge=stranger).enhance(Photo(scene.copy()))
    assert judged[0][1:] == ((32, 32, 3), 8)
    np.testing.assert_array_equal(careful.image, plain.image)
    assert careful.faces[0].other is other
    assert careful.faces[0].exemplars == ()
    assert says in careful.faces[0].reason
    assert "without the gallery" in careful.faces[0].reason
    assert not careful.edited
    assert editing.faces[0].exemplars
    assert (editing.edited, editing.faces[0].other) == (True, other)
    trusting = Enhancer([network], finder, Settings(assume_same_person=True), judge=stranger)
    assured = trusting.enhance(Photo(scene.copy()))
    assert bool(assured.faces[0].exemplars) is (other is None), "who is plainly somebody else stays so"
    assert (assured.edited, assured.faces[0].other) == (False, other)


TWO = (PLACE, Place((100.0, 80.0), 12.0))


def pick(index: int | None) -> Callable[[Pixels, Sequence[Face]], int | None]:
    return lambda photo, faces: index


@pytest.mark.parametrize(
    ("ask", "settings", "judge", "served", "says"),
    [
        (None, Settings(), None, [False, False], "cannot be told"),
        (None, Settings(), lambda *_: None, [False, False], "cannot be told"),
        (None, Settings(assume_same_person=True), None, [True, True], "restored by"),
        (None, Settings(allow_other=True), None, [True, True], "restored by"),
        (pick(1), Settings(), None, [False, True], "not the face that was chosen"),
        (pick(None), Settings(), None, [False, False], "not the face that was chosen"),
        (pick(1), Settings(), lambda *_: False, [True, True], "restored by"),
    ],
)
def test_of_several_faces_only_one_that_is_told_gets_the_gallery(
    network: Network, scene: Pixels, ask: Any, settings: Settings, judge: Any, served: list[bool], says: str
) -> None:
    """Without embeddings two strangers in a photo got one person's features."""
    finder = KnownFaces(*map(face_at, TWO))
    done = Enhancer([network], finder, settings, judge, ask).enhance(Photo(scene.copy()))
    assert [bool(face.exemplars) for face in done.faces] == served
    assert all(face.restored for face in done.faces)
    assert says in done.faces[0].reason
    alone = Enhancer([network], KnownFaces(face_at(PLACE)), Settings(), judge, ask).enhance(Photo(scene.copy()))
    assert alone.faces[0].exemplars, "the only face of a photo is the gallery's person"


def test_a_user_is_asked_once_a_photo_and_only_if_it_matters(network: Network, scene: Pixels) -> None:
    asked = []

    def ask(photo: Pixels, faces: Sequence[Face]) -> int:
        asked.append((photo.shape, len(faces)))
        return 0

    finder = KnownFaces(*map(face_at, TWO))
    Enhancer([network], finder, ask=ask).enhance(Photo(scene.copy()))
    assert asked == [(scene.shape, 2)]
    Enhancer([Network(network.model)], finder, ask=ask).enhance(Photo(scene.copy()))
    Enhancer([network], finder, judge=lambda *_: False, ask=ask).enhance(Photo(scene.copy()))  # type: ignore[arg-type]
    assert len(asked) == 1


def test_exemplars_of_the_gallery_are_used_and_said(network: Network, scene: Pixels) -> None:
    done = enhancer(network, PLACE).enhance(Photo(scene.copy()))
    face = done.faces[0]
    assert len(face.exemplars) == TINY.slots
    assert face.weights is not None
    assert face.weights.shape == (TINY.slots, 8, 8)
    assert face.sr is not None
    assert face.sr.shape == (32, 32, 3)
    again = enhancer(network, PLACE).enhance(Photo(scene.copy()))
    np.testing.assert_array_equal(done.image, again.image)


def test_a_photo_without_tiny_faces_is_itself(network: Network, scene: Pixels) -> None:
    for finder in (KnownFaces(), KnownFaces(face_at(Place((60, 50), 90.0)))):
        done = Enhancer([network], finder).enhance(Photo(scene.copy()))
        assert not done.changed
        np.testing.assert_array_equal(done.image, scene)


def test_a_face_at_the_photos_edge(network: Network) -> None:
    places = [Place((2.0, 3.0), 12.0), Place((119.0, 98.0), 12.0)]
    photo = composed((120, 100), [(faces()[0], place) for place in places])
    done = enhancer(network, *places).enhance(Photo(photo.copy()))
    assert [face.restored for face in done.faces] == [True, True]


def test_sixteen_bits_and_grey_are_kept(network: Network, scene: Pixels) -> None:
    deep = scene.astype(np.uint16) * 257 + np.arange(120, dtype=np.uint16)[None, :, None]
    done = enhancer(network, PLACE, upscale=1).enhance(Photo(deep.copy()))
    beyond = outside(deep.shape, PLACE, 1)
    assert done.photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(done.photo.pixels[beyond], deep[beyond])
    assert (done.photo.pixels != deep).any()
    grey = enhancer(network, PLACE, upscale=2).enhance(Photo(scene[..., :1].copy(), alpha=scene[..., 1].copy()))
    assert grey.photo.pixels.shape == (200, 240, 1)
    assert grey.photo.alpha is not None
    assert grey.photo.alpha.shape == (200, 240)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_photo_grows_by_the_one_bicubic_without_seams(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (3000, 16, 3), np.uint8)
    from edgesr.enhance import paste as module

    whole = np.asarray(Image.fromarray(photo).resize((16 * factor, 3000 * factor), Image.Resampling.BICUBIC))
    monkeypatch.setattr(module, "STRIP", 16 * factor * 200)
    np.testing.assert_array_equal(upscale(photo, factor), whole)
