"""Recipes against each other on ExecuTorch: what each loses on ``test`` and how long its restorer takes.

The named ones (everything in int8, the policy, first and last layer in float) and those in the files given, all
calibrated on the same faces without training, and measured through the converted artifacts: PSNR lost against the
float network face by face, and milliseconds of one thread as CPU time, in turns.

    python benchmarks/quantization_recipes.py --data ../shared/faces [--recipe mixed.toml] [--faces 40] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from int8_restorer import in_turns, restorer

from edgesr.bundle import open_bundle
from edgesr.convert.pipeline import DEFAULT_CHECKPOINT, convert, plan
from edgesr.convert.quantized import Calibration
from edgesr.data.faces import EvalPair, read_eval_list
from edgesr.errors import EdgesrError
from edgesr.models import load_checkpoint
from edgesr.quantize.graphs import all_layers
from edgesr.quantize.quality import evaluate_n, quality_loss
from edgesr.quantize.recipe import EVERYTHING, Recipe, first_and_last, policy_of, read_recipe, recipe_text
from edgesr.runtime.torch import TorchRuntime

FIGURES = ("recipe", "layers in float", "PSNR lost", "worst face", "ms", "ratio", "MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--recipe", type=Path, action="append", default=[], help="a file; again for more")
    parser.add_argument("--faces", type=int, help="so many of the split, evenly spread; default all")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    given = parser.parse_args()
    source = load_checkpoint(given.checkpoint)
    layers = all_layers(source.model)
    recipes = [*map(read_recipe, given.recipe), EVERYTHING, policy_of(source.model.config), first_and_last(layers)]
    pairs = read_eval_list(given.data, given.split, source.model.config.hr_size)
    pairs = spread(pairs, given.faces or len(pairs))
    print(f"the float network on {len(pairs)} faces of {given.split}", file=sys.stderr)
    wanted, method = evaluate_n(TorchRuntime(source.model), pairs)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        bundles = {}
        for recipe in recipes:
            bundles[recipe.name] = bundle = open_bundle(convert_with(recipe, layers, given, Path(folder)))
            got, _ = evaluate_n(bundle.runtime(1), pairs)
            loss = quality_loss(got, wanted, method)
            rows.append(
                {
                    "recipe": recipe.name,
                    "layers_in_float": len(layers) - len(recipe.quantized(layers)),
                    "psnr_loss_mean": loss.psnr_loss_mean,
                    "psnr_loss_max": loss.psnr_loss_max,
                    "faces": loss.faces,
                    "size_bytes": bundle.manifest["size_bytes"],
                }
            )
        taken = in_turns({name: restorer(bundle) for name, bundle in bundles.items()}, given.rounds)
    first = taken[recipes[0].name]
    for row in rows:
        milliseconds = taken[row["recipe"]]
        row["ms_p10"], row["ms_median"], row["ms_p90"] = (float(v) for v in np.percentile(milliseconds, [10, 50, 90]))
        row["ratio"] = float(np.median(np.divide(milliseconds, first)))
    print(table(rows))
    if given.json:
        about = {"checkpoint": source.name, "split": given.split, "target": "executorch", "method": "int8-ptq"}
        given.json.write_text(json.dumps({**about, "date": time.strftime("%Y-%m-%d"), "rows": rows}, indent=2) + "\n")
    return 0


def spread(pairs: list[EvalPair], count: int) -> list[EvalPair]:
    """``count`` of them, evenly."""
    return [pairs[i * len(pairs) // count] for i in range(min(count, len(pairs)))]


def convert_with(recipe: Recipe, layers: list[str], given: argparse.Namespace, folder: Path) -> Path:
    """A verified bundle of the network by the recipe."""
    print(f"calibrating and converting: {recipe.name}", file=sys.stderr)
    file, output = folder / f"{recipe.name}.toml", folder / recipe.name
    file.write_text(recipe_text(recipe, layers))
    chosen = plan(
        "executorch",
        checkpoint=given.checkpoint,
        precision="int8-ptq",
        calibration=Calibration(given.data, recipe=file),
        output=output,
    )
    convert(chosen)
    return output


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [f"| {' | '.join(FIGURES)} |", "|---|" + "---:|" * (len(FIGURES) - 1)]
    for row in rows:
        figures = (
            row["recipe"],
            str(row["layers_in_float"]),
            f"{row['psnr_loss_mean']:.4f} dB",
            f"{row['psnr_loss_max']:.2f} dB",
            f"{row['ms_median']:.2f} [{row['ms_p10']:.2f}, {row['ms_p90']:.2f}]",
            f"{row['ratio']:.2f}",
            f"{row['size_bytes'] / 1e6:.2f}",
        )
        lines.append(f"| {' | '.join(figures)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
