"""``enhance`` with its real parts: the shipped network and the face detector, on photos whose faces are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import Place, faces
from whole_photos import composed, gallery_of

import edgesr
from edgesr.data.samples import sample_faces
from edgesr.enhance import Enhancer, Photo, enhance_photo
from edgesr.enhance.faces import find_faces
from edgesr.enhance.paste import upscale
from edgesr.enhance.run import open_networks
from edgesr.evaluation.metrics import psnr
from edgesr.faces.alignment import align
from edgesr.faces.detection import FaceDetector
from edgesr.images.imaging import resize_bicubic


@pytest.mark.faces
def test_tiny_faces_of_a_large_photo_are_found(yunet: Path) -> None:
    places = [
        Place((300, 200), 45.0, 0.1),
        Place((1250, 650), 26.0),
        Place((700, 400), 300.0),
        Place((150, 600), 33.0),
    ]
    photo = composed((1400, 750), list(zip(faces(), places, strict=False)), fine=2)
    found = find_faces(photo, FaceDetector(yunet))
    assert len(found) == len(places), "each once"
    for place in places:
        nearest = min(found, key=lambda face: np.hypot(*np.subtract(face.alignment.centre, place.centre)))
        assert np.hypot(*np.subtract(nearest.alignment.centre, place.centre)) < 0.08 * place.side
        assert nearest.alignment.side == pytest.approx(place.side, rel=0.15)


@pytest.mark.faces
def test_the_shipped_network_restores_a_face_in_a_photo(yunet: Path) -> None:
    """The whole way with real parts: the face in the photo comes closer to the original than bicubic, by decibels."""
    face = sample_faces(256)[0]
    place = Place((110.0, 90.0), 32.0)
    photo = composed((220, 180), [(face.target, place)])
    model = edgesr.load(edgesr.DEFAULT_CHECKPOINT)
    network = open_networks([gallery_of(model, [resize_bicubic(face.exemplar, 128, 128)])], [model])[0]
    done = Enhancer([network], FaceDetector(yunet)).enhance(Photo(photo.copy()))
    assert done.factor == 3
    truth = composed((660, 540), [(face.target, Place((330.0, 270.0), 96.0))])
    middle = np.s_[240:310, 295:365]
    bicubic = upscale(photo, 3)
    assert psnr(done.image[middle], truth[middle]) > psnr(bicubic[middle], truth[middle]) + 1
    assert abs((done.image[middle].astype(float) - truth[middle]).mean()) < 2, "no colour cast"


@pytest.mark.faces
def test_a_real_photo_from_its_own_sharp_face(yunet: Path) -> None:
    """Eileen Collins (NASA, public domain), scaled down, with her own sharp face as gallery: the plumbing, no claim."""
    data = pytest.importorskip("skimage.data")
    sharp = np.ascontiguousarray(data.astronaut())
    detector = FaceDetector(yunet)
    face = find_faces(sharp, detector, tiny=False)[0]
    factor = max(1, round(face.alignment.side / 40))
    photo = resize_bicubic(sharp, 512 // factor, 512 // factor)
    model = edgesr.load("hime-small-x4")
    from edgesr.faces.alignment import crop_face

    own = gallery_of(model, [crop_face(sharp, face.alignment, 128)])
    done = enhance_photo(photo, own, model=model, detector=detector, upscale=factor if factor <= 4 else 4)
    assert sum(f.restored for f in done.faces) == 1
    restored = next(f for f in done.faces if f.restored)
    truth = crop_face(sharp, align(restored.face.landmarks * 512 / photo.shape[0]), 128)
    assert restored.sr is not None
    assert restored.before is not None
    assert psnr(restored.sr, truth) > psnr(restored.before, truth) + 1
