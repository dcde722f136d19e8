"""HIME paper, Table 1: ours beside the paper's, at the three settings that it has. No promise, figures.

    python benchmarks/paper_table.py [FACES] [--split test] [--limit N]

LR faces are only scaled down (``bicubic``), as the paper's are, and restored with three exemplars. Its faces are
CelebAMask-HQ's, and its networks were trained on them for longer; what compares is what each gains over its own bicubic
row. At (64, 4) the weights of (32, 4) restore: none were trained for it. HIME-large's are of the form that is deployed,
whose flow reads learned maps, and lie in docs/training; its cost in the paper's form is in docs/hime-large.md. Where no
weights were trained for such faces, the row says so and has the paper's form's cost alone. LPIPS (the paper's last
measure) takes weights that are not here: ``edgesr eval --lpips FILE`` measures it. Rows of other methods are left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from edgesr.cli.eval import measure_with
from edgesr.data.faces import read_eval_list
from edgesr.errors import EdgesrError
from edgesr.evaluation.methods import Evaluation, Methods, measure_methods
from edgesr.models import PRESETS, load_checkpoint
from edgesr.models.description import find_checkpoint
from edgesr.models.registry import architecture_of
from edgesr.runtime.torch import TorchRuntime

ROOT = Path(__file__).resolve().parent.parent
EXEMPLARS = 3


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the paper's, and what stands for it here."""

    lr: int
    """Side of the LR face."""
    name: str
    psnr: float
    ssim: float
    cost: str
    """The paper's parameters in millions, and GMACs."""
    preset: str
    weights: str = ""
    """A shipped checkpoint, or a folder of the repository; empty where there are none for such faces."""


BICUBIC = {32: (25.64, 0.7752), 64: (28.40, 0.8169), 16: (21.83, 0.5929)}
"""The paper's PSNR and SSIM by LR size."""
TABLE = (
    Row(32, "HIME_rec (small)", 29.11, 0.8794, "0.87, 1.86", "hime-small-x4", "hime-small-x4"),
    Row(32, "HIME_p (small)", 27.16, 0.8269, "0.87, 1.86", "hime-small-x4", "hime-small-x4-p"),
    Row(32, "HIME_rec (large)", 29.23, 0.8817, "9.23, 6.06", "hime-large-x4", "docs/training/hime-large-x4"),
    Row(32, "HIME_p (large)", 27.05, 0.8224, "9.23, 6.06", "hime-large-x4-paper"),
    Row(64, "HIME_rec (small)", 31.24, 0.8785, "0.87, 7.48", "hime-small-x4-64", "hime-small-x4"),
    Row(64, "HIME_p (small)", 29.06, 0.8262, "0.87, 7.48", "hime-small-x4-64", "hime-small-x4-p"),
    Row(64, "HIME_rec (large)", 31.28, 0.8789, "9.23, 24.24", "hime-large-x4", "docs/training/hime-large-x4"),
    Row(64, "HIME_p (large)", 29.16, 0.8272, "9.23, 24.24", "hime-large-x4-paper"),
    Row(16, "HIME_rec (small)", 24.54, 0.7411, "0.90, 0.49", "hime-small-x8", "hime-small-x8"),
    Row(16, "HIME_p (small)", 22.45, 0.6338, "0.90, 0.49", "hime-small-x8"),
    Row(16, "HIME_rec (large)", 24.68, 0.7467, "9.26, 4.49", "hime-large-x8", "docs/training/hime-large-x8"),
    Row(16, "HIME_p (large)", 23.35, 0.6744, "9.26, 4.49", "hime-large-x8-paper"),
)
"""All twelve rows of the paper's own networks."""
NOT_TRAINED = "not trained"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, nargs="?", default=Path("../shared/faces"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, help="only so many faces of each setting")
    arguments = parser.parse_args()
    if arguments.limit is not None and arguments.limit < 1:
        parser.error(f"--limit {arguments.limit}: at least one face")
    for row in TABLE:
        if row.weights:
            find_checkpoint(checkpoint(row))  # a table takes minutes: what is missing is said before the first row
    ours = "PSNR [95 %] | over bicubic | SSIM | M, GMACs"
    print(f"| (LR, s) | method | {ours} | paper: PSNR | over bicubic | SSIM | M, GMACs |")
    print("|" + "---|" * 10)
    for lr, paper in BICUBIC.items():
        for i, row in enumerate(row for row in TABLE if row.lr == lr):
            found = measured(row, arguments.faces, arguments.split, arguments.limit) if row.weights else None
            if i == 0:  # every setting's first row has weights
                print(line(row, "bicubic", found, "", *paper, ""), flush=True)
            config = PRESETS[row.preset].replace(lr_size=lr)
            cost = architecture_of(config).complexity(config)
            counted = f"{cost.parameters / 1e6:.2f}, {cost.macs_paper / 1e9:.2f}"
            print(line(row, row.name, found, counted, row.psnr, row.ssim, row.cost), flush=True)
    return 0


def checkpoint(row: Row) -> str | Path:
    """What is loaded for a row that has weights."""
    return ROOT / row.weights if "/" in row.weights else row.weights


def measured(row: Row, faces: Path, split: str, limit: int | None) -> Evaluation:
    """The setting's faces, bicubic and restored."""
    model = load_checkpoint(checkpoint(row)).model
    model.config = model.config.replace(lr_size=row.lr)
    pairs = read_eval_list(faces, split, model.config.hr_size)[:limit]
    methods = Methods(TorchRuntime(model), pairs, counts=(EXEMPLARS,))
    return measure_methods(methods, pairs, measure=measure_with(None, None))


def line(row: Row, name: str, found: Evaluation | None, ours: str, psnr: float, ssim: float, cost: str) -> str:
    """A line of Markdown; ``psnr``, ``ssim`` and ``cost`` are the paper's."""
    bicubic, cells = name == "bicubic", [NOT_TRAINED, "", ""]
    if found is not None:
        method = name if bicubic else f"n={EXEMPLARS}"
        own = found.interval(method)
        over = "" if bicubic else f"{found.interval(method, minus='bicubic').mean:+.2f}"
        likeness = found.interval(method, metric="ssim").mean
        cells = [f"{own.mean:.2f} [{own.low:.2f}, {own.high:.2f}]", over, f"{likeness:.4f}"]
    setting = f"({row.lr}, {PRESETS[row.preset].scale})"
    gain = "" if bicubic else f"{psnr - BICUBIC[row.lr][0]:+.2f}"
    return "| " + " | ".join([setting, name, *cells, ours, f"{psnr:.2f}", gain, f"{ssim:.4f}", cost]) + " |"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(f"paper_table: {error}")
