"""``edgesr gallery build`` and ``add``: from photos to entries, with a reason for every photo that is not taken."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.asking import can_ask
from edgesr.cli.computing import threads_option
from edgesr.cli.gallery_people import of_folder, of_person, open_embedder
from edgesr.cli.printable import one_line
from edgesr.errors import GalleryError, UsageError

if TYPE_CHECKING:
    from edgesr.api import Model
    from edgesr.gallery.format import Entry, Gallery
    from edgesr.gallery.photos import Candidate, Rejection

photos_argument = click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
person_option = click.option("--person", help="Whose photos, where they are several people's: sub-folder, or number.")
names_option = click.option("--keep-names", is_flag=True, help="Store the photos' file names.")
detector_option = click.option("--detector", type=click.Path(path_type=Path), help="A YuNet, not the package's.")
embedder_option = click.option("--embedder", type=click.Path(path_type=Path), help="An ONNX embedder, not dlib's.")
max_option = click.option("--max", "most", type=click.IntRange(1, 1000), help="Keep so many photos, the sharpest.")


@click.command("build")
@photos_argument
@click.option("--output", "-o", "out", required=True, type=click.Path(path_type=Path), help="The gallery file.")
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    help="A checkpoint or a bundle; several give a section each. Default: those for photos.",
)
@click.option("--dtype", type=click.Choice(["int8", "fp16"]), help="How features are stored. Default: int8.")
@person_option
@names_option
@click.option(
    "--embeddings/--no-embeddings",
    default=None,
    help="Store face embeddings, which tell whose gallery it is. Default: where an embedder is installed.",
)
@detector_option
@embedder_option
@max_option
@threads_option
@output.force_option
@output.json_option
def build(
    photos: tuple[Path, ...],
    out: Path,
    models: tuple[str, ...],
    dtype: Any,
    person: str | None,
    keep_names: bool,
    embeddings: bool | None,
    detector: Path | None,
    embedder: Path | None,
    most: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Build a gallery from one person's photos: files, or folders of them.

    \b
    edgesr gallery build photos/ -o me.gallery
    edgesr gallery build photos/ -o ann.gallery --person ann --model hime-small-x4-photo-lr32-s3-tflite-fp32

    Of each photo the one clear face is aligned and judged; blurred, small, dark, turned-away and duplicate ones are
    left out, and every one is said with its reason. Photos of several people are refused by name, or asked about; those
    that may be another person's are asked about on a terminal and taken with a warning elsewhere. It has a section for
    each network, of all that -m names. It is written at the end, complete or not at all, for its owner alone
    (mode 0600). Exit code 1 if no photo was taken.
    """
    import edgesr
    from edgesr.gallery.build import empty_gallery
    from edgesr.gallery.format import write_gallery
    from edgesr.models.shipped import PHOTO_NETWORKS

    started = time.monotonic()
    if out.is_dir():
        raise UsageError(f"{out} is a folder", "give the gallery's file: -o me.gallery")
    output.claim(out)
    if out.exists() and not force:
        raise UsageError(f"{out} already exists", "pass --force to replace it, or edgesr gallery add to add to it")
    refuse_other(out)
    early.some_file(photos)
    early.files(embedder)
    early.detector(detector)
    models = models or PHOTO_NETWORKS
    for model in models:
        early.network(model)
    networks = [edgesr.load(model) for model in models]
    tells = open_embedder(embedder, bool(embeddings))
    stored = tells.name if tells is not None and embeddings is not False else None
    blank = empty_gallery(networks, dtype, stored)
    wishes = Wishes(detector, tells, person, keep_names, most, can_ask(as_json))
    collected = collect(photos, networks, blank, wishes)
    gallery = blank.replace(entries=collected.entries)
    if collected.entries:
        write_gallery(out, gallery, erase_old=True)
    finish(out, gallery, collected, time.monotonic() - started, as_json)


def refuse_other(out: Path) -> None:
    """Raises UsageError: what --force would replace is no gallery, but perhaps somebody's photo."""
    from edgesr.gallery.format import read_gallery

    if not out.exists() or out.suffix == ".gallery" or not out.stat().st_size:
        return
    try:
        read_gallery(out)
    except GalleryError as error:
        raise UsageError(f"{out} is no gallery", "--force replaces galleries only: choose another place") from error


@click.command("add")
@click.argument("gallery", type=click.Path(path_type=Path))
@photos_argument
@click.option("--model", "-m", "models", multiple=True, help="The network of a section, where it is no shipped one.")
@person_option
@names_option
@detector_option
@embedder_option
@max_option
@threads_option
@output.json_option
def add(
    gallery: Path,
    photos: tuple[Path, ...],
    models: tuple[str, ...],
    person: str | None,
    keep_names: bool,
    detector: Path | None,
    embedder: Path | None,
    most: int | None,
    as_json: bool,
) -> None:
    """Add photos to GALLERY; several commands may add at once. Exit code 1 if no photo was taken.

    They are encoded for every section whose network is here: a shipped one, or one named by --model. A section without
    its network is said, and goes without these photos until they are added again with it.
    """
    from edgesr.gallery import edit
    from edgesr.gallery.format import read_gallery

    started = time.monotonic()
    stored = read_gallery(gallery)
    early.some_file(photos)
    early.files(embedder)
    early.detector(detector)
    for model in models:
        early.network(model)
    networks = at_hand(stored, models)
    tells = open_embedder(embedder, stored.embedder is not None)
    if stored.embedder is not None and tells.name != stored.embedder:
        raise UsageError(f"{gallery} has embeddings of {stored.embedder}, not of {tells.name}", "pass --embedder FILE")
    if stored.embedder is None:
        output.say("note: whose face a photo shows cannot be checked: the gallery holds no face embeddings")
    wishes = Wishes(detector, tells, person, keep_names, most, can_ask(as_json))
    collected = collect(photos, networks, stored, wishes)
    if collected.entries:
        stored, _ = edit.add(gallery, collected.entries)
    finish(gallery, stored, collected, time.monotonic() - started, as_json)


def at_hand(gallery: Gallery, models: Sequence[str]) -> list[Model]:
    """The networks of a gallery's sections: those named, and shipped ones for the rest; a section without is said.

    Raises:
        GalleryError: a network was named that has no section, or no section has a network.
    """
    import edgesr
    from edgesr.gallery.network import networks_of
    from edgesr.models.shipped import shipped_for

    found: dict[int, Model] = {}
    for name in models or networks_of(gallery):
        network = edgesr.load(name)
        found.setdefault(network.check_gallery(gallery), network)
    for i, section in enumerate(gallery.sections):
        if i in found:
            continue
        if (shipped := shipped_for(*section.key)) is not None:
            found[i] = edgesr.load(shipped)
        else:
            output.say(
                f"warning: no network here makes features of {section.feature_space}: that section goes without these "
                "photos (--model names its network)"
            )
    return [found[i] for i in sorted(found)]


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the user wants of the photos; the same for ``build`` and ``add``."""

    detector: Path | None
    embedder: Any
    person: str | None
    keep_names: bool
    most: int | None
    ask: bool


@dataclasses.dataclass(frozen=True)
class Collected:
    """Entries and the candidates they come from; what was left out; ``people``: None where it cannot be told;
    ``doubtful``: photos taken that may show another person."""

    entries: tuple[Entry, ...]
    kept: list[Candidate]
    rejected: list[Rejection]
    people: int | None
    doubtful: list[Path]
    named: frozenset[Path] = frozenset()
    """Photos that were named themselves and not found in a folder: that one of them cannot be read is a failure."""


def collect(photos: Sequence[Path], networks: Sequence[Model], gallery: Gallery, wishes: Wishes) -> Collected:
    """Entries for ``gallery`` from photos."""
    from edgesr.faces.detection import open_detector
    from edgesr.gallery import build as steps
    from edgesr.gallery.header import MOST_ENTRIES
    from edgesr.gallery.photos import Rejection, gather, look

    files = of_folder(gather(photos), wishes.person)
    finder = open_detector(wishes.detector, output.say)
    seen: list[Candidate] = []
    rejected: list[Rejection] = []
    size = max(network.config.hr_size for network in networks)
    for path in progress.track(files, "looking at photos"):
        room = len(seen) < MOST_ENTRIES
        found = look(path, finder, size) if room else Rejection(path, "the gallery is full")
        if isinstance(found, Rejection):
            rejected.append(found)
        else:
            seen.append(found)
    seen, incomplete, out = steps.drop_known(seen, gallery, {network.check_gallery(gallery) for network in networks})
    rejected += out
    seen, out = steps.drop_duplicates(seen, gallery)
    rejected += out
    vectors, people, doubtful = None, None, []
    if wishes.embedder is not None:
        vectors = steps.embed(progress.track(seen, "telling people apart"), wishes.embedder)
        chosen = of_person(seen, vectors, gallery, wishes.embedder.name, wishes.person, wishes.ask)
        seen, people, doubtful = chosen.taken, chosen.people, chosen.doubtful
        rejected += chosen.others
    elif len(seen) > 1:
        from edgesr.gallery.people import EMBEDDER_HINT, WITHOUT_EMBEDDER

        output.say(f"{WITHOUT_EMBEDDER} ({EMBEDDER_HINT})")
    seen, out = steps.keep_best(seen, min(wishes.most or MOST_ENTRIES, MOST_ENTRIES - len(gallery)))
    rejected += out
    seen += incomplete
    stored = None
    if gallery.embedder is not None:
        stored = (vectors or {}) | {e.photo_sha256: e.embedding for e in gallery.entries if e.embedding is not None}
    encoded = steps.encode_entries(
        progress.track(seen, "encoding"), networks, gallery, keep_names=wishes.keep_names, embeddings=stored
    )
    maybe = [one.path for one in doubtful if one in seen]
    return Collected(encoded, seen, rejected, people, maybe, frozenset(photos))


def finish(path: Path, gallery: Gallery, collected: Collected, seconds: float, as_json: bool) -> None:
    """Say what was taken and what was not."""
    kept, rejected = collected.kept, collected.rejected
    unreadable = [one for one in rejected if not one.readable and one.path in collected.named]
    if as_json:
        output.write_json(
            {
                "ok": bool(kept) and not unreadable,
                "gallery": str(path) if kept else None,
                "kept": len(kept),
                "rejected": [{"file": str(one.path), "reason": one.reason} for one in rejected],
                "files": [str(one.path) for one in kept],
                "people": collected.people,
                "doubtful": [str(path) for path in collected.doubtful],
                "entries": len(gallery),
                "sections": [
                    {"feature_space": section.feature_space, "dtype": section.dtype, "entries": len(gallery.held(i))}
                    for i, section in enumerate(gallery.sections)
                ],
                "embedder": gallery.embedder,
                "seconds": round(seconds, 3),
            }
        )
    else:
        for one in rejected:
            # What cannot be read is named by its reason.
            name = "" if str(one.path) in one.reason else f" {one_line(one.path)}"
            output.say(f"left out{name}: {one_line(one.reason)}")
        if kept:
            of = len(kept) + len(rejected)
            size = output.size(path.stat().st_size)
            held = "with" if gallery.embedder else "without"
            entries = output.counted(len(gallery), "entry", "entries")
            output.write(f"{path}: {len(kept)} of {of} photos taken, {entries} {held} face embeddings, {size}")
        else:
            output.write("no photo was taken")
    if not kept or unreadable:
        raise output.NegativeResult
