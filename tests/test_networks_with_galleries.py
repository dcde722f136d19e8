"""HIME-large and PWAve with galleries as users build them; and a gallery of another network, which is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from network_galleries import sample_gallery
from PIL import Image
from scenes import SIDE, Place, compose

import edgesr
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_IO, EXIT_OK, GalleryError
from edgesr.evaluation.methods import degrade
from edgesr.gallery.format import read_gallery, write_gallery

NETWORKS = ("large_checkpoint", "pwave_checkpoint")


@pytest.fixture
def face(tmp_path: Path) -> Path:
    """An aligned tiny face of 8 pixels."""
    Image.fromarray(degrade(sample_faces(32)[0].target, 4)).save(tmp_path / "tiny.png")
    return tmp_path / "tiny.png"


@pytest.mark.faces
@pytest.mark.usefixtures("yunet")
@pytest.mark.parametrize("network", NETWORKS)
def test_a_gallery_of_photos_is_built_and_restored_from(
    network: str, face: Path, call: Call, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    checkpoint: Path = request.getfixturevalue(network)
    model = edgesr.load(checkpoint)
    (tmp_path / "photos").mkdir()
    for name, photo in (("a", sample_faces(SIDE)[0].exemplar), ("b", sample_faces(SIDE)[0].target)):
        whole = compose((640, 480), [(photo, Place((320, 240), 260.0, 0.05))])
        Image.fromarray(whole).save(tmp_path / "photos" / f"{name}.png")
    gallery = tmp_path / "me.gallery"
    build = ("gallery", "build", tmp_path / "photos", "-m", checkpoint, "-o", gallery, "--no-embeddings")
    assert call(*build)[0] == EXIT_OK
    code, said, _ = call("gallery", "inspect", gallery, "--model", checkpoint)
    assert (code, said["fits"], said["entries"]) == (EXIT_OK, True, 2)
    assert said["sections"][0]["maps"] == {
        one.name: [one.size, one.size, one.channels] for one in model.interface.feature_maps
    }
    restored = {}
    given: dict[str, tuple[str | Path, ...]] = {"with": ("--gallery", gallery), "without": ()}
    for name, words in given.items():
        code, said, _ = call("restore", face, "-m", checkpoint, *words, "-o", tmp_path / f"{name}.png")
        assert code == EXIT_OK, said
        restored[name] = np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int)
    assert restored["with"].shape == (32, 32, 3)
    assert np.abs(restored["with"] - restored["without"]).max() > 1, "the exemplars show"
    stored = read_gallery(gallery)
    sr, weights = model.restore(np.asarray(Image.open(face)), stored)
    assert np.abs(sr.astype(int) - restored["with"]).max() <= 1
    assert (len(weights), weights.max() > 0) == (2, True)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_stored_restores_as_what_is_encoded(network: str, face: Path, request: pytest.FixtureRequest) -> None:
    """To int8's rounding: its steps reach the values."""
    model = edgesr.load(request.getfixturevalue(network))
    lr = np.asarray(Image.open(face))
    stored, _ = model.restore(lr, model.features_of(sample_gallery(model), [0, 1]))
    direct, _ = model.restore(lr, model.encode([one.exemplar for one in sample_faces(32)[:2]]))
    swapped, _ = model.restore(lr, model.encode([one.exemplar for one in sample_faces(32)[2:4]]))
    rounded = np.abs(stored.astype(int) - direct).mean()
    assert rounded < 0.25 * np.abs(swapped.astype(int) - direct).mean(), "rounding is less than another person"


@pytest.mark.parametrize("network", NETWORKS)
def test_a_gallery_of_hime_small_is_refused_by_name(
    network: str, tiny_checkpoint: Path, face: Path, call: Call, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    checkpoint: Path = request.getfixturevalue(network)
    model, small = edgesr.load(checkpoint), edgesr.load(tiny_checkpoint)
    write_gallery(tmp_path / "small.gallery", sample_gallery(small))
    with pytest.raises(GalleryError) as refused:
        model.check_gallery(read_gallery(tmp_path / "small.gallery"))
    assert small.feature_space is not None
    assert small.feature_space in refused.value.what
    assert f"{model.name} is of {model.feature_space}" in refused.value.what
    code, said, log = call(
        "restore", face, "-m", checkpoint, "--gallery", tmp_path / "small.gallery", "-o", tmp_path / "out.png"
    )
    assert code == EXIT_IO
    assert small.feature_space in said["error"]
    assert "Traceback" not in log
    assert not (tmp_path / "out.png").exists()
