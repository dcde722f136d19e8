"""Commands at work: convert, verify, bench, train, restore and demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from PIL import Image

from edgesr.convert.targets import TARGETS


def test_convert_verify_bench_promise_their_keys(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    code, made, stderr = call("convert", "--target", "onnx", "-c", tiny_checkpoint, "-o", bundle)
    assert code == 0
    assert set(made) >= {
        *("ok", "bundle", "target", "precision", "precision_got", "lowering", "size_bytes", "seconds", "parity"),
        "delegation",
    }
    assert set(made["parity"]) >= {"max_abs_error", "psnr_db", "evaluated_with"}
    assert "comparing with PyTorch" in stderr, "stages are told on stderr"
    code, verified, _ = call("verify", bundle, "-c", tiny_checkpoint)
    assert (code, verified["ok"]) == (0, True)
    assert all(set(check) == {"name", "ok", "value", "threshold"} for check in verified["checks"])
    code, bench, _ = call("bench", bundle, tiny_checkpoint, "--runs", 3)
    assert code == 0
    keys = {"name", "runtime", "precision", "graph", "ms_median", "ms_p10", "ms_p90", "ratio", "threads", "peak_mib"}
    assert all(set(row) >= keys for row in bench["rows"])
    assert {(row["runtime"], row["graph"]) for row in bench["rows"]} == {
        (runtime, graph) for runtime in ("onnxruntime", "torch") for graph in ("encode", "restore")
    }
    assert bench["rows"][0]["ratio"] == 1


def test_info_and_targets_promise_their_keys(call: Call) -> None:
    code, info, _ = call("info", "hime-small-x4")
    assert code == 0
    assert (info["parameters"], round(info["gmacs_paper"], 2)) == (868_816, 1.87)
    assert (round(info["gmacs_encode"], 2), round(info["gmacs_restore"], 2)) == (0.27, 0.82)
    assert set(info) >= {"name", "scale", "lr_size", "slots", "checkpoint_sha256"}
    for arguments, parameters, gmacs in (
        (("hime-small-x4", "--lr-size", 64), 868_816, "7.48"),
        (("hime-small-x8",), 901_684, "0.495"),
    ):
        code, info, _ = call("info", *arguments)
        assert (code, info["parameters"]) == (0, parameters)
        assert f"{info['gmacs_paper']:.{len(gmacs) - 2}f}" == gmacs
    code, targets, _ = call("targets")
    assert code == 0
    assert [row["name"] for row in targets["targets"]] == list(TARGETS)
    assert {"executorch", "coreml", "tflite", "onnx", "web"} <= TARGETS.keys()
    keys = {"precisions", "default_precision", "lowerings", "available", "executes_here", "missing"}
    assert all(set(row) >= keys for row in targets["targets"])


@pytest.mark.parametrize("model", ["checkpoint", "bundle"])
def test_restore_works_with_a_checkpoint_and_a_bundle(
    model: str, call: Call, tiny_checkpoint: Path, tiny_bundle: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sharp.png"
    chosen = tiny_checkpoint if model == "checkpoint" else tiny_bundle
    arguments = (
        "restore",
        photos / "lr.png",
        "--aligned",
        "--exemplars",
        photos / "exemplar.png",
        photos / "truth.png",
    )
    code, answer, _ = call(*arguments, "-o", out, "--model", chosen, "--truth", photos / "truth.png")
    assert code == 0
    assert np.asarray(Image.open(out)).shape == (32, 32, 3)
    assert set(answer) >= {"ok", "outputs", "psnr", "psnr_bicubic"}
    code, answer, _ = call(*arguments, "-o", out, "--model", chosen)
    assert (code, answer["error"]) == (2, f"{out} already exists")
    code, *_ = call(*arguments, "-o", out, "--model", chosen, "--force")
    assert code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["sharp.png"], "nothing is left aside"


def test_restore_takes_several_faces_into_a_folder(
    call: Call, tiny_checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    other.write_bytes((photos / "lr.png").read_bytes())
    code, answer, _ = call("restore", photos / "lr.png", other, "-o", tmp_path / "out", "-m", tiny_checkpoint)
    assert code == 0
    assert [Path(row["output"]).name for row in answer["outputs"]] == ["lr.png", "other.png"]


def test_a_users_own_widths_go_through_train_info_convert_and_restore(
    call: Call, people_folder: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = tmp_path / "mine.json"
    widths.write_text(
        json.dumps(
            {
                **{"scale": 4, "lr_size": 8, "slots": 4, "lr_channels": 6, "lr_blocks": 1, "exemplar_channels": 6},
                **{"exemplar_blocks": 1, "offset_channels": 6, "offset_groups": 3, "offset_bound": 1.5},
                **{"reconstruction_blocks": 1, "tail_channels": 3},
            }
        )
    )
    arguments = ("train", people_folder, "--network", widths, "-o", tmp_path / "run", "--steps", 4)
    arguments = (*arguments, "--batch-size", 2, "--name", "mine")
    code, trained, _ = call(*arguments, "--precision", "32-true")
    assert (code, trained["done"], trained["step"]) == (0, True, 4)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": True, "architecture": "x86_64"})
    code, again, log = call(*arguments)
    assert (code, again["step"], "finished already, at step 4" in log) == (0, 4, True), (
        "in the precision that it began with"
    )
    checkpoint = Path(trained["checkpoint"])
    for described in (checkpoint, tmp_path / "run", widths):  # itself, the run that holds it, and a network's widths
        code, info, _ = call("info", described)
        assert (code, info["name"], info["slots"], info["lr_size"]) == (0, "mine", 4, 8)
    assert info["checkpoint_sha256"] is None
    for target in ("executorch", "coreml"):
        code, made, _ = call("convert", "-t", target, "-c", tmp_path / "run", "-o", tmp_path / target)
        assert (code, made["ok"]) == (0, True)
    code, *_ = call("restore", photos / "lr.png", "-o", tmp_path / "sharp.png", "-m", tmp_path / "executorch")
    assert code == 0


@pytest.mark.tflite
def test_the_demo_converts_verifies_restores_and_draws(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code, answer, _ = call("demo", "-o", tmp_path, "-c", tiny_checkpoint)
    assert code == 0
    assert [row["target"] for row in answer["rows"]] == ["executorch", "coreml", "tflite"]
    assert all(row["psnr"] > 5 and row["size_bytes"] > 0 for row in answer["rows"])
    assert ["ms" in row for row in answer["rows"]] == [True, sys.platform == "darwin", True]
    with Image.open(answer["picture"]) as picture:
        assert picture.width > 7 * 32
    code, answer, _ = call("demo", "-o", tmp_path, "-c", tiny_checkpoint)
    assert (code, "already exists" in answer["error"]) == (2, True)


def test_verify_says_no_with_exit_code_1(call: Call, tiny_bundle: Path, tmp_path: Path) -> None:
    import hashlib
    import shutil

    import safetensors.numpy

    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    golden = safetensors.numpy.load_file(damaged / "golden.safetensors")
    golden["restore.out.sr"] = golden["restore.out.sr"] + np.float32(0.01)
    safetensors.numpy.save_file(golden, damaged / "golden.safetensors")
    manifest = json.loads((damaged / "manifest.json").read_text())
    digest = hashlib.sha256((damaged / "golden.safetensors").read_bytes()).hexdigest()
    manifest["sha256"]["golden.safetensors"] = digest
    (damaged / "manifest.json").write_text(json.dumps(manifest))
    code, answer, _ = call("verify", damaged)
    assert (code, answer["ok"], answer["exit_code"]) == (1, False, 1)
    assert "golden sr" in answer["error"]


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda v: str(v)
)
def test_a_conversion_that_is_ended_leaves_nothing(
    sent: signal.Signals, code: int, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgesr.cli", "convert", "-t", "executorch", "-c", tiny_checkpoint, "-o", "a/bundle"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1", "TMPDIR": str(work)},
        preexec_fn=lambda: signal.signal(
            sent, signal.SIG_DFL
        ),  # whoever runs the tests may have been told to ignore it
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "lowering" in line:
            break
    process.send_signal(sent)
    process.send_signal(sent)  # as timeout does, to the process and to its group
    rest = process.stderr.read()
    assert process.wait(30) == code
    assert ("interrupted" if code == 130 else f"ended by {sent.name}") in rest
    assert "Traceback" not in rest
    assert [list(folder.iterdir()) for folder in (tmp_path, work)] == [[work], []]
