"""A whole photo enhanced: faces found, each restored with the exemplars that serve it, and pasted back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.enhance.detail import keep_own_detail
from edgesr.enhance.faces import find_faces, lr_crop, native_crop, side_of
from edgesr.enhance.grain import add_grain, grain_for
from edgesr.enhance.paste import paste, scaled, upscale
from edgesr.enhance.photo import Photo
from edgesr.enhance.privacy import Strip
from edgesr.enhance.regions import MOST_MEGAPIXELS, Network, factor_for, network_for, pair_networks
from edgesr.enhance.whose import Ask, Judge, Meant, anybody, meant_face, taken_for_other
from edgesr.errors import UsageError
from edgesr.faces.alignment import transform
from edgesr.faces.face import Detector, Face
from edgesr.gallery.format import Gallery, read_gallery
from edgesr.images.imaging import Pixels, resize_bicubic
from edgesr.images.photo_formats import LONGEST_SIDE
from edgesr.runtime.base import Features


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user may choose.

    ``strength`` 0 leaves the photo as it is, 1 is full restoration, between them the restored face is blended with
    the photo's own. ``upscale``: how many times larger the output is, None chooses. ``allow_other``: use the gallery
    on somebody else's face too, which is editing, and marked so. ``assume_same_person``: take each face of which
    nobody can tell whose it is, or that is too small to tell, for the gallery's person. ``own_detail``: keep what the
    photo shows of a face beyond the network's LR size. ``grain``: a restored face gets the noise of the photo around.
    ``strip``: what a clip's output does not get, ``"location"`` or ``"metadata"``; of a photo: ``privacy.without``.
    """

    strength: float = 1.0
    upscale: int | None = None
    megapixels: float = MOST_MEGAPIXELS
    allow_other: bool = False
    assume_same_person: bool = False
    own_detail: bool = True
    grain: bool = False
    tiny: bool = True
    strip: Strip = None

    @property
    def trusting(self) -> bool:
        """Whether the gallery serves a face of which nobody can tell whose it is."""
        return self.assume_same_person or self.allow_other

    def serves(self, other: bool | None) -> bool:
        """Whether the gallery serves a face that is somebody else's, or (None) that is too small to tell."""
        return self.allow_other if other else self.trusting

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength {self.strength}", "it is from 0 to 1")
        if self.upscale is not None and not 1 <= self.upscale <= 8:
            raise UsageError(f"upscale {self.upscale}", "it is a whole number from 1 to 8")


DEFAULTS = Settings()


@dataclasses.dataclass(frozen=True, eq=False)
class EnhancedFace:
    """A face of the photo, and what was made of it."""

    face: Face
    """The face in coordinates of the input."""
    side: int
    restored: bool
    reason: str
    """Why it was restored as it was, or not: a sentence."""
    network: str | None = None
    exemplars: tuple[int, ...] = ()
    """Which entries of the gallery were used, counted from 0, the best first."""
    other: bool | None = None
    """Whether it is somebody else than the gallery's person; None: not told."""
    before: Pixels | None = None
    """The aligned face as it was, enlarged by bicubic, uint8 [hr, hr, 3]."""
    sr: Pixels | None = None
    """The aligned restored face at full strength, uint8 [hr, hr, 3]."""
    weights: npt.NDArray[np.float32] | None = None
    """CoFA's weight of each exemplar, [n, lr, lr] in [0, 1]."""


@dataclasses.dataclass(frozen=True, eq=False)
class Enhanced:
    """A photo with its faces restored."""

    photo: Photo
    factor: int
    """The output is so many times larger than the input."""
    faces: tuple[EnhancedFace, ...]
    notes: tuple[str, ...] = ()
    edited: bool = False
    """Exemplars of one person were put on another's face, deliberately."""

    @property
    def changed(self) -> bool:
        """Whether the photo is another than the input."""
        return self.factor > 1 or any(face.restored for face in self.faces)

    @property
    def image(self) -> Pixels:
        """uint8 [H, W, 3]."""
        return self.photo.rgb()


class Enhancer:
    """Networks, galleries and a detector, loaded once for any number of photos."""

    def __init__(
        self,
        networks: Sequence[Network],
        detector: Detector,
        settings: Settings = DEFAULTS,
        judge: Judge | None = None,
        ask: Ask | None = None,
    ) -> None:
        """``judge`` tells by face embeddings whose face it is; where it cannot, and a photo shows several faces,
        ``ask`` does, and without it none of them gets the gallery."""
        if not networks:
            raise UsageError("no network to restore with")
        self.networks, self.detector, self.settings, self.judge = list(networks), detector, settings, judge
        self.ask = ask

    def enhance(self, photo: Photo, faces: Sequence[Face] | None = None, kind: str | None = None) -> Enhanced:
        """The photo enhanced. ``faces`` brings faces that are known already, in coordinates of the photo.

        ``kind`` is the format that it will be written in (JPEG, PNG, WEBP, HEIF), whose limits it is to keep.

        Memory: the photo, its output, and little more; a face is restored at a time.

        Raises:
            UsageError: something else than a ``Photo``.
        """
        if not isinstance(photo, Photo):
            raise UsageError(
                f"a photo of type {type(photo).__name__}",
                "give what edgesr.enhance.read_photo reads from a file, or edgesr.enhance.photo_of makes of an array",
            )
        rgb = photo.rgb()
        found = find_faces(rgb, self.detector, self.settings.tiny) if faces is None else list(faces)
        meant = meant_face(rgb, found, self.ask, self.settings.trusting)
        results = [self.restore(rgb, face, meant=meant) for face in found]
        del rgb
        return self.compose(photo, results, kind)

    def restore(
        self,
        rgb: Pixels,
        face: Face,
        networks: Sequence[Network] | None = None,
        meant: Meant = anybody,
    ) -> EnhancedFace:
        """One face of a photo uint8 [H, W, 3], restored but not pasted; ``networks`` serve instead of our own.

        ``meant`` says of a face that ``judge`` cannot tell why it does not get the gallery; None: it does.
        """
        side = side_of(face)
        network, reason = network_for(side, networks or self.networks)
        if network is None:
            return EnhancedFace(face, side, False, reason)
        if not self.settings.strength:
            return EnhancedFace(face, side, False, "strength 0")
        native = native_crop(rgb, face)
        lr = lr_crop(native, network.lr_size)
        model, gallery = network.model, network.gallery

        def restored(features: Features) -> tuple[Pixels, npt.NDArray[np.float32]]:
            sr, weights = model.restore(lr, features)
            return (keep_own_detail(sr, native, network.lr_size) if self.settings.own_detail else sr), weights

        none = functools.cache(lambda: restored(model.encode([]))[0])
        sr, weights, chosen, other = None, None, [], None
        if gallery is not None and len(gallery):
            other = self.judge(native, none(), network) if self.judge else None
            if other:
                said, other = taken_for_other(side)
                refused = None if self.settings.serves(other) else said
            else:
                refused = meant(face) if other is None else None
            if refused:
                reason = f"{side} px, {refused}"
            else:
                landmarks = transform(face.alignment.crop_from_photo(network.lr_size), face.landmarks)
                chosen = model.choose(lr, gallery, landmarks=landmarks)
                sr, weights = restored(model.features_of(gallery, chosen))
        before = resize_bicubic(native, network.hr_size, network.hr_size)
        return EnhancedFace(
            face,
            side,
            True,
            reason,
            model.name,
            tuple(chosen),
            other,
            before,
            none() if sr is None else sr,
            weights,
        )

    def compose(self, photo: Photo, results: Sequence[EnhancedFace], kind: str | None = None) -> Enhanced:
        """The photo at its output size with the restored faces in it."""
        settings = self.settings
        longest = LONGEST_SIDE.get(kind or "", 1 << 30)
        most = max(1, longest // max(photo.size))
        restored = [(one, one.sr) for one in results if one.restored and one.sr is not None]
        notes = list(photo.notes)
        sides = [(one.side, sr.shape[0]) for one, sr in restored]
        factor, limited = factor_for(sides, photo.size, settings.megapixels)
        if settings.upscale is not None:
            factor = settings.upscale if restored else 1
            if factor**2 * photo.size[0] * photo.size[1] > settings.megapixels * 1e6 and factor > 1:
                raise UsageError(
                    f"{factor} times as large it would have {factor**2 * photo.size[0] * photo.size[1] / 1e6:.0f} "
                    "megapixels",
                    f"choose a smaller --upscale, or raise --max-megapixels ({settings.megapixels:g})",
                )
            if factor > most:
                raise UsageError(
                    f"{factor} times as large its longer side would have {factor * max(photo.size)} pixels",
                    f"{kind} takes at most {longest} a side: choose a smaller --upscale, or --format png",
                )
        elif factor > most:
            factor = most
            notes.append(f"{_enlarged(factor)}: {kind} takes at most {longest} pixels a side")
        elif limited:
            notes.append(f"{_enlarged(factor)}: --max-megapixels is {settings.megapixels:g}")
        # Where nobody can tell, --allow-other means what it says.
        edited = settings.allow_other and any(one.other is not False and one.exemplars for one, _ in restored)
        if not restored:
            return Enhanced(photo, 1, tuple(results), tuple(notes))
        pixels = upscale(photo.pixels, factor) if factor > 1 else photo.pixels
        grains = [grain_for(photo.pixels, sr, one.face.alignment) for one, sr in restored if settings.grain]
        for one, sr in restored:
            paste(pixels, sr, scaled(one.face.alignment, factor), settings.strength)
        for grain in grains:
            add_grain(pixels, grain, factor, settings.strength)
        alpha = photo.alpha
        if alpha is not None and factor > 1:
            alpha = upscale(alpha[..., None], factor)[..., 0]
        return Enhanced(photo.replace(pixels=pixels, alpha=alpha), factor, tuple(results), tuple(notes), edited)


def _enlarged(factor: int) -> str:
    return "not enlarged" if factor == 1 else f"made {factor} times as large only"


def open_enhancer(
    gallery: Any = (),
    model: Any = (),
    *,
    detector: Detector | None = None,
    embedder: str | Path | None = None,
    ask: Ask | None = None,
    report: Callable[[str], None] = lambda _: None,
    threads: int | None = None,
    **settings: Any,
) -> Enhancer:
    """Load galleries, networks, the detector and the judge of whose face it is, once for any number of photos.

    ``gallery`` and ``model`` are one or several: paths or names, or a ``Gallery`` and an ``edgesr.Model``. Without a
    model the shipped ones that serve the gallery are loaded, each with ``threads`` as ``edgesr.load`` takes it.
    ``embedder`` is the ONNX face embedder that the gallery was built with, if that was not dlib. Where nobody can tell
    which of several faces is the gallery's person, ``ask`` is asked; without it none of them gets the gallery.
    ``settings`` are the fields of ``Settings``.

    Thread safety: several threads may use the enhancer at once, each on a photo of its own.

    Raises:
        UsageError: a setting out of its range, or one that needs a gallery.
        EdgesrError: a gallery, network, detector or embedder cannot be opened, or they do not fit each other.
    """
    from edgesr.enhance.judge import open_judge
    from edgesr.faces.detection import open_detector
    from edgesr.gallery.network import rebuild_hint

    chosen = Settings(**settings)
    galleries, models = _several(gallery), _several(model)
    for name in ("allow_other", "assume_same_person"):
        if getattr(chosen, name) and not galleries:
            raise UsageError(f"--{name.replace('_', '-')} needs a gallery", "--gallery FILE")
    networks = open_networks(galleries, models, threads)
    for path in galleries if not models else ():
        if isinstance(path, str | Path) and (hint := rebuild_hint(read_gallery(path), Path(path))):
            report(f"note: {hint}")
    judge = open_judge(networks, None if embedder is None else Path(embedder), report)
    return Enhancer(networks, detector or open_detector(None, report), chosen, judge, ask)


def open_networks(galleries: Sequence[Any], models: Sequence[Any], threads: int | None = None) -> list[Network]:
    """Galleries and networks from paths, names or themselves, paired.

    Where no network is named, a shipped network serves each section of a gallery, and one whose earlier weights a
    section is of restores without exemplars; without galleries they are those for photos, one a size of face.

    Raises:
        EdgesrError: a gallery or network that cannot be read, or that no other fits.
    """
    from edgesr.api import Model, load
    from edgesr.gallery.network import earlier_networks, networks_of
    from edgesr.models.shipped import PHOTO_NETWORKS

    if other := [one for one in galleries if not isinstance(one, str | Path | Gallery)]:
        raise UsageError(f"a gallery of type {type(other[0]).__name__}", "give a path or a Gallery, or leave it out")
    read = [one if isinstance(one, Gallery) else read_gallery(one) for one in galleries]
    paths = [None if isinstance(one, Gallery) else Path(one) for one in galleries]
    unnamed = [] if models else list(zip(read, paths, strict=True))
    served = dict.fromkeys(name for one, path in unnamed for name in networks_of(one, path))
    named = models or list(served) or PHOTO_NETWORKS
    paired = pair_networks([one if isinstance(one, Model) else load(one, threads=threads) for one in named], read)
    earlier = dict.fromkeys(name for one, _ in unnamed for name in earlier_networks(one))
    plain = [load(name, threads=threads) for name in earlier]
    sizes = {network.lr_size for network in paired}
    return [*paired, *(Network(model) for model in plain if model.config.lr_size not in sizes)]


def _several(one: Any) -> Sequence[Any]:
    return one if isinstance(one, list | tuple) else [one]
