"""How sharp is what a network restores, and is the detail that it adds the face's own? No promise, figures alone.

    python benchmarks/perception.py --faces ../shared/faces [--split test] [--json FILE] CHECKPOINT...

A perception-oriented network trades PSNR for sharpness, which PSNR cannot show, and LPIPS needs weights that are not
shipped. So, beside PSNR, for the original, bicubic and each network with three exemplars:

- blur: the no-reference measure of Crete et al. (2007), 0 sharp to 1 blurred, by scikit-image;
- detail: energy of what a Gaussian of 1.5 pixels takes away, over the original's: 1 is as much detail as there was;
- right: correlation of that detail with the original's, 0 to 1: how much of it is not invented.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from skimage.filters import gaussian
from skimage.measure import blur_effect

from edgesr.data.faces import read_eval_list
from edgesr.evaluation.methods import Methods, measure_methods
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels
from edgesr.models import load_checkpoint
from edgesr.runtime.torch import TorchRuntime

SIGMA = 1.5
FIGURES = ("psnr", "blur", "detail", "right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="a shipped name or a folder")
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--exemplars", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    given = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    for name in given.checkpoints:
        model = load_checkpoint(name).model
        pairs = read_eval_list(given.faces, given.split, model.config.hr_size)
        methods = Methods(TorchRuntime(model), pairs, counts=(given.exemplars,))
        result = measure_methods(methods, pairs, measure=measure)
        shown = {"original": "bicubic", "bicubic": "bicubic", name: f"n={given.exemplars}"}
        for row, method in shown.items():
            prefix = "original " if row == "original" else ""
            rows[row] = {
                figure: float(np.mean(result.scores[prefix + figure][method]))
                for figure in FIGURES
                if prefix + figure in result.scores
            }
    print(f"{given.split}, {len(pairs)} faces\n{'':24}" + "".join(f"{figure:>9}" for figure in FIGURES))
    for row, values in rows.items():
        print(f"{row:24}" + "".join(f"{values[f]:9.3f}" if f in values else f"{'-':>9}" for f in FIGURES))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def measure(image: Pixels, truth: Pixels) -> Mapping[str, float]:
    """Figures of one image, uint8 [S, S, 3]; ``original blur`` is the original's own."""
    ours, wanted = detail(image), detail(truth)
    return {
        "psnr": psnr(image, truth),
        "blur": float(blur_effect(image, channel_axis=-1)),
        "original blur": float(blur_effect(truth, channel_axis=-1)),
        "detail": float((ours**2).mean() / (wanted**2).mean()),
        "right": float((ours * wanted).sum() / np.sqrt((ours**2).sum() * (wanted**2).sum())),
    }


def detail(image: Pixels) -> np.ndarray:
    """What a Gaussian takes away, float [S, S, 3] of values in [-1, 1]."""
    unit = image.astype(np.float64) / 255
    return unit - gaussian(unit, SIGMA, channel_axis=-1)  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
