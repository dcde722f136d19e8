"""``edgesr quantize --search`` and ``--write-recipe``: recipes instead of networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.cli import output, progress
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.models import Checkpoint

SPLIT = "val"
"""The split that recipes are chosen on."""


def write_default_recipe(path: Path, source: Checkpoint, layers: list[str], force: bool, as_json: bool) -> None:
    """The network's policy as TOML, with the names of all layers."""
    from edgesr.quantize.recipe import policy_of, recipe_text

    _write(path, recipe_text(policy_of(source.model.config), layers), force)
    if as_json:
        output.write_json({"ok": True, "recipe": str(path), "layers": len(layers)})
    else:
        output.write(str(path))


def search_recipe(
    source: Checkpoint,
    data: Path,
    out: Path,
    *,
    split: str,
    faces: int,
    trial_faces: int,
    max_drop: float,
    force: bool,
    as_json: bool,
) -> None:
    """Measure every layer, search, and write the recipe found; the opponents stand beside it in the answer."""
    from edgesr.data.faces import read_eval_list
    from edgesr.quantize.ptq import calibrate, calibration_faces
    from edgesr.quantize.recipe import EVERYTHING, recipe_text
    from edgesr.quantize.search import opponents, search
    from edgesr.quantize.sensitivity import Bench, measure

    if out.exists() and not force:
        raise UsageError(f"{out} exists", "--force replaces it, or give another --output")
    config = source.model.config
    pairs = read_eval_list(data, SPLIT, config.hr_size)
    pairs = pairs[:: max(1, len(pairs) // trial_faces)][:trial_faces]
    output.say(f"calibrating every layer on {faces} faces")
    chosen = calibration_faces(data, split, config.hr_size, config.slots, faces)
    everything = calibrate(source, chosen, recipe=EVERYTHING, track=lambda items: progress.track(items, "calibrating"))
    rows = measure(source, everything, pairs, track=lambda names: progress.track(names, "layer by layer"))
    bench = Bench(source, everything, pairs)
    found = search(bench, rows, max_drop, output.say)
    trials = [found, *opponents(bench)]
    _write(out, recipe_text(found.recipe, bench.names), force)
    answers: list[dict[str, Any]] = [
        {
            "recipe": trial.recipe.name,
            "psnr_loss_mean": trial.psnr_loss,
            "cost": trial.cost / trials[1].cost,
            "in_float": len(bench.names) - len(trial.recipe.quantized(bench.names)),
        }
        for trial in trials
    ]
    if as_json:
        layers = [vars(row) for row in rows]
        output.write_json(
            {"ok": True, "recipe": str(out), "faces": len(pairs), "split": SPLIT, "rows": answers, "layers": layers}
        )
        return
    output.write(str(out))
    cells = [(a["recipe"], f"{a['psnr_loss_mean']:.4f}", f"{a['cost']:.3f}", a["in_float"]) for a in answers]
    title = f"{len(pairs)} faces of {SPLIT}; cost in time of multiply-accumulates, everything in int8 as 1"
    output.table(("recipe", "PSNR lost dB", "cost", "layers in float"), cells, title=title)


def _write(path: Path, text: str, force: bool) -> None:
    from edgesr.files.atomic import file_aside

    if path.exists() and not force:
        raise UsageError(f"{path} exists", "--force replaces it")
    with file_aside(path) as aside:
        aside.write_text(text)
