"""``edgesr.enhance_photo``: one photo enhanced, and written as what it came as."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgesr.enhance.photo import Photo, photo_of, read_photo
from edgesr.enhance.privacy import without
from edgesr.enhance.run import Enhanced, open_enhancer
from edgesr.enhance.whose import Ask
from edgesr.enhance.write import KINDS, check_size, mark, write_photo
from edgesr.errors import UsageError
from edgesr.faces.face import Detector
from edgesr.files.atomic import file_aside
from edgesr.files.places import refuse_own_output
from edgesr.gallery.format import Gallery

if TYPE_CHECKING:
    from edgesr.api import Model

OneOrSeveral = str | Path | Any


def enhance_photo(
    photo: str | Path | npt.NDArray[Any] | Photo,
    gallery: str | Path | Gallery | Sequence[str | Path | Gallery] = (),
    output: str | Path | None = None,
    *,
    model: str | Path | Model | Sequence[str | Path | Model] = (),
    detector: Detector | None = None,
    embedder: str | Path | None = None,
    ask: Ask | None = None,
    quality: int | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> Enhanced:
    """Find the tiny faces of one photo, restore each with the exemplars that serve it best, and paste them back.

    ``result.image`` is the photo uint8 [H, W, 3], ``result.faces`` says of each face what became of it. Galleries
    and networks are loaded for this one photo; for many ``edgesr.open_enhancer`` loads them once.

    Args:
        photo: a path, a ``Photo``, or an array: uint8, uint16, or floats from 0 to 1, which become 8 bits; [H, W], or
            [H, W, C] grey, RGB or with alpha. Its own pixels are not written to.
        gallery: one or several of files or galleries; without one, faces are restored without exemplars.
        output: where it is written, in the format of its suffix, with the metadata of ``photo``; complete or not at
            all. A photo in which nothing was restored is copied as it is.
        model: one or several networks; by default the shipped ones that serve the gallery.
        detector: in place of the package's.
        embedder: the ONNX face embedder that the gallery was built with, if that was not dlib.
        ask: is asked which of several faces is the gallery's person, where nobody can tell; None: none of them is.
        quality: 1 to 100, of JPEG, WebP and HEIC; by default 95, or a JPEG's own tables.
        force: replace an existing output.
        report: is told of whatever the caller should know, a sentence at a time.
        settings: ``strength``, ``upscale``, ``grain``, ``strip`` and the other fields of ``edgesr.enhance.Settings``.

    Thread safety: several threads may call it at once, each with an output of its own.

    Raises:
        UsageError: a setting out of its range; the output exists and ``force`` is not given, or is the photo itself.
        InputOutputError: the photo cannot be read, or the output cannot be written.
        GalleryError: a gallery cannot be read, or fits no network.
        UnavailableError: there is no face detector, or what the format needs is not installed.
    """
    source = Path(photo) if isinstance(photo, str | Path) else None
    target = None if output is None else Path(output)
    if target is not None:
        _refuse(target, source, force)
    if source is not None:
        read = read_photo(source)
    elif isinstance(photo, Photo):
        read = photo.replace(pixels=photo.pixels.copy())
    elif isinstance(photo, np.ndarray):
        read = photo_of(photo)
    else:
        raise UsageError(f"a photo of type {type(photo).__name__}", "give a path, a Photo, or a NumPy array")
    enhancer = open_enhancer(gallery, model, detector=detector, embedder=embedder, ask=ask, report=report, **settings)
    if target is None:
        return enhancer.enhance(read)
    check_size(read, target)
    done = enhancer.enhance(read, kind=KINDS[target.suffix.lower()])
    for note in write_enhanced(done, target, source, quality=quality, strip=enhancer.settings.strip):
        report(f"note: {note}")
    return done


def write_enhanced(
    done: Enhanced, target: Path, source: Path | None = None, *, quality: int | None = None, strip: Any = None
) -> list[str]:
    """Write an enhanced photo, marked as such, in the format of the suffix; returns what could not be kept.

    ``source`` is the file that it was read from: where nothing was changed the output is that file, to the byte.
    ``strip`` and ``quality`` are as in ``without`` and ``write_photo``, and so is what is raised.
    """
    same_kind = KINDS.get(target.suffix.lower()) == done.photo.kind
    if not done.changed and same_kind and not strip and source is not None:
        copy_file(source, target)
        return []  # nothing was lost
    result, lost = without(done.photo, strip)
    if done.changed:
        exif = mark(result.exif, result.size, done.edited, result.extras.density)
        result = result.replace(exif=exif, jpeg=result.jpeg if done.factor == 1 else None)
    return [*done.notes, *lost, *write_photo(result, target, quality)]


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, complete or not at all."""
    with file_aside(target) as aside:
        shutil.copyfile(source, aside)


def _refuse(target: Path, source: Path | None, force: bool) -> None:
    if target.suffix.lower() not in KINDS:
        raise UsageError(f"cannot write {target.name!r} as a photo", f"use {', '.join(KINDS)}")
    if os.path.lexists(target) and not force:
        raise UsageError(f"{target} already exists", "pass force to replace it")
    if source is not None:
        refuse_own_output(target, source)
