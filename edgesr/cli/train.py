"""``edgesr train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.cli.train_losses import check_losses, loss_options, losses
from edgesr.data import DEGRADATIONS
from edgesr.errors import UnavailableError, UsageError
from edgesr.process.extras import title


@click.command("train")
@click.argument("data", type=PATH)
@click.option("--output", "-o", "run", type=PATH, help="Run folder. Default: runs/<network>.")
@click.option("--network", default="hime-small-x4", show_default=True, help="A preset, or a config.json with widths.")
@click.option("--name", help="Name of the checkpoint. Default: the network's.")
@click.option("--init", help="Start from this checkpoint instead of at random.")
@click.option("--split", default="train", show_default=True, help="Split to train on, where DATA has splits.")
@click.option("--validation-split", help="Split of eval_list.csv to validate on. Default: val, where there is one.")
@click.option("--validation-people", default=0, type=click.IntRange(0), help="Hold out so many people instead.")
@click.option(
    "--least-photos",
    default=2,
    show_default=True,
    type=click.IntRange(2),
    help="Leave out people with fewer. PWAve's paper: 5.",
)
@click.option("--steps", default=16_000, show_default=True, type=click.IntRange(1))
@click.option("--batch-size", type=click.IntRange(1), help="Default: the network's own, 16 where it has none.")
@click.option(
    "--learning-rate",
    type=Number(0, 1, min_open=True),
    help="Default: the network's own, 6e-4 where it has none.",
)
@click.option(
    "--precision",
    type=click.Choice(["bf16-mixed", "32-true"]),
    help="Default: that of the run to go on with; of a new one bf16-mixed where the machine has instructions for it.",
)
@click.option(
    "--copy-share",
    default=0.06,
    show_default=True,
    type=Number(0, 1),
    help="First share of the run that trains copying.",
)
@click.option(
    "--self-probability",
    default=1.0,
    show_default=True,
    type=Number(0, 1),
    help="Of a warped target in a slot; falls to 0.",
)
@click.option(
    "--self-until",
    default=0.6,
    show_default=True,
    type=Number(0, 1),
    help="Share of the run after which it has fallen to 0.",
)
@click.option(
    "--slot-probabilities",
    metavar="P0,P1,...",
    default="0.15,0.4,0.15,0.3",
    show_default=True,
    help="Of a batch with 0, 1, 2, ... exemplars; '1' trains a network without exemplars.",
)
@click.option("--flips", default="even", show_default=True, type=click.Choice(["even", "none", "uneven"]))
@click.option(
    "--degradation",
    type=click.Choice(DEGRADATIONS),
    help="What LR faces are made with. Default: what --init was trained for, else bicubic, as the papers.",
)
@click.option(
    "--clean-share",
    default=0.0,
    show_default=True,
    type=Number(0, 1),
    help="Probability of an LR face that is only scaled down, beside those that the degradation leaves clean.",
)
@click.option(
    "--detail-drop",
    default=0.0,
    show_default=True,
    type=Number(0, 1),
    help="Probability of an LR face of half the detail.",
)
@click.option(
    "--augment", default=0.0, show_default=True, type=Number(0, 2), help="How far targets are warped and relit, 0 to 2."
)
@click.option(
    "--wrong-gallery",
    default=0.0,
    show_default=True,
    type=Number(0, 1),
    help="Probability of somebody else's exemplars.",
)
@click.option(
    "--offset-learning-rate",
    default=1.0,
    show_default=True,
    type=Number(0, 100, min_open=True),
    help="Offset head's, over that of the rest.",
)
@click.option(
    "--rate",
    multiple=True,
    metavar="NAME=FACTOR",
    help="Learning rate of the parameters whose names begin so, over that of the rest (wnn1.=1); several in turn. "
    "Default: the network's own paper's.",
)
@click.option(
    "--pretraining-share",
    type=Number(0, 1, max_open=True),
    help="First share of the run, of a network that learns known warps first.",
)
@click.option(
    "--pretraining-warp",
    type=Number(0, 4, min_open=True),
    help="How far those warps go: 1 is as far as a target that is shown as its own exemplar.",
)
@click.option("--seed", default=0, show_default=True)
@threads_option
@click.option("--max-minutes", type=Number(0, min_open=True), help="Stop and save after this time.")
@click.option("--validate-every", default=1000, show_default=True, type=click.IntRange(1), help="In steps.")
@loss_options
@output.json_option
def command(
    data: Path,
    run: Path | None,
    network: str,
    name: str | None,
    init: str | None,
    split: str,
    validation_split: str | None,
    validation_people: int,
    least_photos: int,
    steps: int,
    batch_size: int | None,
    learning_rate: float | None,
    precision: str | None,
    copy_share: float,
    self_probability: float,
    self_until: float,
    slot_probabilities: str,
    flips: str,
    degradation: str | None,
    clean_share: float,
    detail_drop: float,
    augment: float,
    wrong_gallery: float,
    offset_learning_rate: float,
    rate: tuple[str, ...],
    pretraining_share: float | None,
    pretraining_warp: float | None,
    seed: int,
    max_minutes: float | None,
    validate_every: int,
    as_json: bool,
    **loss: Any,
) -> None:
    """Train a network on DATA: a folder with one sub-folder of aligned photos per person.

    \b
    edgesr train my-faces --max-minutes 60
    edgesr train my-people --network my-widths.json -o runs/mine
    torchrun --nproc-per-node 4 -m edgesr.cli train my-people

    The same command again goes on where the run stopped (Ctrl-C, --max-minutes, a power cut), exactly. The run
    folder holds checkpoint/ with the averaged weights so far, log.csv, validation.csv, the same for TensorBoard,
    and samples/. The degradation belongs to the network: one that starts from a network for phone photos
    (hime-small-x4-photo) is trained on faces as phones make them, and eval, quantize and report measure each with its
    own. Under torchrun, --batch-size is that of all processes together.
    """
    check_losses(loss)
    if loss["impostor"] and not wrong_gallery:
        raise UsageError("--impostor is given without --wrong-gallery", "--wrong-gallery 0.3 shows somebody else's")
    early.architecture(network)
    early.faces(data)
    early.files(*(loss[name] for name in ("vgg19", "vgg16", "lpips_linear", "embedder")))
    start = None
    if init is not None:  # an empty name, of a variable that is not set, is none
        from edgesr.models.description import find_checkpoint, read_description, trained_for

        described = read_description(find_checkpoint(init))
        start, degradation = described.config, degradation or trained_for(described.training)
    try:
        from edgesr.training.processes import is_lead
        from edgesr.training.run import prepare_run, run_folder
        from edgesr.training.setup import network_config, settings_for
    except ImportError as error:
        raise UnavailableError(f"training needs {title(error)}", "pip install 'edgesr[train]'") from error
    from edgesr.cli.training_progress import fit
    from edgesr.data.batches import Curriculum
    from edgesr.training.state import recorded_precision

    lead, folder = is_lead(), run_folder(run, network)
    if lead:
        output.claim(folder)
    widths = network_config(network)[0]
    loss_config, loss_files = losses(loss, widths)
    given = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision or recorded_precision(folder),
        "seed": seed,
        "curriculum": Curriculum(
            copy_share,
            self_probability,
            self_until,
            numbers(slot_probabilities),
            flips,
            detail_drop,
            augment,
            wrong_gallery,
            clean_share,
        ),
        "loss": loss_config,
        "discriminator_learning_rate": loss["discriminator_learning_rate"],
        "degradation": degradation or "bicubic",
        "offset_learning_rate": offset_learning_rate,
        "rates": tuple(map(named_factor, rate)) or None,
        "pretraining_share": pretraining_share,
        "pretraining_warp": pretraining_warp,
        "least_photos": least_photos,
    }
    train_config = settings_for(widths, given, start)
    prepared = prepare_run(
        data,
        folder,
        train_config,
        network=network,
        name=name,
        init=init,
        split=split,
        validation_split=validation_split,
        validation_people=validation_people,
        loss_files=loss_files,
        report=output.say,
        track=progress.track,
    )
    trainer = prepared.trainer
    last = fit(
        trainer,
        "training",
        validation=prepared.validation,
        validate_every=validate_every,
        max_minutes=max_minutes,
        visible=lead,
    )
    if not lead:
        return
    done = trainer.step >= steps
    if as_json:
        output.write_json(
            {"ok": True, "checkpoint": str(trainer.checkpoint), "step": trainer.step, "done": done, "validation": last}
        )
    else:
        output.write(str(trainer.checkpoint))
        if not done:
            output.say(f"stopped at step {trainer.step} of {steps}; the same command goes on from there")


def named_factor(text: str) -> tuple[str, float]:
    """``wnn1.=1`` as the beginning of names, and a factor."""
    name, _, factor = text.rpartition("=")
    try:
        if name:
            return name, float(factor)
    except ValueError:
        pass
    raise UsageError(f"--rate {text!r} is no name and factor", "write it as wnn1.=0.5")


def numbers(text: str) -> tuple[float, ...]:
    """``0.15,0.4`` as numbers."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of numbers", "write them as 0.15,0.4,0.15,0.3") from error
