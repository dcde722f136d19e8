"""Photos for the photo booths' tests, composed of the sample faces (London set, CC-BY 4.0), and what Python makes of
them: the Kotlin core and the TypeScript core are tested against the same vectors."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import edgesr
from edgesr.data.samples import FOLDER, sample_faces
from edgesr.enhance.detail import keep_own_detail
from edgesr.enhance.faces import lr_crop, native_crop
from edgesr.enhance.paste import paste
from edgesr.faces.alignment import crop_face, transform
from edgesr.faces.descriptor import LUMINANCE, Descriptor, describe
from edgesr.faces.detection import FaceDetector
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.choice import choose
from edgesr.gallery.format import Entry, read_gallery, write_gallery
from edgesr.gallery.quality import SIDE, duplicates, face_difference, fingerprint, judge
from edgesr.images.imaging import Pixels, read_image
from edgesr.layers.bicubic import bicubic_downsample

REPOSITORY = FOLDER.parent.parent
PERSON = "london_0027"
SMALL = 40
"""Side in pixels of the tiny face's crop in the photo of one person, of networks of at most 32 pixels."""

COPY = "copy-0027_1.jpg"
"""The person's portrait, stored smaller and compressed more."""


def write(folder: Path, bundles: dict[str, Path]) -> None:
    """Everything the tests read, into ``folder``; ``bundles`` to restore with, by the names that tests call them."""
    photos = folder / "photos"
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(parents=True)
    lr_size = max(json.loads((bundle / "manifest.json").read_text())["lr_size"] for bundle in bundles.values())
    # Of a network of 64 pixels the face is larger, so that it gains; still too small to be learned from.
    make_photos(photos, max(SMALL, 25 * lr_size // 32))
    detector = FaceDetector()
    vectors: dict[str, Any] = {
        "alignment": alignment_example(),
        "bicubic": bicubic_example(),
        "photos": {
            p.name: looked_at(p, detector) for p in sorted(photos.glob("*.jpg")) if not p.name.startswith("no-")
        },
        "choices": choices(),
        "duplicates": duplicates_example(detector),
    }
    for name, bundle in bundles.items():
        vectors[f"restored-{name}"] = restored(folder, photos / "small.jpg", detector, bundle, name)
    (folder / "vectors.json").write_text(json.dumps(vectors))


def make_photos(folder: Path, small: int = SMALL) -> None:
    """JPEGs as a phone would give them: sharp portraits, a tiny face, a group of ten, none, turned, huge, no image."""
    for path in sorted(FOLDER.glob("*.jpg")):
        shutil.copy(path, folder / path.name.replace("london_", "portrait-"))
    smiling = read_image(FOLDER / f"{PERSON}_2.jpg")
    save(scene([smiling], small, (150, 200)), folder / "small.jpg")
    everyone = [face.target for face in sample_faces(256)] + [face.exemplar for face in sample_faces(256)][:4]
    save(scene(everyone, 64, (640, 200)), folder / "ten.jpg")
    save(
        np.broadcast_to(np.linspace(90, 200, 320)[:, None, None], (320, 240, 3)).astype(np.uint8),
        folder / "no-face.jpg",
    )
    turned = Image.fromarray(np.rot90(read_image(FOLDER / f"{PERSON}_1.jpg"), 1).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by a quarter
    turned.save(folder / "turned.jpg", quality=95, exif=exif)
    stored_again = Image.fromarray(read_image(FOLDER / f"{PERSON}_1.jpg")).resize((180, 180), Image.Resampling.BICUBIC)
    stored_again.save(folder / COPY, quality=70)
    dark = (read_image(FOLDER / "london_0042_1.jpg") * 0.12).astype(np.uint8)
    save(dark, folder / "no-dark.jpg")
    blurred = Image.fromarray(read_image(FOLDER / "london_0036_1.jpg")).resize((28, 28)).resize((256, 256))
    save(np.asarray(blurred), folder / "no-blurred.jpg")
    Image.new("L", (10000, 10000), 120).save(folder / "no-huge.jpg", quality=20)
    Image.new("L", (12000, 12000), 120).save(folder / "no-too-large.jpg", quality=20)
    (folder / "no-image.jpg").write_bytes(b"this is a text and no photo\n" * 20)


def scene(faces: list[Pixels], side: int, size: tuple[int, int]) -> Pixels:
    """Faces side by side before the wall that they were photographed before, cut off below as in a photo."""
    width, height = size
    small = [np.asarray(Image.fromarray(face).resize((side, side), Image.Resampling.LANCZOS)) for face in faces]
    row = np.concatenate(small, axis=1).astype(np.float64)
    left = (width - row.shape[1]) // 2
    row = np.pad(row, ((0, 0), (left, width - row.shape[1] - left), (0, 0)), mode="edge")
    wall = np.repeat(row[:1] * 0 + row[0].mean(0), height - side, axis=0)
    fade = np.linspace(0, 1, height - side)[:, None, None] ** 2
    picture = np.concatenate([wall * (1 - fade) + row[:1] * fade, row])
    noise = np.random.default_rng(7).normal(0, 1.2, picture.shape[:2])[..., None]
    return (picture + noise).clip(0, 255).astype(np.uint8)


def save(picture: Pixels, path: Path) -> None:
    Image.fromarray(picture).save(path, quality=95)


def alignment_example() -> dict[str, Any]:
    """The example at the end of docs/alignment.md."""
    text = (REPOSITORY / "docs" / "alignment.md").read_text()
    return dict(json.loads(text.rpartition("```json")[2].partition("```")[0]))


def bicubic_example() -> dict[str, Any]:
    """A face scaled down by 4 as the networks' training does it."""
    face = sample_faces(128)[2].exemplar
    unit = torch.from_numpy(face.copy()).permute(2, 0, 1)[None].float() / 255
    small = (bicubic_downsample(unit, 4)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return {"in": face.reshape(-1).tolist(), "out": small.reshape(-1).tolist()}


def looked_at(path: Path, detector: FaceDetector) -> dict[str, Any]:
    """Faces, refined landmarks, and what follows from them for the largest."""
    photo = read_image(path)
    faces = detector.detect(photo)
    face = detector.refine(photo, faces[0])
    crop = crop_face(photo, face.alignment, 128)
    landmarks = transform(face.alignment.crop_from_photo(128), face.landmarks)
    quality = judge(crop, landmarks, face.alignment.side)
    return {
        "size": [photo.shape[1], photo.shape[0]],
        "detected": [{"box": list(f.box), "landmarks": f.landmarks.tolist(), "score": f.score} for f in faces],
        "refined": face.landmarks.tolist(),
        "crop_sha256": hashlib.sha256(crop.tobytes()).hexdigest(),
        "crop": crop.reshape(-1).tolist(),
        "fingerprint": fingerprint(photo).tolist(),
        "crop_fingerprint": fingerprint(crop).tolist(),
        "crop_landmarks": landmarks.tolist(),
        "quality": {**dataclasses.asdict(quality), "reasons": len(quality.reasons)},
        "descriptor": describe(crop, landmarks).tolist(),
    }


def duplicates_example(detector: FaceDetector) -> list[dict[str, Any]]:
    """Pairs of descriptors of photos, and whether they show one: a portrait and its copy, or two of a session."""

    def described(photo: Pixels) -> Descriptor:
        face = detector.refine(photo, detector.detect(photo)[0])
        return describe(crop_face(photo, face.alignment, 128), None)

    pairs = []
    for path in sorted(FOLDER.glob("*_1.jpg")):
        photo = read_image(path)
        encoded = io.BytesIO()
        Image.fromarray(photo).save(encoded, "JPEG", quality=40)
        copy = np.asarray(Image.open(encoded, formats=("JPEG",)).convert("RGB"))
        other = read_image(path.with_name(path.name.replace("_1.", "_2.")))
        one = described(photo)
        for two in (described(copy), described(other)):
            off = face_difference(one[LUMINANCE].astype(np.float64), two[LUMINANCE].astype(np.float64))
            pairs.append(
                {"one": one.tolist(), "other": two.tolist(), "difference": off, "same": duplicates([one, two])[1] == 0}
            )
    return pairs


def choices() -> list[dict[str, Any]]:
    """For the committed gallery: queries, and whom Python chooses."""
    name = "hime-small-x4-int8.gallery"
    gallery = read_gallery(REPOSITORY / "tests" / "data" / "galleries" / name)
    found = []
    faces = sample_faces(32)
    made = [describe(face.target, None) for face in faces] + [entry.descriptor for entry in gallery.entries]
    everyone = [describe(face.exemplar, None) for face in faces]
    landmarks = np.array([[12.1, 15.0], [19.9, 15.2], [16.2, 19.7], [12.6, 23.3], [19.3, 23.2]])
    everyone += [describe(face.target, landmarks + i / 9) for i, face in enumerate(faces)]
    sharpness = [0.3 + 0.05 * (7 * i % 11) for i in range(len(everyone))]
    for query in made:
        found.append(
            {
                "query": query.tolist(),
                "chosen": choose(np.stack(everyone), query, 5, sharpness),
                "without_sharpness": choose(np.stack(everyone), query, 5),
            }
        )
    return [{"gallery": [d.tolist() for d in everyone], "sharpness": sharpness, "queries": found}]


def restored(folder: Path, photo_file: Path, detector: FaceDetector, bundle: Path, name: str) -> dict[str, Any]:
    """The tiny face of a photo restored with the person's sharp portrait, from file to pixels."""
    model = edgesr.load(bundle)
    config = model.config
    portrait = read_image(FOLDER / f"{PERSON}_1.jpg")
    face = detector.refine(portrait, detector.detect(portrait)[0])
    crop = crop_face(portrait, face.alignment, config.hr_size)
    seen = crop_face(portrait, face.alignment, SIDE)
    landmarks = transform(face.alignment.crop_from_photo(SIDE), face.landmarks)
    quality = judge(seen, landmarks, face.alignment.side)
    blank = empty_gallery([model], "int8")
    content = (FOLDER / f"{PERSON}_1.jpg").read_bytes()
    entry = Entry(
        features=(blank.sections[0].pack([model.encode([crop])[0]]),),
        descriptor=describe(seen, landmarks),
        photo_sha256=hashlib.sha256(content).hexdigest(),
        quality={"sharpness": quality.sharpness, "size_px": quality.size_px, "exposure": quality.exposure},
        pose={"yaw_deg": quality.yaw_deg, "pitch_deg": quality.pitch_deg, "roll_deg": quality.roll_deg},
    )
    gallery = blank.replace(entries=(entry,))
    write_gallery(folder / f"python-{name}.gallery", gallery)
    photo = read_image(photo_file)
    tiny = detector.refine(photo, detector.detect(photo)[0])
    native = native_crop(photo, tiny)
    lr = lr_crop(native, config.lr_size)
    sr, weights = model.restore(lr, gallery)
    pasted = photo.copy()
    paste(pasted, sr, tiny.alignment)
    return {
        "native": native.reshape(-1).tolist(),
        "detailed": keep_own_detail(sr, native, config.lr_size).reshape(-1).tolist(),
        "pasted": pasted.reshape(-1).tolist(),
        "lr": lr.reshape(-1).tolist(),
        "sr": sr.reshape(-1).tolist(),
        "weights": np.asarray(weights).reshape(-1).astype(float).round(6).tolist(),
        "landmarks": tiny.landmarks.tolist(),
    }
