"""What a photo's colours mean, read from wherever its file says so, and said again in the output's own way."""

from __future__ import annotations

import contextlib
import io
import struct

from PIL import Image, ImageCms

from edgesr.enhance.extras import Extras
from edgesr.enhance.icc import (
    CURVES,
    HDR_TRANSFERS,
    PRIMARIES,
    SRGB_PRIMARIES,
    UNSPECIFIED,
    of_code,
    of_gamma,
    rgb_of_grey,
    space_of,
)
from edgesr.images.bmff import read_still

Code = tuple[int, int, int, int]
"""Primaries, transfer, matrix and full range, by ITU-T H.273."""

SRGB_CODE: Code = (1, 13, 6, 1)
SRGB_GAMMA = 1 / 2.2
NOT_IN_HEVC = {22}
"""Primaries that its encoder does not take."""

MATRICES = (1, 5, 6, 9)
"""What HEIC is written with here; anything else becomes 6, which decoders undo as well."""


def read_colours(
    image: Image.Image, content: bytes, extras: Extras, grey: bool, notes: list[str]
) -> tuple[bytes | None, Code | None]:
    """A photo's profile and code; a profile that is for other pixels than these is left out, with a note."""
    icc = image.info.get("icc_profile") or None
    if icc is not None:
        space = space_of(icc)
        if not space:
            notes.append("its colour profile is damaged and was left out")
        elif space not in ("RGB", "grey") or (space == "grey" and not grey):
            notes.append(f"its profile is for {space} and was left out: the pixels are {'grey' if grey else 'RGB'} now")
            space = ""
        icc = icc if space else None
    return icc, _code(image, content, extras)


def _code(image: Image.Image, content: bytes, extras: Extras) -> Code | None:
    code: Code | None = None
    if image.format in ("HEIF", "AVIF"):
        code = read_still(content).nclx
    else:
        data = next((data for name, data in extras.colours if name == b"cICP"), b"")
        if len(data) == 4 and data[2] == 0:  # a PNG's pixels are RGB
            code = (data[0], data[1], data[2], data[3])
    return None if code is None or code[:2] == (UNSPECIFIED, UNSPECIFIED) else code


def to_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """CMYK and Lab as RGB: through the file's own profile to sRGB where it has one, else by a formula."""
    icc, kind = image.info.get("icc_profile"), "Lab" if image.mode == "LAB" else image.mode
    image.info.pop("icc_profile", None)
    if kind == "Lab":
        notes.append("Lab became sRGB")
        return image.convert("RGB")
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                converted.info.pop("icc_profile", None)
                notes.append(f"{kind} became sRGB through its profile")
                return converted
    notes.append(f"{kind} without a usable profile became RGB by a formula")
    return image.convert("RGB")


def profile_for(
    kind: str, icc: bytes | None, code: Code | None, extras: Extras, grey: bool, notes: list[str]
) -> bytes | None:
    """The profile that an output of ``kind`` gets, whose pixels are grey or RGB; ``notes`` gets what it cannot say.

    A PNG keeps its code and its gamma as they are, a HEIC its code; others get a profile that says the same.
    """
    if code is not None and kind in ("JPEG", "WEBP"):
        name = HDR_TRANSFERS.get(code[1])
        if name:
            notes.append(
                f"{kind} cannot name the transfer {name}: its colours will look flat; --format png or heic can"
            )
        elif icc is None or extras.colours:  # of a PNG the code counts more than the profile
            return _of_code(kind, code, grey, notes)
    if code is not None and kind == "HEIF" and icc is None and heic_code(code)[:2] != code[:2]:
        return _of_code(kind, code, grey, notes)
    if icc is not None:
        if space_of(icc) == "grey" and not grey:
            notes.append("its grey profile became the same for RGB")
            return rgb_of_grey(icc)
        return icc
    if code is not None:
        return of_code(*code[:2], grey=grey) if kind == "PNG" and not extras.colours else None
    return None if kind == "PNG" else _of_png_chunks(extras, grey)


def _of_code(kind: str, code: Code, grey: bool, notes: list[str]) -> bytes | None:
    primaries, transfer = code[:2]
    known = (transfer == UNSPECIFIED or transfer in CURVES) and (grey or primaries in {*PRIMARIES, UNSPECIFIED})
    if not known:
        notes.append(f"{kind} cannot say what its colours mean (code {primaries}/{transfer}): left out")
    return of_code(primaries, transfer, grey=grey)


def _of_png_chunks(extras: Extras, grey: bool) -> bytes | None:
    """What a PNG's gamma and primaries say, where it does not call itself sRGB and they are not sRGB's."""
    chunks = dict(extras.colours)
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    (gamma,) = struct.unpack(">I", chunks[b"gAMA"])
    primaries = None
    if len(chunks.get(b"cHRM", b"")) == 32:
        white_x, white_y, *others = (value / 100000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
        primaries = (*others, white_x, white_y)
    if not 1000 <= gamma <= 1_000_000:
        return None
    usual = abs(gamma / 100000 - SRGB_GAMMA) < 0.005
    if usual and (primaries is None or max(abs(a - b) for a, b in zip(primaries, SRGB_PRIMARIES, strict=True)) < 0.002):
        return None
    return of_gamma(100000 / gamma, primaries, grey)


def heic_code(code: Code | None) -> Code:
    """The code that a HEIC is written with, which says the same of its colours."""
    if code is None:
        return SRGB_CODE
    primaries = code[0] if code[0] in set(PRIMARIES) - NOT_IN_HEVC else UNSPECIFIED
    transfer = code[1] if code[1] in CURVES or code[1] in HDR_TRANSFERS else UNSPECIFIED
    return (primaries, transfer, code[2] if code[2] in MATRICES else SRGB_CODE[2], 1)
