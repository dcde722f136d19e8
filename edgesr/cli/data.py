"""``edgesr data``: photos into the layout that training and evaluation read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.crop_options import SUFFIXES, folder_option, format_option, size_option
from edgesr.cli.data_celeba import celeba, celebamask
from edgesr.cli.group import Group
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.errors import InputOutputError, UsageError

if TYPE_CHECKING:
    from edgesr.data.prepare import Part
    from edgesr.data.splits import Split


@click.group("data", cls=Group)
def command() -> None:
    """Make the folders of aligned crops that train and eval read."""


@command.command("prepare")
@click.argument("raw", type=PATH)
@folder_option
@size_option
@click.option("--split", default="train", show_default=True, help="Split to write.")
@click.option("--least-side", type=Number(8), help="Least side of a face in the photo. Default: --size.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes that find faces.")
@click.option("--part", metavar="I/N", help="Only the I-th of N parts of the people, for array jobs.")
@click.option("--largest", is_flag=True, help="Take the largest face even where another is of like size.")
@click.option("--detector", type=PATH, help="YuNet's file, if not the package's.")
@format_option
@threads_option
@output.force_option
@output.json_option
def prepare(
    raw: Path,
    folder: Path,
    size: int,
    split: str,
    least_side: float | None,
    workers: int,
    part: str | None,
    largest: bool,
    detector: Path | None,
    kind: str,
    force: bool,
    as_json: bool,
) -> None:
    """Align the face of every photo in RAW, a folder with one sub-folder of photos per person.

    \b
    edgesr data prepare my-photos -o my-faces
    edgesr data prepare my-photos -o my-faces --size 256 --largest

    Crops go to FOLDER/<size>/<split>/<person>/NN.png with a row each in FOLDER/manifest.csv. The same command
    again goes on where it was interrupted and takes in new photos. Exit code 1 if no photo gave a crop.

    FOLDER/eval_list.csv then says who is evaluated on (a tenth of the people for val, a tenth for test, two at
    least), and training leaves those out. A list that is there stays; edgesr data split remakes it.

    --part 3/16 takes a sixteenth of the people, so that sixteen jobs work on one FOLDER at the same time; when all are
    done, edgesr data split FOLDER makes one manifest.csv of theirs and writes the list.
    """
    if not raw.is_dir():
        raise InputOutputError(f"no folder {raw}", "give a folder with one sub-folder of photos per person")
    early.detector(detector)
    from edgesr.data.crops import part_names
    from edgesr.data.prepare import prepare as run
    from edgesr.data.splits import part_claim
    from edgesr.faces.detection import FaceDetector

    chosen = part_of(part)
    for name in part_names(folder) if chosen is None else [str(chosen)]:
        output.claim(part_claim(folder, name))
    if chosen is None:
        output.claim(folder)
    result = run(
        raw,
        folder,
        FaceDetector(detector),
        size=size,
        split=split,
        least_side=least_side,
        largest=largest,
        suffix=SUFFIXES[kind],
        force=force,
        workers=workers,
        part=chosen,
        progress=lambda photos: progress.track(photos, "aligning"),
    )
    split_made, note = first_split(folder, size) if result.kept and chosen is None else (None, "")
    if chosen is not None:
        note = f"when all {chosen.of} parts are done: edgesr data split {folder}"
    if as_json:
        rejected = [{"file": one.file, "reason": one.reason} for one in result.rejected]
        output.write_json(
            {
                "ok": result.kept > 0,
                "folder": str(folder),
                "kept": result.kept,
                "already": result.already,
                "people": result.people,
                "rejected": rejected,
                "eval_list": split_answer(split_made) if split_made else None,
            }
        )
    else:
        for one in result.rejected:
            output.say(f"rejected {one.file}: {one.reason}")
        earlier = f" ({result.already} from before)" if result.already else ""
        output.write(f"{folder}: {result.kept} crops of {result.people} people{earlier}")
        output.write(f"rejected: {len(result.rejected)}")
        if split_made:
            say_split(split_made)
    if note:
        output.say(f"note: {note}")
    if not result.kept:
        raise output.NegativeResult


def part_of(text: str | None) -> Part | None:
    """``3/16``.

    Raises:
        UsageError: it is none.
    """
    from edgesr.data.prepare import Part

    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError(f"{text!r} is no part", "the first of sixteen is --part 1/16")
    return Part(int(number), int(of))


def first_split(folder: Path, size: int) -> tuple[Split | None, str]:
    """The folder's evaluation list, where it has none; or why none is written."""
    from edgesr.data.layout import EVAL_LIST
    from edgesr.data.splits import write_split

    if (folder / EVAL_LIST).exists():
        return None, f"{folder / EVAL_LIST} stays as it is; edgesr data split {folder} --force remakes it"
    try:
        return write_split(folder, size), ""
    except InputOutputError as error:
        return None, f"no evaluation list: {error.what}"


@command.command("split")
@click.argument("folder", type=PATH)
@click.option("--size", type=click.IntRange(16, 1024), help="Crop's side. Default: the one there is, or 128.")
@click.option("--val", default=0.1, show_default=True, type=Number(0, 1), help="Share of people for val.")
@click.option("--test", default=0.1, show_default=True, type=Number(0, 1), help="Share of people for test.")
@click.option("--seed", default=0, show_default=True, help="Of who is drawn, and of the exemplars.")
@output.force_option
@output.json_option
def split_command(
    folder: Path, size: int | None, val: float, test: float, seed: int, force: bool, as_json: bool
) -> None:
    """Say who of FOLDER is trained on and who is evaluated on: writes FOLDER/eval_list.csv.

    \b
    edgesr data split my-faces
    edgesr data split my-faces --val 0 --test 1     all to test: a folder to measure on
    edgesr data split my-faces --seed 1 --force     others

    FOLDER holds aligned crops: FOLDER/<size>/<split>/<person>/ as edgesr data prepare writes, or FOLDER/<person>/.
    No photo moves: people are drawn by their names, nobody is in two splits, and training leaves out whom the list
    has elsewhere. A split has two people at least; where there are too few, test comes before val. Up to 8 photos
    a person are targets, each with up to 5 others as exemplars. Folders that are splits already (FOLDER/128/test)
    stay whole.
    """
    from edgesr.data.splits import sizes_of, write_split

    sizes = sizes_of(folder)
    made = write_split(
        folder, size or (sizes[0] if len(sizes) == 1 else 128), val=val, test=test, seed=seed, force=force
    )
    if as_json:
        output.write_json({"ok": True, **split_answer(made)})
    else:
        say_split(made)


def split_answer(made: Split) -> dict[str, Any]:
    """A split in a JSON answer."""
    return {"eval_list": str(made.eval_list), "people": made.people, "targets": made.targets, "few_photos": made.few}


def say_split(made: Split) -> None:
    """A split on a terminal: how many are where, who was drawn, who has too few photos."""
    counts = ", ".join(f"{len(names)} {split}" for split, names in made.people.items())
    output.write(f"{made.eval_list}: {output.counted(made.targets, 'target', 'targets')}, people: {counts}")
    for name, photos in made.few.items():
        output.say(f"{name} has {output.counted(photos, 'photo', 'photos')}, two are needed: left out of every split")
    if not made.people["train"]:
        output.say("note: nobody is left to train on")
    if "val" not in made.people:
        output.say("note: no val, so training validates on nothing; quantize --search and --sensitivity need it, too")


@command.command("shard")
@click.argument("folder", type=PATH)
@click.option("--output", "-o", "out", required=True, type=PATH)
@size_option
@click.option("--split", default="train", show_default=True, help="Split to write.")
@click.option("--shard-size", default=8192, show_default=True, type=click.IntRange(64), help="Photos of a file.")
@output.force_option
@output.json_option
def shard(folder: Path, out: Path, size: int, split: str, shard_size: int, force: bool, as_json: bool) -> None:
    """Write FOLDER's crops into a folder of large files, to train on sets that do not fit into memory.

    \b
    edgesr data shard my-faces -o my-shards
    edgesr train my-shards

    The files hold the crops as they are, so a batch is the same to the bit from either form. Who is evaluated on is
    left out, as in training; eval_list.csv, its photos and what manifest.csv says of them are copied beside, so
    training validates as before, and edgesr eval measures.
    """
    from edgesr.data.shards import refuse_other, write_shards

    refuse_other(out, folder)
    early.absent(out, force=force)
    output.claim(out)
    written = write_shards(
        folder, out, size, split, rows=shard_size, track=lambda paths: progress.track(paths, "writing shards")
    )
    if as_json:
        output.write_json({"ok": True, "folder": str(out), **dataclasses.asdict(written)})
    else:
        files = output.counted(written.shards, "file", "files")
        output.write(f"{out}: {written.photos:,} crops of {written.people:,} people in {files}")


command.add_command(celeba)
command.add_command(celebamask)
