"""``edgesr data``: photos into the layout that training and evaluation read."""

from __future__ import annotations

from pathlib import Path

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.group import Group
from edgesr.errors import InputOutputError

SUFFIXES = {"png": ".png", "jpg": ".jpg"}

size_option = click.option("--size", default=128, show_default=True, type=click.IntRange(16, 1024), help="Crop's side.")
format_option = click.option("--format", "kind", default="png", show_default=True, type=click.Choice([*SUFFIXES]))
folder_option = click.option("--output", "-o", "folder", required=True, type=click.Path(path_type=Path))


@click.group("data", cls=Group)
def command() -> None:
    """Make the folders of aligned crops that train and eval read."""


@command.command("prepare")
@click.argument("raw", type=click.Path(path_type=Path))
@folder_option
@size_option
@click.option("--split", default="train", show_default=True, help="Split to write.")
@click.option("--least-side", type=click.FloatRange(8), help="Least side of a face in the photo. Default: --size.")
@click.option("--largest", is_flag=True, help="Take the largest face even where another is of like size.")
@click.option("--detector", type=click.Path(path_type=Path), help="YuNet's file, if not the package's.")
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
    """
    if not raw.is_dir():
        raise InputOutputError(f"no folder {raw}", "give a folder with one sub-folder of photos per person")
    early.detector(detector)
    from edgesr.data.prepare import prepare as run
    from edgesr.detection import FaceDetector

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
        progress=lambda photos: progress.track(photos, "aligning"),
    )
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
            }
        )
    else:
        for one in result.rejected:
            output.say(f"rejected {one.file}: {one.reason}")
        earlier = f" ({result.already} from before)" if result.already else ""
        output.write(f"{folder}: {result.kept} crops of {result.people} people{earlier}")
        output.write(f"rejected: {len(result.rejected)}")
    if not result.kept:
        raise output.NegativeResult


@command.command("celebamask")
@click.argument("root", type=click.Path(path_type=Path))
@folder_option
@size_option
@click.option("--identities", type=click.Path(path_type=Path), help="CelebA's identity_CelebA.txt. Default: in ROOT.")
@click.option("--val-people", default=0, show_default=True, type=click.IntRange(0), help="Taken from train, for val.")
@click.option("--seed", default=0, show_default=True, help="Of the split and the exemplars.")
@format_option
@threads_option
@output.force_option
@output.json_option
def celebamask(
    root: Path,
    folder: Path,
    size: int,
    identities: Path | None,
    val_people: int,
    seed: int,
    kind: str,
    force: bool,
    as_json: bool,
) -> None:
    """Scale CelebAMask-HQ (ROOT) down into our layout: people with 4 photos or more, 2,600 to train, 287 to test.

    \b
    edgesr data celebamask CelebAMask-HQ -o celebamask --val-people 20
    edgesr train celebamask

    split.csv says who is where, eval_list.csv which exemplars each target is measured with. The paper has no
    val split, so there is none by default; what chooses checkpoints should not be test.
    """
    from edgesr.data.celebamask import write_celebamask

    output.claim(folder)
    written = write_celebamask(
        root,
        folder,
        size=size,
        identities=identities,
        seed=seed,
        val_people=val_people,
        suffix=SUFFIXES[kind],
        force=force,
        progress=lambda people: progress.track(people, "scaling down"),
    )
    if as_json:
        output.write_json(
            {
                "ok": True,
                "folder": str(folder),
                "kept": written.kept,
                "already": written.already,
                "people": written.people,
                "split_list": str(written.split_list),
                "eval_list": str(written.eval_list),
            }
        )
        return
    counts = ", ".join(f"{count} {split}" for split, count in written.people.items())
    output.write(f"{folder}: {written.kept} crops, people: {counts}")
