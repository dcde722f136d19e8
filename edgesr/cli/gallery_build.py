"""``edgesr gallery build`` and ``add``: from photos to entries, with a reason for every photo that is not taken."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.asking import TerminalQuestions, can_ask
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.cli.printable import one_line

if TYPE_CHECKING:
    from edgesr.gallery.collect import BuiltGallery

photos_argument = click.argument("photos", nargs=-1, required=True, type=PATH)
person_option = click.option("--person", help="Whose photos, where they are several people's: sub-folder, or number.")
names_option = click.option("--keep-names", is_flag=True, help="Store the photos' file names.")
detector_option = click.option("--detector", type=PATH, help="A YuNet, not the package's.")
embedder_option = click.option("--embedder", type=PATH, help="An ONNX embedder, not dlib's.")
max_option = click.option("--max", "most", type=click.IntRange(1, 1000), help="Keep so many photos, the sharpest.")


@click.command("build")
@photos_argument
@click.option("--output", "-o", "out", required=True, type=PATH, help="The gallery file.")
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
    edgesr gallery build photos/ -o ann.gallery --person ann --model hime-small-x4-photo-lr32-s5-tflite-fp32

    Of each photo the one clear face is aligned and judged; blurred, small, dark, turned-away and duplicate ones are
    left out, and every one is said with its reason. Photos of several people are refused by name, or asked about; those
    that may be another person's are asked about on a terminal and taken with a warning elsewhere. It has a section for
    each network, of all that -m names. It is written at the end, complete or not at all, for its owner alone
    (mode 0600). Exit code 1 if no photo was taken.
    """
    from edgesr.gallery.collect import build_gallery, refuse_existing
    from edgesr.models.shipped import PHOTO_NETWORKS

    started = time.monotonic()
    if out.is_dir():
        refuse_existing(out, force)
    output.claim(out)
    refuse_existing(out, force)
    early.some_file(photos)
    early.files(embedder)
    early.detector(detector)
    models = models or PHOTO_NETWORKS
    for model in models:
        early.network(model)
    built = build_gallery(
        photos,
        out,
        models=models,
        dtype=dtype,
        person=person,
        keep_names=keep_names,
        embeddings=embeddings,
        most=most,
        detector=detector,
        embedder=embedder,
        questions=TerminalQuestions() if can_ask(as_json) else None,
        force=force,
        report=output.say,
        track=progress.track,
    )
    finish(out, built, time.monotonic() - started, as_json)


@click.command("add")
@click.argument("gallery", type=PATH)
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
    from edgesr.gallery.collect import add_to_gallery
    from edgesr.gallery.format import read_gallery

    started = time.monotonic()
    read_gallery(gallery)
    early.some_file(photos)
    early.files(embedder)
    early.detector(detector)
    for model in models:
        early.network(model)
    built = add_to_gallery(
        gallery,
        photos,
        models=models,
        person=person,
        keep_names=keep_names,
        most=most,
        detector=detector,
        embedder=embedder,
        questions=TerminalQuestions() if can_ask(as_json) else None,
        report=output.say,
        track=progress.track,
    )
    finish(gallery, built, time.monotonic() - started, as_json)


def finish(path: Path, built: BuiltGallery, seconds: float, as_json: bool) -> None:
    """Say what was taken and what was not."""
    gallery, kept, rejected = built.gallery, built.kept, built.rejected
    if as_json:
        output.write_json(
            {
                "ok": built.ok,
                "gallery": str(path) if kept else None,
                "kept": len(kept),
                "rejected": [{"file": str(one.path), "reason": one.reason} for one in rejected],
                "files": [str(one.path) for one in kept],
                "people": built.people,
                "doubtful": [str(path) for path in built.doubtful],
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
    if not built.ok:
        raise output.NegativeResult
