"""What scripts rely on: flags, JSON keys, exit codes; and that errors are a message, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgesr.cli.main import COMMANDS, run
from edgesr.convert.pipeline import convert, plan
from edgesr.data.samples import sample_faces
from edgesr.evaluation import degrade

Call = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with --json in this process: exit code, the JSON object, stderr."""

    def called(*arguments: object) -> tuple[int, dict[str, Any], str]:
        code = run([str(argument) for argument in (*arguments, "--json")])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, json.loads(captured.out), captured.err

    return called


@pytest.fixture(scope="session")
def tiny_bundle(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny-onnx"
    convert(plan("onnx", checkpoint=tiny_checkpoint, output=folder))
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sample person as files: lr.png (8 px), truth.png and exemplar.png (32 px)."""
    folder = tmp_path_factory.mktemp("photos")
    face = sample_faces(32)[0]
    Image.fromarray(face.target).save(folder / "truth.png")
    Image.fromarray(face.exemplar).save(folder / "exemplar.png")
    Image.fromarray(degrade(face.target, 4)).save(folder / "lr.png")
    return folder


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample people at 32 px as splits train and test, two photos each, with an evaluation list."""
    folder = tmp_path_factory.mktemp("people")
    rows = ["split,target,ref1,ref2"]
    for face in sample_faces(32):
        for split in ("train", "test"):
            person = folder / "32" / split / face.person
            person.mkdir(parents=True)
            Image.fromarray(face.target).save(person / "1.png")
            Image.fromarray(face.exemplar).save(person / "2.png")
        rows.append(f"test,test/{face.person}/1.png,test/{face.person}/2.png,")
        rows.append(f"val,train/{face.person}/1.png,train/{face.person}/2.png,")
    (folder / "eval_list.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]], ids=lambda c: " ".join(c) or "edgesr")
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    assert "Usage: edgesr" in capsys.readouterr().out


def test_help_and_import_load_nothing_heavy() -> None:
    script = (
        "import sys, edgesr, edgesr.cli.main as m; m.run(['--help']);"
        "heavy = {'torch', 'numpy', 'PIL', 'rich', 'onnx', 'coremltools', 'executorch'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_edgesr_and_loading_a_network_imports_no_converter() -> None:
    script = (
        "import sys, edgesr; edgesr.load('hime-small-x4');"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('coremltools', 'executorch', 'onnx', 'onnxruntime')"
        " or m.startswith('edgesr.convert')]; sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
    code, targets, _ = call("targets")
    assert code == 0
    assert [row["name"] for row in targets["targets"]] == ["executorch", "coreml", "tflite", "onnx"]
    keys = {"precisions", "default_precision", "lowerings", "available", "executes_here", "missing"}
    assert all(set(row) >= keys for row in targets["targets"])


@pytest.mark.parametrize("model", ["checkpoint", "bundle"])
def test_restore_works_with_a_checkpoint_and_a_bundle(
    model: str, call: Call, tiny_checkpoint: Path, tiny_bundle: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sharp.png"
    chosen = tiny_checkpoint if model == "checkpoint" else tiny_bundle
    arguments = ("restore", photos / "lr.png", "--exemplars", photos / "exemplar.png", photos / "truth.png")
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
    call: Call, people_folder: Path, photos: Path, tmp_path: Path
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
    code, trained, _ = call(*arguments, "--batch-size", 2, "--precision", "32-true", "--name", "mine")
    assert (code, trained["done"], trained["step"]) == (0, True, 4)
    checkpoint = Path(trained["checkpoint"])
    code, info, _ = call("info", checkpoint)
    assert (code, info["name"], info["slots"], info["lr_size"]) == (0, "mine", 4, 8)
    for target in ("executorch", "onnx", "coreml"):
        code, made, _ = call("convert", "-t", target, "-c", checkpoint, "-o", tmp_path / target)
        assert (code, made["ok"]) == (0, True)
    code, *_ = call("restore", photos / "lr.png", "-o", tmp_path / "sharp.png", "-m", tmp_path / "executorch")
    assert code == 0


def test_eval_gives_every_method_with_its_interval(call: Call, tiny_checkpoint: Path, people_folder: Path) -> None:
    code, answer, _ = call("eval", "-c", tiny_checkpoint, "--data", people_folder, "--split", "test")
    assert code == 0
    assert [row["method"] for row in answer["rows"]] == ["bicubic", "n=0", "n=1", "wrong-person"]
    assert all(row["psnr_95"][0] <= row["psnr"] <= row["psnr_95"][1] for row in answer["rows"])
    assert set(answer) >= {"split", "images", "people", "rows"}


def test_doctor_finds_this_installation_sound(call: Call) -> None:
    code, answer, _ = call("doctor")
    assert (code, answer["ok"]) == (0, True), answer


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("convert", "--target", "windows"), 2, "executorch, coreml, tflite, onnx"),
        (("convert", "--target", "coreml", "--precision", "int3"), 2, "fp16, fp32"),
        (("convert", "--target", "onnx", "--checkpoint", "nobody"), 5, "hime-small-x4"),
        (("convert",), 2, "--target"),
        (("convert", "--target", "onnx", "--slots", "0"), 2, "--slots"),
        (("convert", "--target", "onnx", "--no-such-flag"), 2, "--no-such-flag"),
        (("restoer", "x"), 2, "unknown command"),
        (("verify", "nowhere"), 5, "no bundle"),
        (("bench", "nowhere"), 5, "nowhere"),
        (("info", "nowhere"), 5, "no checkpoint"),
        (("eval", "--data", "nowhere"), 5, "nowhere"),
        (("eval", "--data", "x", "-c", "a", "-b", "b"), 2, "exclude"),
        (("train", "nowhere"), 5, "no folder"),
        (("train", "nowhere", "--network", "giant"), 2, "presets"),
        (("restore", "nowhere.png", "-o", "x.png"), 5, "no file"),
        (("restore", "a/x.png", "b/x.png", "-o", "out"), 2, "same name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_call_says_what_and_what_to_try(
    arguments: tuple[str, ...], code: int, says: str, call: Call, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    got, answer, stderr = call(*arguments)
    assert (got, answer["exit_code"], answer["ok"]) == (code, code, False)
    assert says in answer["error"] + answer["hint"]
    assert stderr.splitlines()[-2 if answer["hint"] else -1].startswith("edgesr: "), "one line says what failed"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("text.png", b"this is no image"),
        ("truncated.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x08\x00\x00\x00\x08\x08\x02"),
        ("large.png", None),
    ],
)
def test_a_bad_face_is_named(
    name: str, content: bytes | None, call: Call, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    face = tmp_path / name
    if content is None:
        Image.new("RGB", (640, 480)).save(face)
    else:
        face.write_bytes(content)
    code, answer, _ = call("restore", face, "-o", tmp_path / "out.png", "-m", tiny_checkpoint)
    assert (code, name in answer["error"]) == (5, True)
    assert not (tmp_path / "out.png").exists()


def test_a_read_only_place_is_named(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, answer, _ = call("convert", "-t", "onnx", "-c", tiny_checkpoint, "-o", tmp_path / "file" / "bundle")
    assert (code, "cannot write" in answer["error"]) == (5, True)


def test_ctrl_c_during_a_conversion_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edgesr.cli", "convert", "-t", "executorch", "-c", tiny_checkpoint, "-o", "bundle"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "lowering" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(30) == 130
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert not list(tmp_path.iterdir())
