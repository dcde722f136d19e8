"""What `make release` does to shipped folders: weights taken with their history, int8's losses, goals."""

from __future__ import annotations

import argparse
import base64
import dataclasses
import io
import itertools
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, lively
from PIL import Image

from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_NEGATIVE, EXIT_OK, UsageError
from edgesr.models import description, load_checkpoint
from edgesr.models.checkpoint import save_checkpoint
from edgesr.report.report import Report, read_report

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import release

REPORTS = Path(__file__).parent.parent / "docs" / "reports"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path) -> Path:
    """A package that ships one network, ``net``, with a card."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setattr(description, "SHIPPED", folder)
    monkeypatch.setattr(release, "SHIPPED", folder)
    shutil.copytree(tiny_checkpoint, folder / "net")
    (folder / "net" / "README.md").write_text("# Net\n\nBy hand.\n")
    return folder


def trained(folder: Path, seed: int, step: int, start: str, name: str = "net") -> Path:
    """A checkpoint of a training with other weights."""
    model = lively(TINY)
    with_seed = next(model.parameters())
    with_seed.data += seed / 100
    training = {"initialised_from": start, "step": step, "train_config": {"steps": 9, "seed": 7}}
    save_checkpoint(folder, name, model, training=training, feature_scales={"f_ref": 0.01, "g_ref": 0.01})
    return folder


def test_weights_are_taken_with_what_came_before(shipped: Path, tmp_path: Path) -> None:
    first = trained(tmp_path / "first", 1, 3, "elsewhere")
    release.take("net", first)
    assert load_checkpoint(shipped / "net").sha256 == load_checkpoint(first).sha256
    assert "before" not in load_checkpoint(shipped / "net").training
    for seed, step in ((2, 5), (3, 9)):  # a training from it, taken on its way and at its end
        release.take("net", trained(tmp_path / f"{step}", seed, step, "net"))
        record = load_checkpoint(shipped / "net").training
        assert (record["step"], record["before"]["step"], "before" in record["before"]) == (step, 3, False)
    assert (shipped / "net" / "README.md").read_text() == "# Net\n\nBy hand.\n"
    again = (shipped / "net" / "config.json").read_bytes()
    release.take("net", tmp_path / "9")
    assert (shipped / "net" / "config.json").read_bytes() == again


def test_a_network_without_a_card_is_not_shipped(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no card"):
        release.take("new", trained(tmp_path / "new", 1, 3, "elsewhere", "new"))
    assert not (shipped / "new").exists()


def measured(**changed: float) -> Report:
    """A committed report whose int8 rows, of ONNX alone, have these losses."""
    report = read_report(REPORTS / "hime-small-x4" / "report.json")
    figures = {
        "psnr": 25.1,
        "faces": 160,
        "psnr_loss_mean": 0.02,
        "psnr_loss_max": 0.1,
        "identity_loss": 0.001,
        **changed,
    }
    rows = [row for row in report.rows if row.target == "onnx" and row.precision in ("fp32", "int8")]
    lossy = [dataclasses.replace(row, loss=dataclasses.replace(row.loss, **figures)) for row in rows]
    return dataclasses.replace(report, rows=tuple(lossy))


def test_losses_through_artifacts_end_the_int8_cards_table(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# Net\n\n| split | precision |\n|---|---|\n| val | int8 |\n\nAfter.\n")
    for mean in (0.01, 0.02):  # the second time replaces the first
        release.write_losses(card, measured(psnr_loss_mean=mean))
    assert card.read_text() == (
        "# Net\n\n| split | precision |\n|---|---|\n| val | int8 |\n"
        "| test, onnx artifact | int8 | 25.10 | +0.020 | +0.100 | +0.0010 | 160 |\n\nAfter.\n"
    )


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, EXIT_OK),
        ({"psnr_loss_mean": 0.031}, EXIT_NEGATIVE),
        ({"psnr_loss_max": 0.21}, EXIT_NEGATIVE),
        ({"identity_loss": 0.0021}, EXIT_NEGATIVE),
    ],
)
def test_int8_that_loses_more_than_is_meant_is_a_negative_result(changed: dict[str, float], code: int) -> None:
    assert release.goals(measured(**changed)) == code


def test_a_faulty_call_says_so_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    for words, said in ((["--steps", "int9"], "unknown steps: int9"), (["--faces", str(tmp_path)], "no faces in")):
        monkeypatch.setattr(sys, "argv", ["release.py", *words])
        assert release.main() == 2
        assert said in capsys.readouterr().err


# Whose faces a committed report shows


@pytest.mark.parametrize("splits", [("test", "val"), ("test", "london")])
def test_the_report_shows_samples_whatever_the_folder_holds(
    splits: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{split},{split}/ann/1.png,{split}/ann/2.png" for split in splits]
    (tmp_path / "eval_list.csv").write_text("\n".join(["split,target,ref1", *lines]) + "\n")
    asked: list[str] = []

    def refused(*words: object) -> int:
        asked.extend(map(str, words))
        return 5  # so that nothing else is written

    monkeypatch.setattr(release, "edgesr", refused)
    given = argparse.Namespace(
        network="hime-small-x4-photo", faces=tmp_path, identity_embedder=None, limit=None, targets="onnx",
        precisions="fp32", sensitivity_faces=0,
    )  # fmt: skip
    monkeypatch.setattr(release, "work_folder", lambda _: tmp_path)
    assert release.report(given) == 5
    options = list(itertools.pairwise(asked))
    assert [value for name, value in options if name == "--show"] == ["samples"]
    measured_on = [value for name, value in options if name == "--split"]
    assert sorted(measured_on) == sorted({"test", *({"london"} & set(splits))})


@pytest.mark.parametrize("page", sorted(REPORTS.glob("*/report.html")), ids=lambda page: page.parent.name)
def test_committed_reports_show_the_sample_people_alone(page: Path) -> None:
    """Every original on the page is, to the pixel, a photo that comes with the package."""
    pixels = [face.target for face in sample_faces(128)]
    pattern = r'<img src="data:image/webp;base64,([^"]+)"[^>]*alt="original of ([^"]*)"'
    images = {label: base64.b64decode(image) for image, label in re.findall(pattern, page.read_text())}
    assert images
    shown = {label: np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for label, image in images.items()}
    strangers = [label for label, face in shown.items() if not any(np.array_equal(face, ours) for ours in pixels)]
    assert strangers == []
    labels = {face.face for face in read_report(page.with_suffix(".json")).worst.faces}
    assert labels <= {f"{face.person}/smiling" for face in sample_faces(128)}
