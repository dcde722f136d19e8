"""Writes the figures of a checkpoint's card from what `edgesr eval --json` has printed; the rest stays as it is.

    edgesr eval -c CHECKPOINT --data FOLDER --split test --json > test.json      (and so on for every split)
    python tools/card_figures.py CHECKPOINT/README.md test.json london.json

The card has a section `### SPLIT` for each file; from its heading to its line "- N images, M people" is written anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

NAMES = {"wrong-person": "wrong person"}


def main() -> int:
    """0, or 1 where the card lacks a section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    given = parser.parse_args()
    card = given.card.read_text()
    for file in given.files:
        measured = json.loads(file.read_text())
        pattern = rf"^### {measured['split']}\n.*?^- \d+ images, \d+ people$"
        new = section(measured)
        card, found = re.subn(pattern, lambda _, new=new: new, card, flags=re.DOTALL | re.MULTILINE)
        if not found:
            sys.stderr.write(f"{given.card}: no '### {measured['split']}' that ends in '- N images, M people'\n")
            return 1
    given.card.write_text(card)
    return 0


def section(measured: dict[str, Any]) -> str:
    """Heading, table, comparisons and counts of one split."""
    identity = measured["identity_measure"] is not None
    lines = [
        f"### {measured['split']}",
        "",
        "| method | PSNR dB [95 %] | over bicubic | SSIM |" + (" identity |" if identity else ""),
        "|---|---|---|---|" + ("---|" if identity else ""),
    ]
    for row in measured["rows"]:
        low, high = row["psnr_95"]
        psnr = f"{row['psnr']:.2f} [{low:.2f}, {high:.2f}]"
        line = f"| {name(row['method'])} | {psnr} | {row['over_bicubic']:+.2f} | {row['ssim']:.4f} |"
        lines.append(line + (f" {row['identity']:.4f} |" if identity else ""))
    lines.append("")
    for pair in measured["comparisons"]:
        low, high = pair["psnr_95"]
        line = f"- {name(pair['method'])} minus {name(pair['minus'])}: "
        line += f"**{pair['psnr']:+.3f} dB** [{low:.3f}, {high:.3f}]"
        if identity:
            low, high = pair["identity_95"]
            line += f", identity {pair['identity']:+.4f} [{low:.4f}, {high:.4f}]"
        lines.append(line)
    lines.append(f"- {measured['images']} images, {measured['people']} people")
    return "\n".join(lines)


def name(method: str) -> str:
    """Of a method, as cards have it."""
    return NAMES.get(method, method)


if __name__ == "__main__":
    sys.exit(main())
