"""SIGTERM ends a training that has saved, and a second training in its folder is refused by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Call, MakePeople

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")


def test_a_training_that_is_told_to_end_saves_and_is_alone(call: Call, make_people: MakePeople, tmp_path: Path) -> None:
    widths = tmp_path / "widths.json"
    widths.write_text(json.dumps(TINY.replace(lr_size=4).to_dict()))
    data, run = make_people({"ann": 3, "bob": 4}, size=16), tmp_path / "run"
    arguments = ["train", data, "--network", widths, "-o", run, "--precision", "32-true", "--batch-size", 2]
    training = subprocess.Popen(
        [sys.executable, "-m", "edgesr.cli", *map(str, arguments), "--steps", "1000000"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert training.stderr is not None
        for line in training.stderr:
            if "step" in line:
                break
        code, answer, _ = call(*arguments)
        assert (code, f"is being made by process {training.pid} (edgesr train" in answer["error"]) == (5, True), answer
        training.send_signal(signal.SIGTERM)
        rest = training.stderr.read()
        assert training.wait(60) == 143
    finally:
        training.kill()
        training.wait()
    assert "ended by SIGTERM" in rest
    assert "Traceback" not in rest
    assert (run / "state.safetensors").is_file()
    assert (run / "checkpoint" / "config.json").is_file()
    assert not list(tmp_path.rglob(".edgesr-*"))
