"""Whole photos end to end: a person far away, a gallery of the person's other photos, ``enhance``, and the original.

    python benchmarks/far_faces.py PHOTOS FACES --split val --sides 32 48 64 96

Each photo is made smaller as a phone further away would have taken it, so that the face's aligned square has the side
asked for: blur and reduction in linear light, Bayer mosaic, noise, demosaicing, denoising, sharpening, JPEG, all over
the whole photo, with strengths drawn by its name. So many (``--exemplars``) of the person's other photos, those that
``eval_list.csv`` pairs with it first, become a gallery; the photo is found, restored and pasted by ``enhance``, and its
face is cropped at the original's landmarks.

A line of JSON for each side and way: PSNR on 128-pixel crops, distance to the original (dlib), verified (mean distance
to the exemplars below what 1 % of other people's sharp photos pass), and for a wrong person's gallery how many pass
as that person. ``as enhance`` is what ships, without a judge of whose face it is; the other ways leave out one of its
rules, or have another. ``--judge``: galleries hold embeddings (dlib) and ``enhance`` asks whose face it is, as a user's
run does; ``used`` is then the share of faces that got the gallery, and ``no gallery`` what comes of them without one.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from exemplar_count import KNOWN_BY, photos_of

import edgesr
from edgesr.data.camera import CameraDegradation
from edgesr.data.faces import EvalPair, read_eval_list
from edgesr.data.optics import resize
from edgesr.enhance import run
from edgesr.enhance.detail import band, keep_own_detail, resize_planes
from edgesr.enhance.faces import find_faces
from edgesr.enhance.judge import EmbeddingJudge
from edgesr.enhance.paste import scaled
from edgesr.enhance.photo import Photo
from edgesr.enhance.regions import Network
from edgesr.enhance.run import Enhanced, Enhancer, Settings
from edgesr.evaluation.metrics import over_people, psnr
from edgesr.evaluation.verification import Verification
from edgesr.faces.alignment import Alignment, align, crop_face
from edgesr.faces.detection import open_detector
from edgesr.faces.face import Detector, Face
from edgesr.faces.identity import DlibEmbedder, IdentityMeter
from edgesr.files.atomic import file_aside
from edgesr.gallery.build import Vector, embed, empty_gallery, encode_entries
from edgesr.gallery.format import Gallery
from edgesr.gallery.photos import Candidate, look
from edgesr.images.contact_sheet import SheetRow, contact_sheet
from edgesr.images.imaging import Pixels, read_image

HR = 128
EXEMPLARS = 5
"""Photos in a gallery, unless told otherwise: as many as a photo network restores a face with."""
AROUND = 3.0
"""Only so much of a photo around the face is kept, in sides of its square: detection sees faces and background, and a
photo takes a second instead of ten."""

FAR = CameraDegradation(clean=0, captured=(1.0,), again=(1.0,), codecs=(("jpeg", 1.0),))
"""The camera: what messengers add is left to the crops' degradation."""


@dataclasses.dataclass(frozen=True)
class Original:
    """A photo with its face's landmarks, and the pair of the evaluation list that its crop is the target of."""

    path: Path
    alignment: Alignment
    pair: EvalPair


def originals(photos: Path, faces: Path, split: str) -> list[Original]:
    pairs = {str(pair.target.relative_to(faces / str(HR))): pair for pair in read_eval_list(faces, split, HR)}
    found = []
    with (photos / "photos.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] == split and row["crop"] in pairs:
                points = [[float(row[f"{name}{axis}"]) for axis in "xy"] for name in POINTS]
                found.append(Original(photos / row["file"], align(points), pairs[row["crop"]]))
    return found


POINTS = ("eye0", "eye1", "nose", "mouth0", "mouth1")


def far_photo(original: Original, side: int) -> tuple[Pixels, Alignment]:
    """The photo as taken from further away, uint8, and its face's alignment in it."""
    photo = read_image(original.path)
    (x, y), reach = original.alignment.centre, AROUND * original.alignment.side / 2
    left, top = max(0, round(x - reach)), max(0, round(y - reach))
    part = photo[top : round(y + reach), left : round(x + reach)]
    factor = side / original.alignment.side
    size = (max(1, round(part.shape[0] * factor)), max(1, round(part.shape[1] * factor)))
    random = torch.Generator().manual_seed(zlib.crc32(original.path.name.encode() + original.pair.person.encode()))
    unit = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float() / 255
    light = resize(unit**2.2, size, "bilinear") ** (1 / 2.2)
    small = (FAR(light, 1, random)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    half = (original.alignment.half[0] * factor, original.alignment.half[1] * factor)
    return small, Alignment(((x - left) * factor, (y - top) * factor), half)


def other_photos(one: Original, everything: list[Original], count: int) -> tuple[Path, ...]:
    """Whole photos of the person but this one."""
    by_crop = {other.pair.target: other.path for other in everything}
    return tuple(by_crop[crop] for crop in photos_of(one.pair) if crop in by_crop)[:count]


@functools.cache
def gallery_of(
    model: edgesr.Model, photos: tuple[Path, ...], detector: Detector, judge: EmbeddingJudge | None = None
) -> Gallery:
    """With embeddings for ``judge``, if there is one."""
    empty = empty_gallery([model], embedder=judge.embedder.name if judge else None)
    seen = [one for path in photos if (one := seen_in(path, detector, model.config.hr_size, judge))]
    embeddings = {one.photo_sha256: vectors[one.photo_sha256] for one, vectors in seen} if judge else None
    found = [one for one, _ in seen]
    return dataclasses.replace(empty, entries=encode_entries(found, [model], empty, embeddings=embeddings))


@functools.cache
def seen_in(
    path: Path, detector: Detector, size: int, judge: EmbeddingJudge | None
) -> tuple[Candidate, dict[str, Vector]] | None:
    """A photo's face with its embedding, if the photo is good enough for a gallery: most are in several."""
    found = look(path, detector, size)
    if not isinstance(found, Candidate):
        return None
    return found, embed([found], judge.embedder) if judge else {}


def nearest(faces: list[Face], alignment: Alignment) -> list[Face]:
    """The face that the figures are about, or none."""
    away = [float(np.hypot(*np.subtract(face.alignment.centre, alignment.centre))) for face in faces]
    best = int(np.argmin(away)) if away else 0
    return [faces[best]] if away and away[best] < 0.4 * alignment.side else []


def all_of_it(sr: Pixels, native: Pixels, lr_size: int) -> Pixels:  # noqa: ARG001
    """A whole step of back-projection, SR + up(native - down(SR)): what the photo shows, noise and blocks included."""
    given = sr.astype(np.float32)
    missing = native.astype(np.float32) - resize_planes(given, native.shape[0])
    return np.rint((given + resize_planes(missing, sr.shape[0])).clip(0, 255)).astype(np.uint8)


def unweighted(sr: Pixels, native: Pixels, lr_size: int) -> Pixels:
    """Detail beyond the LR size, however noisy the face is."""
    if native.shape[0] <= lr_size:
        return sr
    given = sr.astype(np.float32)
    missing = band(native.astype(np.float32) - resize_planes(given, native.shape[0]), lr_size)
    return np.rint((given + resize_planes(missing, sr.shape[0])).clip(0, 255)).astype(np.uint8)


RULES: dict[str, Any] = {
    "as enhance": keep_own_detail,
    "own detail left out": lambda sr, *_: sr,
    "own detail whatever its noise": unweighted,
    "all of the photo put back": all_of_it,
}


def ways(
    names: list[str],
    photo: Photo,
    face: list[Face],
    network: Network,
    detector: Detector,
    judge: EmbeddingJudge | None = None,
) -> Iterator[tuple[str, Enhanced]]:
    """Name and output of each way that is compared."""
    for name in names:
        run.keep_own_detail = RULES[name]
        enhancer = Enhancer([network], detector, judge=judge)
        yield name, enhancer.enhance(photo.replace(pixels=photo.pixels.copy()), face)


def measure_side(
    everything: list[Original],
    every: int,
    side: int,
    model: edgesr.Model,
    detector: Detector,
    names: list[str],
    exemplars: int,
    verification: Verification,
    judge: EmbeddingJudge | None,
) -> Iterator[dict]:
    meter = verification.meter
    first = {one.pair.person: one for one in reversed(everything)}
    people = sorted(first)

    def network(one: Original) -> Network:
        """With a gallery of the person's other photos."""
        return Network(model, gallery_of(model, other_photos(one, everything, exemplars), detector, judge))

    rows: dict[str, dict[str, list[float]]] = {}
    named: dict[str, list[str]] = {}

    def note(
        way: str, one: Original, crop: Pixels, truth: Pixels, wrong: str | None = None, used: float | None = None
    ) -> None:
        vector = meter.vector(crop, truth)
        row = rows.setdefault(way, {})
        figures = {
            "psnr": psnr(crop, truth),
            "distance": float(np.linalg.norm(vector - meter.vector(truth, truth))),
            "verified": verification.passes(vector, one.pair.exemplars),
        }
        if wrong:
            figures["verified_as_wrong"] = verification.passes(vector, first[wrong].pair.exemplars)
        if used is not None:
            figures["used"] = used
        for name, value in figures.items():
            row.setdefault(name, []).append(value)
        named.setdefault(way, []).append(one.pair.person)

    for one in everything[::every]:
        truth = read_image(one.pair.target)
        small, alignment = far_photo(one, side)
        photo = Photo(small)
        face = nearest(find_faces(small, detector), alignment)
        before = crop_face(small, alignment, HR)
        note("bicubic", one, before, truth)
        wrong = people[(people.index(one.pair.person) + 1) % len(people)]
        shown = [("", network(one)), (", wrong person", network(first[wrong]))]
        if judge:
            shown.append((", no gallery", Network(model)))
        for whose, with_gallery in shown:
            for way, done in ways(names, photo, face, with_gallery, detector, judge):
                crop = crop_face(done.image, scaled(alignment, done.factor), HR)
                used = float(any(made.exemplars for made in done.faces)) if judge and with_gallery.gallery else None
                note(way + whose, one, crop, truth, wrong if whose else None, used)
        rows.setdefault("found", {}).setdefault("found", []).append(float(bool(face)))
        named.setdefault("found", []).append(one.pair.person)
    for way, figures in rows.items():
        row: dict[str, object] = {"side": side, "network": model.name, "way": way, "photos": len(named[way])}
        for name, values in figures.items():
            interval = over_people(values, named[way])
            row[name] = [round(value, 4) for value in (interval.mean, interval.low, interval.high)]
        yield row


COLUMNS = ("exemplar", "as it was", "enhanced", "with --grain", "original")
SHOWN = 192
PEOPLE = 3


def draw(everything: list[Original], sides: list[int], model: edgesr.Model, detector: Detector, output: Path) -> None:
    """Before and after: the faces of a few people at each side, as they lie in their photos."""
    rows = []
    first = {one.pair.person: one for one in reversed(everything)}
    by_crop = {one.pair.target: one for one in everything}
    for person in sorted(first)[:PEOPLE]:
        one = first[person]
        shown = by_crop[one.pair.exemplars[0]]
        network = Network(model, gallery_of(model, (shown.path,), detector))
        exemplar, truth = (crop_face(read_image(x.path), x.alignment, SHOWN) for x in (shown, one))
        for side in sides:
            small, alignment = far_photo(one, side)
            face = nearest(find_faces(small, detector), alignment)
            made = [(crop_face(small, alignment, SHOWN), f"{side} px")]
            for grain in (False, True):
                done = Enhancer([network], detector, Settings(grain=grain)).enhance(Photo(small.copy()), face)
                made.append((crop_face(done.image, scaled(alignment, done.factor), SHOWN), ""))
            rows.append(SheetRow(f"{side} px", [(exemplar, ""), *made, (truth, "")]))
    with file_aside(output) as aside:
        contact_sheet(COLUMNS, rows, SHOWN).save(aside, "JPEG", quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--split", default="val", help="val to choose, test to report")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 48, 64, 96])
    parser.add_argument("--model", default=edgesr.DEFAULT_CHECKPOINT)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    parser.add_argument("--ways", nargs="+", default=list(RULES), choices=list(RULES), help="those to compare")
    parser.add_argument("--exemplars", type=int, default=EXEMPLARS, help="photos in a gallery")
    parser.add_argument("--judge", action="store_true", help="galleries hold embeddings, which say whose face it is")
    parser.add_argument("--picture", type=Path, help="draw faces of a few people before and after, instead")
    arguments = parser.parse_args()
    detector, model = open_detector(), edgesr.load(arguments.model)
    everything = originals(arguments.photos, arguments.faces, arguments.split)
    if arguments.picture:
        draw(everything, arguments.sides, model, detector, arguments.picture)
        return
    judge = EmbeddingJudge(DlibEmbedder()) if arguments.judge else None
    verification = Verification(IdentityMeter(DlibEmbedder()), [one.pair for one in everything], KNOWN_BY)
    how = (arguments.ways, arguments.exemplars, verification, judge)
    for side in arguments.sides:
        for row in measure_side(everything, arguments.every, side, model, detector, *how):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
