"""``edgesr.build_gallery``: from photos to a gallery file, with a reason for every photo that is not taken."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.errors import GalleryError, UsageError
from edgesr.faces.face import Detector
from edgesr.faces.identity import Embedder, open_embedder
from edgesr.files.claims import claimed
from edgesr.gallery import build as steps
from edgesr.gallery import edit
from edgesr.gallery.format import Entry, Gallery, read_gallery, write_gallery
from edgesr.gallery.header import MOST_ENTRIES, most_entries
from edgesr.gallery.network import built_anew, networks_of
from edgesr.gallery.people import EMBEDDER_HINT, WITHOUT_EMBEDDER
from edgesr.gallery.photos import Candidate, Rejection, gather, look
from edgesr.gallery.section import DType
from edgesr.gallery.whose import Questions, of_folder, of_person
from edgesr.models.shipped import PHOTO_NETWORKS, earlier_weights, shipped_for

if TYPE_CHECKING:
    from edgesr.api import Model

Photos = str | Path | Sequence[str | Path]
Report = Callable[[str], None]
Track = Callable[[Sequence[Any], str], Iterator[Any]]


@dataclasses.dataclass(frozen=True)
class BuiltGallery:
    """A gallery, and what became of each photo."""

    gallery: Gallery
    path: Path | None
    """The gallery's file; None where none was asked for, or no photo was taken."""
    kept: tuple[Candidate, ...]
    """Photos that became entries."""
    rejected: tuple[Rejection, ...]
    """Photos that did not, each with its ``path`` and its ``reason``."""
    people: int | None
    """How many people the photos seem to show; None where it cannot be told."""
    doubtful: tuple[Path, ...]
    """Photos that were taken and may show another person."""
    unreadable: tuple[Path, ...]
    """Photos that were named themselves, not found in a folder, and cannot be read."""

    @property
    def ok(self) -> bool:
        """Whether a photo was taken, and every one that was named could be read."""
        return bool(self.kept) and not self.unreadable


def build_gallery(
    photos: Photos,
    output: str | Path | None = None,
    *,
    models: Sequence[str | Path | Model] = PHOTO_NETWORKS,
    dtype: DType | None = None,
    person: str | None = None,
    keep_names: bool = False,
    embeddings: bool | None = None,
    most: int | None = None,
    detector: str | Path | Detector | None = None,
    embedder: str | Path | None = None,
    questions: Questions | None = None,
    force: bool = False,
    report: Report = lambda _: None,
    track: Track = lambda items, _: iter(items),
) -> BuiltGallery:
    """Build a gallery of one person's photos.

    Of each photo the one clear face is aligned and judged. Blurred, small, dark, turned-away and duplicate ones are
    left out, each with its reason. ``result.gallery`` goes to ``Model.restore`` and ``edgesr.enhance_photo`` as it is.

    Args:
        photos: files or folders, which are searched at any depth.
        output: the gallery's file, written at the end, complete or not at all, for its owner alone (mode 0600).
            None: the gallery stays in memory. Where no photo is taken nothing is written.
        models: networks by name or path, or loaded ones; the gallery has a section for each.
        dtype: how features are stored, ``"int8"`` or ``"fp16"``; by default int8 where the network has int8 steps.
        person: whose photos, where they are several people's: the name of a sub-folder, or a number from 1.
        keep_names: store the photos' file names.
        embeddings: store face embeddings, which tell later whether a face is this person's; None: where an embedder
            is installed.
        most: keep so many photos, the sharpest; at most 1000, and at most what a gallery of these networks can hold.
        detector: a YuNet file or an opened detector in place of the package's.
        embedder: an ONNX face embedder in place of dlib's.
        questions: who is asked whose photos they are; None asks nobody.
        force: replace an existing gallery.
        report: is told of whatever the caller should know, a sentence at a time.
        track: wraps what is gone through, ``(items, what)``, to show how far it is.

    Thread safety: several threads may build galleries at once, each into a file of its own. A second one that builds
    into the same file is refused.

    Raises:
        UsageError: the file exists and ``force`` is not given; the photos show several people and nobody says which;
            a contradiction among the options.
        InputOutputError: there are no photos, or the file cannot be written or is being made by somebody else.
        CheckpointError, BundleError: a network is missing or damaged.
        UnavailableError: there is no face detector, or ``embeddings`` is True and there is no embedder.
    """
    out = None if output is None else Path(output)
    with contextlib.nullcontext() if out is None else claimed(out):
        if out is not None:
            refuse_existing(out, force)
        networks = [_loaded(model) for model in models]
        tells = open_embedder(None if embedder is None else Path(embedder), bool(embeddings))
        stored = tells.name if tells is not None and embeddings is not False else None
        blank = steps.empty_gallery(networks, dtype, stored)
        given = _paths(photos)
        wishes = Wishes(detector, tells, person, keep_names, most, questions, report, track)
        collected = collect(given, networks, blank, wishes)
        gallery = blank.replace(entries=collected.entries)
        if out is not None and collected.entries:
            write_gallery(out, gallery, erase_old=True)
    return collected.built(gallery, out, given)


def add_to_gallery(
    path: str | Path,
    photos: Photos,
    *,
    models: Sequence[str | Path] = (),
    person: str | None = None,
    keep_names: bool = False,
    most: int | None = None,
    detector: str | Path | Detector | None = None,
    embedder: str | Path | None = None,
    questions: Questions | None = None,
    report: Report = lambda _: None,
    track: Track = lambda items, _: iter(items),
) -> BuiltGallery:
    """Add photos to the gallery at ``path``; the other arguments are those of ``build_gallery``.

    The photos are encoded for every section whose network is here: a shipped one, or one of ``models``. A section
    without its network is reported, and goes without these photos until they are added again with it.

    Thread safety: several threads and processes may add at once; each adds to what the others have written.

    Raises:
        GalleryError: the gallery cannot be read, or no network here fits it.
        UsageError: it has embeddings of another embedder; or as ``build_gallery`` does.
        UnavailableError: it has embeddings, and its embedder is not installed.
    """
    file = Path(path)
    stored = read_gallery(file)
    networks = _at_hand(stored, Path(path), models, report)
    tells = open_embedder(None if embedder is None else Path(embedder), stored.embedder is not None)
    if stored.embedder is not None and tells is not None and tells.name != stored.embedder:
        raise UsageError(f"{path} has embeddings of {stored.embedder}, not of {tells.name}", "pass --embedder FILE")
    if stored.embedder is None:
        report("note: whose face a photo shows cannot be checked: the gallery holds no face embeddings")
    given = _paths(photos)
    wishes = Wishes(detector, tells, person, keep_names, most, questions, report, track)
    collected = collect(given, networks, stored, wishes)
    if collected.entries:
        stored, _ = edit.add(file, collected.entries)
    return collected.built(stored, file, given)


def refuse_existing(out: Path, force: bool) -> None:
    """What of an output can be refused before anything heavy is loaded.

    Raises:
        UsageError: it is a folder, or it exists; or what ``force`` would replace is no gallery, but perhaps somebody's
            photo.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder", "give the gallery's file: -o me.gallery")
    if out.exists() and not force:
        raise UsageError(f"{out} already exists", "pass --force to replace it, or edgesr gallery add to add to it")
    if not out.exists() or out.suffix == ".gallery" or not out.stat().st_size:
        return
    try:
        read_gallery(out)
    except GalleryError as error:
        raise UsageError(f"{out} is no gallery", "--force replaces galleries only: choose another place") from error


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the caller wants of the photos, as in ``build_gallery``; ``embedder`` is opened, or None."""

    detector: str | Path | Detector | None
    embedder: Embedder | None
    person: str | None
    keep_names: bool
    most: int | None
    questions: Questions | None
    report: Report
    track: Track


@dataclasses.dataclass(frozen=True)
class Collected:
    """Entries, the candidates that they come from, and what was left out."""

    entries: tuple[Entry, ...]
    kept: list[Candidate]
    rejected: list[Rejection]
    people: int | None
    doubtful: list[Path]

    def built(self, gallery: Gallery, path: Path | None, named: Sequence[Path]) -> BuiltGallery:
        """What the caller is told, of a gallery with these entries in it."""
        unreadable = tuple(one.path for one in self.rejected if not one.readable and one.path in named)
        kept, rejected = tuple(self.kept), tuple(self.rejected)
        return BuiltGallery(
            gallery, path if kept else None, kept, rejected, self.people, tuple(self.doubtful), unreadable
        )


def collect(photos: Sequence[Path], networks: Sequence[Model], gallery: Gallery, wishes: Wishes) -> Collected:
    """Entries for ``gallery`` from photos, which are read one at a time. Raises as ``build_gallery``."""
    from edgesr.faces.detection import open_detector

    report, track = wishes.report, wishes.track
    files = of_folder(gather(photos), wishes.person)
    given = wishes.detector
    if given is None or isinstance(given, str | Path):
        given = open_detector(None if given is None else Path(given), report)
    seen: list[Candidate] = []
    rejected: list[Rejection] = []
    size = max(network.config.hr_size for network in networks)
    for path in track(files, "looking at photos"):
        room = len(seen) < MOST_ENTRIES
        found = look(path, given, size) if room else Rejection(path, "the gallery is full")
        if isinstance(found, Rejection):
            rejected.append(found)
        else:
            seen.append(found)
    seen, incomplete, out = steps.drop_known(seen, gallery, {network.check_gallery(gallery) for network in networks})
    rejected += out
    seen, out = steps.drop_duplicates(seen, gallery)
    rejected += out
    vectors: dict[str, steps.Vector] | None = None
    people, doubtful = None, []
    if wishes.embedder is not None:
        vectors = steps.embed(track(seen, "telling people apart"), wishes.embedder)
        chosen = of_person(seen, vectors, gallery, wishes.embedder.name, wishes.person, wishes.questions, report)
        seen, people, doubtful = chosen.taken, chosen.people, chosen.doubtful
        rejected += chosen.others
    elif len(seen) > 1:
        report(f"{WITHOUT_EMBEDDER} ({EMBEDDER_HINT})")
    most = most_entries(gallery.sections)
    seen, out = steps.keep_best(seen, min(wishes.most or most, max(0, most - len(gallery))))
    rejected += out
    seen += incomplete
    stored = None
    if gallery.embedder is not None:
        stored = (vectors or {}) | {e.photo_sha256: e.embedding for e in gallery.entries if e.embedding is not None}
    encoded = steps.encode_entries(
        track(seen, "encoding"), networks, gallery, keep_names=wishes.keep_names, embeddings=stored
    )
    maybe = [one.path for one in doubtful if one in seen]
    return Collected(encoded, seen, rejected, people, maybe)


def _at_hand(gallery: Gallery, path: Path, models: Sequence[str | Path], report: Report) -> list[Model]:
    """The networks of a gallery's sections: those named, and shipped ones for the rest; a section without is reported.

    Raises:
        GalleryError: a network was named that has no section, or no section has a network.
    """
    found: dict[int, Model] = {}
    for name in models or networks_of(gallery, path):
        network = _loaded(name)
        found.setdefault(network.check_gallery(gallery), network)
    for i, section in enumerate(gallery.sections):
        if i in found:
            continue
        if (shipped := shipped_for(*section.key)) is not None:
            found[i] = _loaded(shipped)
        else:
            again = f"had other weights then; to build it anew: {built_anew(gallery, path)}"
            anew = "".join(f"{name} {again}" for name in earlier_weights([section.feature_space]))
            report(
                f"warning: no network here makes features of {section.feature_space}: that section goes without these "
                f"photos ({anew or '--model names its network'})"
            )
    return [found[i] for i in sorted(found)]


def _loaded(model: str | Path | Model) -> Model:
    from edgesr.api import load

    return load(model) if isinstance(model, str | Path) else model


def _paths(photos: Photos) -> list[Path]:
    return [Path(photos)] if isinstance(photos, str | Path) else [Path(photo) for photo in photos]
