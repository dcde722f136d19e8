"""From a photo to the one face in it, aligned and judged: what a gallery can take, or why it cannot."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgesr.errors import InputOutputError, UnavailableError, UsageError, told
from edgesr.faces.alignment import Alignment, Array, crop_face, transform
from edgesr.faces.descriptor import Descriptor, describe
from edgesr.faces.detection import VIEW_SIDE
from edgesr.faces.face import LONG_SIDE, Detector, Face
from edgesr.files.reading import no_file
from edgesr.gallery.quality import SIDE, Quality, fingerprint, judge
from edgesr.gallery.strict_json import MOST_TEXT
from edgesr.images.imaging import IMAGE_SUFFIXES, Pixels, read_bytes, read_reduced

SEARCHED_AT = LONG_SIDE * 3 // 4
"""A JPEG is decoded to no less than this on its longer side to find faces; the detector looks at no more anyway."""

LEAST_DETAIL = 4 * VIEW_SIDE
"""The face's square is cropped from the photo at full scale, or reduced to no less than so many pixels, four for
each of a crop of 112: what is averaged away here would be averaged away a moment later."""

ALIGNED_OFF, ALIGNED_SIZE, ALIGNED_TURN = 0.05, 0.1, math.radians(6)
"""A square picture is an aligned crop where the face's square is off by no more: two shares of its side, an angle."""

AMBIGUOUS = 0.6
"""A second face at least this many times as wide as the largest: it cannot be told whose photo it is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A photo whose face could become an exemplar. Nothing of the photo itself is kept but the aligned crop."""

    path: Path
    photo_sha256: str
    face: Pixels
    """The aligned crop, uint8 [S, S, 3], S at least the network's hr_size."""
    landmarks: Array
    """[5, 2] in pixels of the crop."""
    quality: Quality
    descriptor: Descriptor
    fingerprint: npt.NDArray[np.float32] | None = None
    """A fingerprint of the whole photo, to find it stored twice; never written anywhere."""
    small: Pixels | None = None
    """The crop at ``SIDE`` pixels, of which quality, descriptor and embedding are, whichever networks a gallery is for;
    None: ``face`` is that."""


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A photo that does not become an exemplar, and why."""

    path: Path
    reason: str
    readable: bool = True


def stored_name(path: Path) -> str:
    """A photo's name as a gallery can hold it: a line of text, at most 200 bytes of UTF-8."""
    text = os.fsencode(path.name).decode(errors="replace")
    text = "".join(c if c.isprintable() or c == " " else "\ufffd" for c in text)
    return text.encode()[:MOST_TEXT].decode(errors="ignore")


def gather(paths: Iterable[Path]) -> list[Path]:
    """Photos among ``paths`` and in the folders among them, at any depth; each once, in a fixed order.

    A path that does not exist is among them: ``look`` says so when its turn comes.

    Raises:
        InputOutputError: there is no photo at all.
    """
    found: dict[Path, None] = {}
    paths = list(paths)
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
            hidden = {p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)}
            found |= dict.fromkeys(sorted(hidden))
        else:
            found[path] = None
    if not any(os.path.lexists(path) for path in found):
        if missing := next(iter(found), None):
            raise InputOutputError(f"no file or folder {missing}", no_file(missing).hint)
        raise InputOutputError(
            f"no photos in {', '.join(map(str, paths))}", f"they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return list(found)


def look(path: Path, detector: Detector, size: int) -> Candidate | Rejection:
    """The face of a photo as a crop of ``size`` pixels, but no fewer than faces are judged at, or why there is none.

    Memory: the photo's file and its pixels at the scale that the face needs, one photo at a time.
    """
    try:
        return _look(path, detector, size)
    except (UnavailableError, UsageError):
        raise
    except Exception as error:  # one odd photo must not cost the others
        return Rejection(path, told(error, path)[0], readable=False)


def _look(path: Path, detector: Detector, size: int) -> Candidate | Rejection:
    content = read_bytes(path)
    found = _face_of(path, content, detector)
    if isinstance(found, Rejection):
        return found
    alignment = found.face.alignment
    small, landmarks = crop_face(found.photo, alignment, SIDE), landmarks_of(found.face, SIDE)
    quality = judge(small, landmarks, alignment.side * found.factor)
    if quality.reasons:
        return Rejection(path, "; ".join(quality.reasons))
    descriptor, sha256 = describe(small, landmarks), hashlib.sha256(content).hexdigest()
    size = max(size, SIDE)
    crop = crop_face(found.photo, alignment, size) if size > SIDE else small
    landmarks = landmarks_of(found.face, size)
    return Candidate(path, sha256, crop, landmarks, quality, descriptor, found.fingerprint, small)


def landmarks_of(face: Face, size: int) -> Array:
    """A face's landmarks [5, 2] in pixels of its aligned crop of ``size`` pixels."""
    return transform(face.alignment.crop_from_photo(size), face.landmarks)


def align_exemplar(path: Path, detector: Detector, size: int) -> tuple[Pixels, tuple[str, ...]]:
    """The face of a photo that a user chose as exemplar, uint8 [S, S, 3], S >= ``size``; and what is wrong with it.

    A photo that is an aligned crop already is taken whole. Nothing is refused for its quality: it is the user's choice.

    Raises:
        InputOutputError: it cannot be read, or shows no face, or several.
    """
    found = _face_of(path, read_bytes(path), detector)
    if isinstance(found, Rejection):
        raise InputOutputError(
            f"{path}: {found.reason}",
            "an exemplar shows one clear face; an aligned crop is taken as it is by --aligned",
        )
    alignment, side = found.face.alignment, max(size, SIDE)
    crop = crop_face(found.photo, alignment, side)
    landmarks = landmarks_of(found.face, side)
    reasons = judge(crop, landmarks, alignment.side * found.factor).reasons
    whole = found.photo.shape[0] == found.photo.shape[1] >= size and _is_whole(alignment, found.photo.shape[0])
    return (found.photo if whole else crop), reasons


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    """The one face of a photo that was read ``factor`` times smaller than it is, or as it is (1)."""

    photo: Pixels
    face: Face
    factor: float
    fingerprint: npt.NDArray[np.float32]


def _face_of(path: Path, content: bytes, detector: Detector) -> _Found | Rejection:
    """The one clear face of a photo's file, or why there is none."""
    photo, factor = read_reduced(path, content, SEARCHED_AT)
    print_of_photo = fingerprint(photo)
    faces = detector.detect(photo)
    if not faces:
        return Rejection(path, "no face found")
    widths = [max(face.box[2:]) for face in faces]
    alike = sum(width >= AMBIGUOUS * max(widths) for width in widths)
    if alike > 1:
        return Rejection(path, f"several faces ({alike} of like size)")
    face = faces[0]
    wanted = max(photo.shape) * LEAST_DETAIL / face.alignment.side
    if factor > 1 and wanted > max(photo.shape):
        del photo
        before = factor
        photo, factor = read_reduced(path, content, round(wanted))
        face = _scaled(face, before / factor)
    return _Found(photo, detector.refine(photo, face), factor, print_of_photo)


def _is_whole(alignment: Alignment, side: int) -> bool:
    """Whether a face's square is, but for what landmarks wander by, the whole of a square picture."""
    off = math.hypot(*(c - side / 2 for c in alignment.centre)) / side
    turn = abs(math.atan2(alignment.half[1], alignment.half[0]))
    return off < ALIGNED_OFF and abs(alignment.side / side - 1) < ALIGNED_SIZE and turn < ALIGNED_TURN


def _scaled(face: Face, factor: float) -> Face:
    left, top, width, height = (value * factor for value in face.box)
    return dataclasses.replace(face, box=(left, top, width, height), landmarks=face.landmarks * factor)
