"""``edgesr quantize``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.errors import CheckpointError, UnavailableError, UsageError
from edgesr.process.extras import title
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.data.faces import EvalPair
    from edgesr.models import Checkpoint
    from edgesr.quantize.scheme import Quantization

DEFAULT_SPLIT = "val"


@click.command("quantize")
@click.argument("checkpoint", default=DEFAULT_CHECKPOINT)
@click.option("--data", type=PATH, help="Folder of aligned faces, as edgesr train takes it.")
@click.option(
    "--method", default="qat", show_default=True, type=click.Choice(["qat", "ptq"]), help="Train, or calibrate."
)
@click.option("--recipe", "recipe_file", type=PATH, help="Precision of each layer (TOML or JSON). Default: the policy.")
@click.option("--write-recipe", type=PATH, metavar="FILE", help="Write the default recipe with all layers, and stop.")
@click.option("--search", is_flag=True, help="Write a recipe that loses at most --max-drop, and stop.")
@click.option("--max-drop", default=0.02, show_default=True, type=Number(0), help="PSNR in dB, on val.")
@click.option("--search-faces", default=12, show_default=True, type=click.IntRange(1), help="Of val, for --search.")
@click.option("--observer", default="cubic", show_default=True, type=click.Choice(["cubic", "mse", "percentile"]))
@click.option("--faces", default=96, show_default=True, type=click.IntRange(1), help="To calibrate on.")
@click.option("--split", default="train", show_default=True, help="To calibrate and to train on.")
@click.option("--eval-split", multiple=True, help="To measure the loss on; again for more. Default: val.")
@click.option("--identity/--no-identity", default=False, show_default=True, help="Measure identity's loss too.")
@click.option("--steps", default=1200, show_default=True, type=click.IntRange(1), help="qat: of training.")
@click.option("--batch-size", default=8, show_default=True, type=click.IntRange(1))
@click.option("--learning-rate", default=2e-5, show_default=True, type=Number(0, 1, min_open=True))
@click.option("--distil", default=1.0, show_default=True, type=Number(0), help="Weight of the float output.")
@click.option("--max-minutes", type=Number(0, min_open=True), help="qat: stop and save after this time.")
@threads_option
@click.option("--seed", default=0, show_default=True)
@click.option("--run", type=PATH, help="qat: folder to resume from. Default: runs/<name>.")
@click.option("--name", help="Of the new checkpoint. Default: <checkpoint>-int8, or -int8-ptq.")
@click.option("--output", "-o", "out", type=PATH, help="Its folder. Default: <name>.")
@output.force_option
@output.json_option
def command(
    checkpoint: str,
    data: Path | None,
    method: str,
    recipe_file: Path | None,
    write_recipe: Path | None,
    search: bool,
    max_drop: float,
    search_faces: int,
    observer: str,
    faces: int,
    split: str,
    eval_split: tuple[str, ...],
    identity: bool,
    steps: int,
    batch_size: int,
    learning_rate: float,
    distil: float,
    max_minutes: float | None,
    seed: int,
    run: Path | None,
    name: str | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make an int8 network of a float CHECKPOINT: calibrated on real faces, then trained to bear it.

    \b
    edgesr quantize --data my-faces                        calibrate, then train (the same command resumes)
    edgesr quantize --data my-faces --method ptq           calibrate alone: a minute
    edgesr quantize --write-recipe mine.toml               which layers there are; then --recipe mine.toml
    edgesr quantize --data my-faces --search               find a recipe, against three named ones
    edgesr quantize my-int8 --method ptq --recipe mine.toml --data my-faces    an int8 network by another recipe

    The new checkpoint holds float weights and the scale of every tensor, so all targets compute with the same
    integers: edgesr convert --precision int8 --checkpoint <it>. Its galleries are those of the float network.
    """
    early.checkpoint(checkpoint)
    early.files(recipe_file)
    early.absent(write_recipe, force=force)
    if not write_recipe:
        if data is None:
            raise UsageError("--data FOLDER is missing", "aligned faces, one folder a person, as train takes them")
        early.faces(data)
        if out and not search:
            refuse_existing(out, force)
    try:
        from edgesr.quantize.graphs import all_layers, quantization_of
        from edgesr.quantize.ptq import calibrate, calibration_faces, extended
    except ImportError as error:
        raise UnavailableError(f"quantization needs {title(error)}", "pip install 'edgesr[executorch]'") from error
    from edgesr.cli.quantize_search import search_recipe, write_default_recipe
    from edgesr.models import load_checkpoint
    from edgesr.models.description import NAMES, is_name
    from edgesr.quantize.network import check_trainable
    from edgesr.quantize.recipe import policy_of, read_recipe

    given = load_checkpoint(checkpoint, quantized=method == "ptq" and not search)
    known = quantization_of(given)
    source = float_network(known) if known else given
    if write_recipe:
        write_default_recipe(write_recipe, source, all_layers(source.model), force, as_json)
        return
    assert data is not None
    if search:
        search_recipe(
            source,
            data,
            out or Path("mixed.toml"),
            split=split,
            faces=faces,
            trial_faces=search_faces,
            max_drop=max_drop,
            force=force,
            as_json=as_json,
        )
        return
    if method == "qat":
        check_trainable(source.model)
    recipe = read_recipe(recipe_file) if recipe_file else policy_of(source.model.config)
    recipe.check(all_layers(source.model))
    if name is not None and not is_name(name):
        raise UsageError(f"a network cannot be called {name!r:.60}", f"a name is {NAMES}")
    name = name or (given.name if known else f"{source.name}-int8" + ("-ptq" if method == "ptq" else ""))
    out = out or Path(name)
    run = run or Path("runs") / name
    output.claim(out)
    if method == "qat":
        output.claim(run)
    refuse_existing(out, force)
    config = source.model.config
    # What is measured at the end is read first: a mistake there must not cost the training.
    evaluation = read_evaluation(data, eval_split, config.hr_size, identity)
    chosen = calibration_faces(data, split, config.hr_size, config.slots, faces)
    output.say(f"calibrating on {len(chosen)} faces of {data}")
    calibrating = {
        "recipe": recipe,
        "observer": observer,
        "track": lambda items: progress.track(items, "calibrating"),
    }
    if known:
        quantization = extended(given, known, chosen, **calibrating)  # type: ignore[arg-type]
        added = ", ".join(f"`{name}`" for name in quantization.calibration.get("added", ())) or "nothing"
        how = f"Weights and scales are those of `{given.name}`.\nCalibrated on {faces} faces of `{split}`: {added}."
        made = {quantization.precisions[-1]: (given, quantization)}
    else:
        quantization = calibrate(source, chosen, provenance={"split": split}, **calibrating)  # type: ignore[arg-type]
        how = f"Calibrated on {len(chosen)} faces of `{split}`; the weights are the float network's."
        made = {"int8-ptq": (source, quantization)}
    done = True
    if method == "qat":
        options = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
        tuned, done = train(source, quantization, data, split, run, name, options, distil, max_minutes)
        made["int8"] = tuned
        how = (
            f"Calibrated on {len(chosen)} faces of `{split}`, then trained for {tuned[0].training['step']} of {steps}\n"
            f"steps of {batch_size} faces: Charbonnier to the original plus {distil:g} times that to the float\n"
            f"network's output, Adam at {learning_rate:g}, scales learned (LSQ) and frozen for the last third."
        )
    rows = measured(source, made, evaluation)
    keep(out, name, source, *list(made.values())[-1], rows, how)
    if as_json:
        output.write_json({"ok": True, "checkpoint": str(out), "name": name, "done": done, "rows": rows})
        return
    output.write(str(out))
    shown = ("precision", "split", "psnr", "psnr_loss_mean", "psnr_loss_max", "identity_loss")
    cells = [[f"{row[key]:.4f}" if isinstance(row[key], float) else row[key] for key in shown] for row in rows]
    if rows:  # nothing was measured where there is no evaluation list
        output.table(shown, cells)
    if not done:
        output.say(f"stopped before step {steps}; the same command with --force goes on from there")


def float_network(quantization: Quantization) -> Checkpoint:
    """What an int8 network was made of, to be compared with.

    Raises:
        CheckpointError: it is not there, or has other weights by now.
    """
    from edgesr.models import load_checkpoint

    source = load_checkpoint(quantization.float_name)
    if source.sha256 != quantization.float_sha256:
        raise CheckpointError(
            f"the int8 network was made of other weights than {quantization.float_name} has now",
            f"edgesr quantize {quantization.float_name} makes one anew",
        )
    return source


def refuse_existing(out: Path, force: bool) -> None:
    """An int8 checkpoint is replaced with --force alone, and nothing else ever."""
    if out.exists() and not force:
        raise UsageError(f"{out} exists", "--force replaces it, or give another --output")


def train(
    source: Checkpoint,
    quantization: Quantization,
    data: Path,
    split: str,
    run: Path,
    name: str,
    options: dict[str, Any],
    distil: float,
    max_minutes: float | None,
) -> tuple[tuple[Checkpoint, Quantization], bool]:
    """QAT in its run folder; the checkpoint it wrote, and whether it came to its end."""
    try:
        from edgesr.quantize.qat import QATTrainer, qat_config
    except ImportError as error:
        raise UnavailableError(f"training needs {title(error)}", "pip install 'edgesr[train]'") from error
    from edgesr.cli.training_progress import fit
    from edgesr.data.faces import FaceSet
    from edgesr.models import load_checkpoint
    from edgesr.quantize.graphs import quantization_of

    config = qat_config(**options, degradation=source.degradation)
    hr_size = source.model.config.hr_size
    photos = FaceSet.read(data, split, hr_size, track=lambda paths: progress.track(paths, "reading photos"))
    trainer = QATTrainer(run, name, source, quantization, config, photos, distil=distil)
    output.say(f"training on {len(photos)} photos, {'resuming' if trainer.step else 'starting'} at step {trainer.step}")
    fit(trainer, "training", max_minutes=max_minutes)
    tuned = load_checkpoint(trainer.checkpoint, quantized=True)
    trained = quantization_of(tuned)
    assert trained is not None
    return (tuned, trained), trainer.step >= config.steps


def read_evaluation(
    data: Path, splits: tuple[str, ...], hr_size: int, identity: bool
) -> tuple[dict[str, list[EvalPair]], Any]:
    """The pairs of each split, and how they are measured; no split where the folder has no evaluation list."""
    from edgesr.cli.eval import measure_with
    from edgesr.data.faces import eval_splits, read_eval_list
    from edgesr.data.layout import EVAL_LIST
    from edgesr.faces.identity import open_meter

    measure = measure_with(open_meter(True) if identity else None, None)
    listed = data / EVAL_LIST
    if not listed.is_file():
        output.say(f"note: no {EVAL_LIST} in {data}, so the loss is not measured: edgesr data split {data} writes one")
        return {}, measure
    if not splits and DEFAULT_SPLIT not in eval_splits(listed):
        output.say(f"note: no split {DEFAULT_SPLIT!r} in {listed}, so the loss is not measured: try --eval-split test")
        return {}, measure
    return {split: read_eval_list(data, split, hr_size) for split in splits or (DEFAULT_SPLIT,)}, measure


def measured(
    source: Checkpoint,
    made: dict[str, tuple[Checkpoint, Quantization]],
    evaluation: tuple[dict[str, list[EvalPair]], Any],
) -> list[dict[str, Any]]:
    """A row for each split and precision."""
    from edgesr.quantize.graphs import quantized_runtime
    from edgesr.quantize.quality import evaluate_n, quality_loss
    from edgesr.runtime.torch import TorchRuntime

    by_split, measure = evaluation
    rows: list[dict[str, Any]] = []
    for split, pairs in by_split.items():
        wanted, method = evaluate_n(
            TorchRuntime(source.model),
            pairs,
            measure=measure,
            track=lambda items: progress.track(items, "float"),
            degradation=source.degradation,
        )
        for precision, (checkpoint, quantization) in made.items():
            got, _ = evaluate_n(
                quantized_runtime(checkpoint, quantization=quantization),
                pairs,
                measure=measure,
                track=lambda items, name=precision: progress.track(items, name),  # type: ignore[misc]
                degradation=source.degradation,
            )
            loss = quality_loss(got, wanted, method)
            rows.append(
                {
                    "precision": precision,
                    "target": "torch",
                    "split": split,
                    "method": method,
                    "psnr": loss.psnr,
                    "psnr_float": loss.psnr_float,
                    "psnr_loss_mean": loss.psnr_loss_mean,
                    "psnr_loss_max": loss.psnr_loss_max,
                    "identity_loss": loss.identity_loss,
                    "images": loss.faces,
                    "size_bytes": None,
                    "ms_median": None,
                    "ratio": None,
                }
            )
    return rows


def keep(
    out: Path,
    name: str,
    source: Checkpoint,
    checkpoint: Checkpoint,
    quantization: Quantization,
    rows: list[dict[str, Any]],
    how: str,
) -> None:
    """Write the checkpoint with its card."""
    from edgesr.quantize.checkpoint import model_card, save_quantized

    # Without the folders of this machine, and without what does not change the result.
    elsewhere = ("--json", "--force", "--no-identity", "--identity")
    places = ("--run", "-o", "--output", "--threads", "--eval-split", "--max-minutes")
    arguments = [argument for argument in sys.argv[1:] if argument not in elsewhere]
    kept = [
        a for a, before in zip(arguments, ["", *arguments], strict=False) if a not in places and before not in places
    ]
    shown = [Path(a).name if Path(a).is_absolute() else a for a in kept]
    card = model_card(name, quantization, shlex.join(["edgesr", *shown]), rows, how)
    save_quantized(out, name, checkpoint.model, quantization, source, training=checkpoint.training, card=card)
