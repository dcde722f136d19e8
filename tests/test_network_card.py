"""A card's figures are what `edgesr eval --json` printed, its training what config.json records; the rest stays."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Call

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import network_card  # noqa: E402

CARD = "# A card\n\nBefore.\n\n### test\n\n- 0 images, 0 people\n\n## Limits\n\nAfter.\n"


def written(folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    tool = ROOT / "tools" / "network_card.py"
    return subprocess.run([sys.executable, tool, folder, *files], check=False, text=True, capture_output=True)


def test_a_cards_figures_are_those_of_an_evaluation(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    code, measured, _ = call("eval", "-c", tiny_checkpoint, "--data", people_folder, "--no-identity")
    assert code == 0
    card, file = tmp_path / "README.md", tmp_path / "test.json"
    card.write_text(CARD)
    file.write_text(json.dumps(measured))
    for _ in range(2):  # the second time finds what the first has written
        done = written(tmp_path, file)
        assert done.returncode == 0, done.stderr
    text = card.read_text()
    assert text.startswith(CARD.split("### test", maxsplit=1)[0])
    assert text.endswith("## Limits\n\nAfter.\n")
    for row in measured["rows"]:
        assert text.count(f"| {row['psnr']:.2f} [{row['psnr_95'][0]:.2f}, {row['psnr_95'][1]:.2f}] |") >= 1
    assert f"- {measured['images']} images, {measured['people']} people\n" in text


def evaluation(split: str, degradation: str) -> dict[str, object]:
    return {
        "split": split, "degradation": degradation, "rows": [], "comparisons": [], "identity_measure": None,
        "verification": None, "images": 1, "people": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("split", "degradation", "title"), [("val", "bicubic", "val"), ("test", "phone-2", "test, p")])
def test_a_card_without_the_section_is_left_alone(split: str, degradation: str, title: str, tmp_path: Path) -> None:
    card, file = tmp_path / "README.md", tmp_path / "measured.json"
    card.write_text(CARD)
    file.write_text(json.dumps(evaluation(split, degradation)))
    done = written(tmp_path, file)
    assert (done.returncode, f"no '### {title}" in done.stderr, card.read_text()) == (2, True, CARD)


def test_verification_has_columns_with_intervals() -> None:
    figures = {"psnr": 25.0, "ssim": 0.7, "identity": 0.96, "identity_distance": 0.44, "verified": 0.883}
    row = {"method": "wrong-person", "over_bicubic": 1.6, **figures, "verified_as_wrong": 0.117}
    row |= {f"{key}_95": [value - 0.1, value + 0.1] for key, value in list(row.items()) if isinstance(value, float)}
    measured = evaluation("test", "phone-2") | {"rows": [row], "identity_measure": "cosine"}
    gap = {"method": "n=3", "minus": "bicubic"} | {
        key: row[key] for key in row if key not in ("method", "over_bicubic")
    }
    measured["comparisons"] = [gap]
    measured["verification"] = {"threshold": 0.5, "originals": 1.0, "originals_95": [1.0, 1.0]}
    text = network_card.section("### test, phone-2", measured)
    assert "| wrong person | 25.00 [24.90, 25.10] | +1.60 | 0.7000 | 0.9600 | 0.440 |" in text
    assert "| 88.3 [78.3, 98.3] | 11.7 [1.7, 21.7] |" in text
    assert "- n=3 minus bicubic: **+25.000 dB** [24.900, 25.100], identity " in text
    assert ", distance +0.440 [0.340, 0.540], verified +88.3 points [78.3, 98.3]\n" in text
    assert "distance below 0.500; of the originals 100.0 % [100.0, 100.0]" in text


def test_pages_quote_the_chief_figures(call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path) -> None:
    _, measured, _ = call("eval", "-c", tiny_checkpoint, "--data", people_folder, "--no-identity")
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- measured:net -->\n<!-- /measured -->\nb\n<!-- measured:other -->\n<!-- /measured -->\n")
    for _ in range(2):
        network_card.quote([page], "net", [measured])
    text = page.read_text()
    psnr = {row["method"]: row["psnr"] for row in measured["rows"]}
    assert text.count(f"| {psnr['bicubic']:.2f} | {psnr['n=0']:.2f} |") == 1
    assert text.endswith("<!-- /measured -->\nb\n<!-- measured:other -->\n<!-- /measured -->\n")


def test_conditions_are_the_headings() -> None:
    card = CARD + "\n### london, phone-1\n\n### Sharpness\n"
    assert network_card.conditions(card) == [("test", "bicubic"), ("london", "phone-1")]


def test_training_is_told_as_it_was_recorded(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint, tmp_path / "tiny"))
    described = json.loads((folder / "config.json").read_text())
    shipped = json.loads((ROOT / "edgesr/checkpoints/hime-small-x4-photo/config.json").read_text())
    record = shipped["training"] | {"initialised_from": "hime-small-x4"}
    record["before"] = record | {"initialised_from": "somewhere"}
    loss = {"weights": {"rec": 1.0, "adv": 0.02, "per": 0.05, "identity": 0.08, "impostor": 0.2}}
    loss |= {"backbone": "efficientnet-lite0"}
    curriculum = record["train_config"]["curriculum"] | {"wrong_gallery": 0.3, "clean": 0.3}
    curriculum["slot_probabilities"] = [0.1, 0.25, 0.15, 0.5]
    record["train_config"] = record["train_config"] | {"steps": 3000, "loss": loss, "curriculum": curriculum}
    (folder / "config.json").write_text(json.dumps({**described, "training": record | {"step": 1200}}))
    (folder / "README.md").write_text("# Tiny\n\n<!-- training -->\nold\n<!-- /training -->\n\nAfter.\n")
    network_card.write_card(folder, [])
    text = (folder / "README.md").read_text()
    for said in (
        f"edgesr train ../shared/faces --name {described['name']} --init hime-small-x4 --steps 3000 ",
        " --slot-probabilities 0.1,0.25,0.15,0.5 --degradation phone-2 --clean-share 0.3 --augment 0.5 "
        "--wrong-gallery 0.3 ",
        " --adversarial 0.02 --perceptual 0.05 --perceptual-backbone efficientnet-lite0 ",
        " --identity 0.08 --impostor 0.2 --embedder EMBEDDER\n",
        "1,200 of 3,000 steps of 16 faces",
        "which started from somewhere.",
        "\n<!-- /training -->\n\nAfter.\n",
    ):
        assert said in text
    assert "old" not in text
    assert "--batch-size" not in text, "a default"
    dated = text.replace("Date: 20", "Date: 19")
    (folder / "README.md").write_text(dated)
    network_card.write_card(folder, [])
    assert (folder / "README.md").read_text() == dated, "the same weights are of the same day"
