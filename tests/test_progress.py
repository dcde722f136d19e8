"""How far a command is, in words: steps, rate and time left; threads by what the machine has free."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgesr.cli import progress
from edgesr.cli.progress import Job, duration
from edgesr.process import threads


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (45.4, "45 s"), (99, "99 s"), (150, "2 min"), (5900, "98 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("job", "done", "after", "said"),
    [
        (Job("training", 1200, 0, unit="step"), 12, 24, "step 12 of 1,200, 2.0 s each, 40 min left; loss 1"),
        (Job("training", 1200, 600, unit="step"), 612, 24, "step 612 of 1,200, 2.0 s each, 20 min left; loss 1"),
        (Job("aligning", 96), 48, 4, "48 of 96, 12.0 a second, 4 s left; loss 1"),
        (Job("aligning", 96), 0, 40, "0 of 96, 40 s so far; loss 1"),
        (Job("aligning", 96), 96, 48, "96 of 96, 2.0 a second, 48 s so far; loss 1"),
        (Job("convert", unit="stage"), 2, 10, "stage 2, 10 s so far; loss 1"),
        (Job("convert", 4, unit="stage"), 2, 10, "stage 2 of 4, 10 s left; loss 1"),
        (Job("reading"), 0, 31, "31 s so far; loss 1"),
    ],
)
def test_steps_rate_and_time_left(
    job: Job, done: int, after: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = job.started
    monkeypatch.setattr(time, "monotonic", lambda: started + after)
    job.at(done, "loss 1")
    assert job.state() == said


def test_elsewhere_than_on_a_terminal_a_long_job_says_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where one step takes long; and a job that is over soon says nothing."""
    monkeypatch.setattr(progress, "FIRST", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.05)
    for i in progress.track([1, 2], "aligning"):
        time.sleep(0.12 if i == 2 else 0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("aligning: 1 of 2, ") and line.endswith(" left") for line in lines)
    monkeypatch.setattr(progress, "FIRST", 10)
    list(progress.track([1, 2], "aligning"))
    assert capsys.readouterr().err == ""


def test_a_training_says_its_first_step_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.job("training", 3, unit="step", soon=True) as shown:
        for i in range(3):
            shown.at(i + 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("training: step 1 of 3, ")


def test_stages_are_lines_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.job("convert", 3, unit="stage") as shown:
        shown.stage("exporting")
        shown.stage("comparing")
        assert shown.state().startswith("stage 1 of 3, ")
        assert shown.state().endswith(" left; comparing")
    assert capsys.readouterr().err.splitlines() == ["convert: exporting", "convert: comparing"]


# Threads.


def group(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2, V1 = "0::/jobs/one\n", "5:memory:/x\n4:cpu,cpuacct:/jobs\n"


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, 8),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/jobs/one/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/jobs/one/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/jobs/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/jobs/one/cpu.max": "rubbish"}, 8),
    ],
)
def test_a_quota_and_the_affinity_bound_the_threads(
    files: dict[str, str], most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads.allowed(group(tmp_path, files)) == most


@pytest.mark.parametrize(
    ("average", "running", "busy"),
    [
        (0.0, "1/200", 0),  # ourselves alone
        (1.9, "1/200", 0),  # what our last command left
        (0.1, "9/200", 8),  # they have just started
        (7.5, "2/200", 7.5),  # more than there are CPUs: not our own
        (3.0, None, 3.0),  # no /proc
    ],
)
def test_what_others_keep_busy(
    average: float, running: str | None, busy: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (average, average, average))
    file = tmp_path / "loadavg"
    if running:
        file.write_text(f"{average} {average} {average} {running} 4711\n")
    assert threads.busy(2, file) == busy


SHOW = """
import json, os, sys
from edgesr.process import threads
import torch, cv2
threads.use({0})
print(json.dumps([threads.count(), torch.get_num_threads(), cv2.getNumThreads(), os.environ["OPENBLAS_NUM_THREADS"]]))
"""


@pytest.mark.parametrize(("given", "environment", "count"), [("3", "1", 3), ("None", "2", 2)])
def test_every_library_is_told(given: str, environment: str, count: int) -> None:
    pytest.importorskip("cv2")
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(given)],
        env={**os.environ, "OMP_NUM_THREADS": environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f'[{count}, {count}, {count}, "{count}"]'


COMPUTING = ("convert", "verify", "restore", "enhance", "eval", "quantize", "report", "bench", "train", "ablate")
OTHERS = (["gallery", "build"], ["gallery", "add"], ["data", "prepare"], ["demo"], ["booth"])


@pytest.mark.parametrize("command", [*([name] for name in COMPUTING), *OTHERS])
def test_what_computes_takes_threads(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from edgesr.cli.main import run

    assert run([*command, "--help"]) == 0
    assert "--threads" in capsys.readouterr().out
    assert run([*command, "--threads", "0"]) == 2


@pytest.mark.parametrize(("target", "precision"), [("onnx", "fp32"), ("executorch", "fp32"), ("coreml", "fp16")])
def test_a_conversion_has_as_many_stages_as_it_says(
    target: str, precision: str, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    from edgesr.convert.pipeline import convert, plan

    planned = plan(target, precision=precision, checkpoint=tiny_checkpoint, output=tmp_path / "bundle")
    said: list[str] = []
    convert(planned, report=said.append)
    assert len(said) == planned.stages
