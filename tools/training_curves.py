"""Draws what a training run logged: each loss term and each validated method over the steps, as one SVG.

    python tools/training_curves.py docs/training/hime-small-x4-p

FOLDER has log.csv and validation.csv, as `edgesr train` leaves them in its run folder; curves.svg is written beside.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt

WITHOUT_CURVE = ("step", "samples_per_second", "bicubic")
DIFFERENCES = "right-minus-wrong"
CHANCE = 1.386
"""Of the discriminator's loss: 2 ln 2, where it sees no difference."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    log, validation = (read(folder / f"{name}.csv") for name in ("log", "validation"))
    terms = [name for name in log if name not in (*WITHOUT_CURVE, "learning_rate")]
    methods = [name for name in validation if name not in WITHOUT_CURVE and not name.startswith(DIFFERENCES)]
    figure, (top, *rest) = plt.subplots(
        1 + len(terms), 1, figsize=(7, 2.2 + 1.3 * len(terms)), layout="constrained", sharex=True
    )
    for name in methods:
        gain = [value - low for value, low in zip(validation[name], validation["bicubic"], strict=True)]
        top.plot(validation["step"], gain, marker="o", markersize=3, label=name)
    top.set_ylabel("PSNR over\nbicubic, dB")
    top.legend(fontsize="x-small", ncols=3)
    for axes, name in zip(rest, terms, strict=True):
        axes.plot(log["step"], log[name], linewidth=1)
        axes.set_ylabel(name)
        if name == "discriminator":
            axes.axhline(CHANCE, linewidth=0.8, linestyle="--", color="grey")
    rest[-1].set_xlabel("step")
    figure.suptitle(folder.name)
    figure.savefig(folder / "curves.svg", metadata={"Date": None})


def read(file: Path) -> dict[str, list[float]]:
    """Columns by name."""
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


if __name__ == "__main__":
    main()
