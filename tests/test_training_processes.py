"""Training by several processes under torchrun is the training of one with the same batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import TINY, MakePeople

pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

STEPS = 10
"""With the seed's draws some batches have no exemplars, some one and some two."""


def train(processes: int, data: Path, run: Path, *options: str) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    widths = run.with_suffix(".json")
    widths.write_text(json.dumps(TINY.replace(lr_size=4).to_dict()))
    arguments = ["train", data, "--network", widths, "-o", run, "--precision", "32-true", "--batch-size", 4, *options]
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), "-m", "edgesr.cli", *map(str, arguments)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def data(make_people: MakePeople) -> Path:
    return make_people({"ann": 3, "bob": 4}, size=16)


@pytest.mark.slow
def test_two_processes_give_the_weights_of_one(data: Path, tmp_path: Path) -> None:
    options = ("--steps", str(STEPS), "--correlation", "0.5", "--name", "same")
    weights = []
    for processes in (1, 2):
        run = tmp_path / f"run{processes}"
        done = train(processes, data, run, *options)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == str(run / "checkpoint")
        assert done.stderr.count("reading photos") == 1
        weights.append(safetensors.torch.load_file(run / "state.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-4, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--steps", "24", "--adversarial", "0.1", "--discriminator-channels", "4")
    first = train(2, data, run, *options, "--max-minutes", "0.0001")
    assert (first.returncode, "stopped at step 20 of 24" in first.stderr) == (0, True), first.stderr
    second = train(2, data, run, *options)
    assert (second.returncode, "resuming at step 20" in second.stderr) == (0, True), second.stderr
    rows = (run / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "20"]
