"""A card's figures are what `edgesr eval --json` printed, and nothing else of the card changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conftest import Call

TOOL = Path(__file__).parent.parent / "tools" / "card_figures.py"
CARD = "# A card\n\nBefore.\n\n### test\n\n- 0 images, 0 people\n\n## Limits\n\nAfter.\n"


def written(card: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, card, *files], check=False, text=True, capture_output=True)


def test_a_cards_figures_are_those_of_an_evaluation(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    code, measured, _ = call("eval", "-c", tiny_checkpoint, "--data", people_folder, "--no-identity")
    assert code == 0
    card, file = tmp_path / "README.md", tmp_path / "test.json"
    card.write_text(CARD)
    file.write_text(json.dumps(measured))
    for _ in range(2):  # the second time finds what the first has written
        done = written(card, file)
        assert done.returncode == 0, done.stderr
    text = card.read_text()
    assert text.startswith(CARD.split("### test", maxsplit=1)[0])
    assert text.endswith("## Limits\n\nAfter.\n")
    for row in measured["rows"]:
        assert text.count(f"| {row['psnr']:.2f} [{row['psnr_95'][0]:.2f}, {row['psnr_95'][1]:.2f}] |") >= 1
    assert f"- {measured['images']} images, {measured['people']} people\n" in text


def test_a_card_without_the_section_is_left_alone(tmp_path: Path) -> None:
    card, file = tmp_path / "README.md", tmp_path / "val.json"
    card.write_text(CARD)
    pair = {"rows": [], "comparisons": [], "identity_measure": None, "images": 1, "people": 1}
    file.write_text(json.dumps({"split": "val", **pair}))
    done = written(card, file)
    assert (done.returncode, "no '### val'" in done.stderr, card.read_text()) == (1, True, CARD)
