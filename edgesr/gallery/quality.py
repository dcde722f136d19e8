"""Whether a photo is worth keeping as an exemplar: sharp, large, lit and turned to the camera; and duplicates."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.errors import InputOutputError, UsageError
from edgesr.faces.alignment import align
from edgesr.faces.descriptor import GRID, LUMA, LUMINANCE, SIZE, box_means
from edgesr.images.imaging import Pixels

Array = npt.NDArray[np.float64]

SIDE = 128
"""Faces are judged at the size the network sees; larger crops are averaged down."""

FACE = (28, 38, 100, 110)
"""Left, top, right and bottom of the face itself at ``SIDE``: a sharp background must not hide a blurred face."""

LEAST_SHARPNESS = 0.20
"""A blur with sigma 1.5 pixels at ``SIDE``, a shake over 9, or an enlargement from 45."""

ONE_AXIS = 1.43
"""Detail along one axis is measured by so much less in a photo that is as sharp."""

LEAST_SIZE = 64.0
"""Photo pixels."""

DARKEST = 0.26
"""95th percentile of the face's luminance; not its mean, since dark skin is no fault of a photo."""

BRIGHT, MOST_BRIGHT = 0.96, 0.60
"""Luminance that counts as white, and the share of the face that may be so."""

MOST_YAW, MOST_PITCH = 45.0, 30.0
"""What is refused, in degrees; docs/personalization.md says how all of these were chosen."""

NOSE_DEPTH = 0.52
"""How far the nose's tip stands before the plane of eyes and mouth, in eye distances: 33 of 63 mm, an adult's."""

NOSE_HEIGHT, EYES_TO_MOUTH = 0.565, 1.01
"""Where the nose's tip lies on the way from eyes to mouth in a face that looks into the camera, and how long the way
is in eye distances: medians of the training crops."""

SAME_PHOTO, SAME_FACE = 0.006, 0.00125
"""Mean squared differences below which two fingerprints, or two descriptors once shifted onto each other, show one
photo."""


PRINT_GRID = 16
FINGERPRINT = PRINT_GRID * PRINT_GRID
"""Cells a side of a fingerprint, and its numbers. It is of the whole photo, and never stored."""


@dataclasses.dataclass(frozen=True)
class Quality:
    """``sharpness``: finest detail against coarser, 0 (none) to about 1. ``size_px``: side of the face's square in its
    photo. ``exposure``: mean luminance of the face, 0 to 1. Angles in degrees, as seen in the crop: ``yaw_deg`` > 0
    where the face looks to the image's right, ``pitch_deg`` > 0 up, ``roll_deg`` > 0 turned clockwise; as exact as
    five points allow, some 10 degrees. ``reasons``: why it should be refused, in plain words; empty where it is good.
    """

    sharpness: float
    size_px: float
    exposure: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    reasons: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the photo."""
        return not self.reasons


def judge(face: Pixels, landmarks: npt.ArrayLike, source_size_px: float) -> Quality:
    """The quality of an exemplar.

    ``face`` uint8 [S, S, 3], the aligned crop, RGB; ``landmarks`` [5, 2] in the crop's pixels; ``source_size_px``: the
    side of the face's square in its photo, in pixels of the photo (``Alignment.side``).

    Raises:
        UsageError: the crop is no square uint8 picture.
        InputOutputError: the landmarks are no face.
    """
    if (
        face.dtype != np.uint8
        or face.ndim != 3
        or face.shape[2] != 3
        or face.shape[0] != face.shape[1]
        or not face.size
    ):
        raise UsageError(f"a face has dtype {face.dtype} and shape {face.shape}", "it must be uint8 [S, S, 3], RGB")
    luma = box_means(face.astype(np.float64) @ np.array(LUMA) / 255, SIDE)
    left, top, right, bottom = FACE
    inner = luma[top:bottom, left:right]
    yaw, pitch, roll = pose(landmarks)
    sharp = sharpness(luma)
    reasons = []
    if source_size_px < LEAST_SIZE:
        reasons.append(f"too small: the face is {source_size_px:.0f} pixels wide, {LEAST_SIZE:.0f} are needed")
    if np.percentile(inner, 95) < DARKEST:
        reasons.append("too dark")
    elif (bright := float((inner >= BRIGHT).mean())) > MOST_BRIGHT:
        reasons.append(f"too bright: {bright:.0%} of the face is white")
    if sharp < LEAST_SHARPNESS:
        reasons.append(f"blurred: sharpness {sharp:.2f}, {LEAST_SHARPNESS:.2f} is needed")
    if abs(yaw) > MOST_YAW:
        reasons.append(f"turned away: {abs(yaw):.0f} degrees to the side")
    if abs(pitch) > MOST_PITCH:
        reasons.append(f"turned away: {abs(pitch):.0f} degrees {'up' if pitch > 0 else 'down'}")
    return Quality(sharp, float(source_size_px), float(inner.mean()), yaw, pitch, roll, tuple(reasons))


def sharpness(luma: Array) -> float:
    """Finest detail of a face [SIDE, SIDE] against detail four times as coarse, 0 to about 1.

    With a = B1(Y), b = B2(a), c = B4(b), where Bk is the binomial filter (1, 2, 1) / 4 with taps k apart: the root mean
    square of Y - a over that of b - c, within ``FACE``. A photo's detail is alike at all scales, so contrast, light
    and content cancel; blur takes the finest away first. The least of three: B along both axes, and ``ONE_AXIS`` times
    the same with B along columns or rows alone, since a shaken camera blurs along a line. Noise passes for detail.
    """
    both = _ratio(luma, (0, 1))
    return min(both, ONE_AXIS * _ratio(luma, (0,)), ONE_AXIS * _ratio(luma, (1,)))


def _ratio(luma: Array, axes: tuple[int, ...]) -> float:
    a = _smooth(luma, 1, axes)
    b = _smooth(a, 2, axes)
    c = _smooth(b, 4, axes)
    left, top, right, bottom = FACE
    fine, coarse = (math.sqrt(float((band[top:bottom, left:right] ** 2).mean())) for band in (luma - a, b - c))
    return fine / max(coarse, 1 / 255)


def pose(landmarks: npt.ArrayLike) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees from five landmarks [5, 2], x to the right, y down.

    In the face's own frame (``align``: right r, down d), with e and v the vectors between the eyes and from eyes to
    mouth, n from the eyes' mean to the nose: the nose lies at n = v t + r s, and tan(yaw) = s / (|e| depth), since the
    eye distance shrinks by cos(yaw); tan(pitch) = (height - t) |v| / (|v| / length) / depth alike.

    Raises:
        InputOutputError: the landmarks are no face.
    """
    half = align(landmarks).half
    points = np.asarray(landmarks, np.float64)
    length = math.hypot(*half)
    right = np.array([half[0], half[1]]) / length
    down = np.array([-right[1], right[0]])
    eyes, mouth = points[:2].mean(0), points[3:].mean(0)
    v, n = mouth - eyes, points[2] - eyes
    eye_distance, way = abs(float((points[1] - points[0]) @ right)), float(v @ down)
    if way <= 0 or eye_distance <= 0:
        raise InputOutputError("these landmarks are no face", "the mouth lies above the eyes")
    t = float(n @ down) / way
    s = float(n @ right) - t * float(v @ right)
    yaw = math.degrees(math.atan(s / (eye_distance * NOSE_DEPTH)))
    pitch = math.degrees(math.atan((NOSE_HEIGHT - t) * EYES_TO_MOUTH / NOSE_DEPTH))
    return yaw, pitch, math.degrees(math.atan2(points[1][1] - points[0][1], points[1][0] - points[0][0]))


def fingerprint(photo: Pixels) -> npt.NDArray[np.float32]:
    """What tells a whole photo from others but not from its own copies, [256]: its luminance, less its mean over its
    deviation, on a grid of 16x16. ``photo`` uint8 [H, W, 3], upright."""
    grid = Image.fromarray(photo).convert("L").resize((PRINT_GRID, PRINT_GRID), Image.Resampling.BOX)
    cells = np.asarray(grid, np.float32).reshape(-1)
    result: npt.NDArray[np.float32] = (cells - cells.mean()) / max(float(cells.std()), 1.0)
    return result


def duplicates(
    descriptors: npt.ArrayLike, quality: npt.ArrayLike | None = None, fingerprints: npt.ArrayLike | None = None
) -> list[int | None]:
    """Find for each photo the one that is kept in its place, or None where it is kept itself.

    ``descriptors`` [N, D] from ``describe``, of one person; ``quality`` [N]: of photos that show the same the best is
    kept, of equals the first; ``fingerprints`` [N, 256] of the whole photos, a row of nan where one is not known.
    Where both of two photos have fingerprints these decide: photos that were stored again (JPEG, resized) are found and
    other photos of the same session are not. Else the faces are compared, whose crops wander with their landmarks:
    docs/personalization.md says how often that errs.
    """
    grids = np.asarray(descriptors, np.float64).reshape(-1, SIZE)[:, LUMINANCE]
    prints = np.full((len(grids), 1), np.nan) if fingerprints is None else np.asarray(fingerprints, np.float64)
    rank = np.zeros(len(grids)) if quality is None else -np.asarray(quality, np.float64)
    result: list[int | None] = [None] * len(grids)
    kept: list[int] = []
    for i in np.argsort(rank, kind="stable").tolist():
        for j in kept:
            off = float(((prints[i] - prints[j]) ** 2).mean())
            if face_difference(grids[i], grids[j]) < SAME_FACE if math.isnan(off) else off < SAME_PHOTO:
                result[i] = j
                break
        else:
            kept.append(i)
    return result


def face_difference(a: Array, b: Array) -> float:
    """Mean squared difference of two luminance grids [64] after the best small shift, turn, zoom and change of light:
    crops of one photo's copies are aligned a little differently."""
    inner = slice(1, GRID - 1)
    first, second = a.reshape(GRID, GRID), b.reshape(GRID, GRID)
    down, right = np.gradient((first + second) / 2)
    y, x = np.mgrid[0:GRID, 0:GRID] / GRID - 0.5
    moves = (right, down, right * x + down * y, right * y - down * x, first, np.ones_like(first))
    basis = np.stack([move[inner, inner].reshape(-1) for move in moves], axis=1)
    target = second[inner, inner].reshape(-1)
    rest = target - basis @ np.linalg.lstsq(basis, target, rcond=None)[0]
    return float((rest**2).mean())


def _smooth(image: Array, step: int, axes: tuple[int, ...]) -> Array:
    """(1, 2, 1) / 4 with taps ``step`` apart along ``axes``, edges repeated."""
    size = image.shape[0]
    for axis in axes:
        margin = tuple((step, step) if axis == each else (0, 0) for each in (0, 1))
        padded = np.moveaxis(np.pad(image, margin, mode="edge"), axis, 0)
        image = np.moveaxis((padded[:size] + 2 * padded[step : step + size] + padded[2 * step :]) / 4, 0, axis)
    return image
