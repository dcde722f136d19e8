"""``edgesr data celebamask`` and ``celeba``: the papers' data sets, in our layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesr.cli import output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.crop_options import SUFFIXES, folder_option, format_option, size_option
from edgesr.cli.path import PATH

if TYPE_CHECKING:
    from edgesr.data.identities import Written

identities_option = click.option("--identities", type=PATH, help="CelebA's identity_CelebA.txt. Default: in ROOT.")


@click.command("celebamask")
@click.argument("root", type=PATH)
@folder_option
@size_option
@identities_option
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
    _tell(written, folder, as_json)


@click.command("celeba")
@click.argument("root", type=PATH)
@folder_option
@identities_option
@click.option("--partition", type=PATH, help="CelebA's list_eval_partition.txt. Default: in ROOT.")
@click.option(
    "--val-people", default=50, show_default=True, type=click.IntRange(0), help="Of CelebA's val, to validate on."
)
@click.option("--seed", default=0, show_default=True, help="Of the exemplars, and of whom is validated on.")
@format_option
@threads_option
@output.force_option
@output.json_option
def celeba(
    root: Path,
    folder: Path,
    identities: Path | None,
    partition: Path | None,
    val_people: int,
    seed: int,
    kind: str,
    force: bool,
    as_json: bool,
) -> None:
    """Crop CelebA (ROOT) as the PWAve paper does: its own splits, 128x128, people with 5 photos or more.

    \b
    edgesr data celeba CelebA -o celeba --format jpg
    edgesr train celeba --network pwave-x8
    edgesr eval -c runs/pwave-x8 --data celeba --split test

    ROOT holds img_align_celeba/ (178x218), identity_CelebA.txt and list_eval_partition.txt, or Img/, Anno/ and Eval/
    with them. Every photo of test is a target of eval_list.csv; eval --limit takes fewer.
    """
    from edgesr.data.celeba import write_celeba

    output.claim(folder)
    written = write_celeba(
        root,
        folder,
        identities=identities,
        partition=partition,
        seed=seed,
        val_people=val_people,
        suffix=SUFFIXES[kind],
        force=force,
        progress=lambda people: progress.track(people, "cropping"),
    )
    _tell(written, folder, as_json)


def _tell(written: Written, folder: Path, as_json: bool) -> None:
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
