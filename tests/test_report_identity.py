"""Identity in the report: measured by dlib through a real artifact, in all three files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
pytest.importorskip("onnxruntime")
pytest.importorskip("dlib")
if importlib.util.find_spec("face_recognition_models") is None:  # which cannot be imported beside a new setuptools
    pytest.skip("needs face_recognition_models", allow_module_level=True)

from edgesr.cli.main import run
from edgesr.errors import EXIT_OK


def test_identity_and_its_loss_are_measured_and_shown(
    tiny_checkpoint: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "report", "--checkpoint", str(tiny_checkpoint), "--bundles", str(tiny_bundle), "--limit", "2", "--identity",
        "--no-latency", "--worst", "1", "--sensitivity-faces", "0", "-o", str(tmp_path / "report.html"), "--json",
    ]  # fmt: skip
    assert run(arguments) == EXIT_OK
    printed = json.loads(capsys.readouterr().out)
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    assert "identity" not in {part["part"] for part in report["absent"]}
    assert "dlib" in report["identity_embedder"]
    (row,) = report["rows"]
    float_network = report["anchors"]["float"]["identity"]
    assert row["identity"] == pytest.approx(float_network - row["identity_loss"])
    # The fp32 artifact is the float network, so that the embedder sees the same face.
    assert abs(row["identity_loss"]) < 1e-3
    assert row["identity_loss_max"] >= row["identity_loss"]
    assert printed["rows"][0]["identity_loss"] == row["identity_loss"]
    shown = f"{row['identity']:.4f}".replace("-", "\N{MINUS SIGN}")
    assert shown in (tmp_path / "report.html").read_text()
    header, _, line = [text for text in (tmp_path / "report.md").read_text().splitlines() if text.startswith("|")]
    cells = dict(zip(header.split("|"), line.split("|"), strict=True))
    assert cells[" identity "].strip() == f"{row['identity']:.3f}".replace("-", "\N{MINUS SIGN}")
