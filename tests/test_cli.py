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
import torch
from conftest import MakePeople
from PIL import Image
from safetensors.torch import save_file

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
    for arguments, parameters, gmacs in (
        (("hime-small-x4", "--lr-size", 64), 868_816, "7.48"),
        (("hime-small-x8",), 901_684, "0.495"),
    ):
        code, info, _ = call("info", *arguments)
        assert (code, info["parameters"]) == (0, parameters)
        assert f"{info['gmacs_paper']:.{len(gmacs) - 2}f}" == gmacs
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


def test_eval_gives_every_method_with_its_interval(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    sheet, table = tmp_path / "sheet.png", tmp_path / "made" / "images.csv"
    arguments = ("eval", "-c", tiny_checkpoint, "--no-exemplar-net", tiny_checkpoint, "--data", people_folder)
    outputs = ("--split", "test", "--limit", 3, "--csv", table, "--sheet", sheet)
    code, answer, _ = call(*arguments, *outputs)
    assert code == 0
    methods = ["bicubic", "no-exemplar-net", "n=0", "n=1", "wrong-person", "blank"]
    assert [row["method"] for row in answer["rows"]] == methods
    for row in answer["rows"]:
        for metric in ("psnr", "ssim", "identity"):
            assert row[f"{metric}_95"][0] <= row[metric] <= row[f"{metric}_95"][1]
    assert set(answer) >= {"split", "images", "people", "rows", "parameters", "gmacs_encode", "gmacs_restore", "worst"}
    assert (answer["right_minus_wrong"]["method"], answer["right_minus_wrong"]["minus"]) == ("n=1", "wrong-person")
    assert "higher is better" in answer["identity_measure"]
    assert len(table.read_text().splitlines()) == 1 + 3 * len(methods)
    with Image.open(sheet) as picture:
        assert picture.width > 8 * 192
    before = sheet.read_bytes()
    code, answer, _ = call(*arguments, *outputs)
    assert (code, answer["error"]) == (2, f"{table} already exists")
    assert sheet.read_bytes() == before
    code, *_ = call(*arguments, "--force", "--no-identity", *outputs)
    assert code == 0
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["images.csv", "sheet.png"], "nothing is left aside"


def test_eval_offers_only_rows_that_exemplars_and_slots_are_there_for(
    call: Call, tiny_checkpoint: Path, tiny_bundle: Path, make_people: MakePeople
) -> None:
    folder = make_people({"ann": 6, "bob": 6, "eve": 4}, size=32, split="test")
    lines = ["split,target,ref1,ref2,ref3,ref4,ref5"]
    for name, count in (("ann", 6), ("bob", 6), ("eve", 4)):
        photos = [f"test/{name}/{i + 1:02}.png" for i in range(count)]
        lines.append(",".join(["test", *photos, *[""] * (6 - count)]))
    (folder / "eval_list.csv").write_text("\n".join(lines) + "\n")
    _, answer, _ = call("eval", "-c", tiny_checkpoint, "--data", folder, "--no-identity")
    images = {row["method"]: row["images"] for row in answer["rows"]}
    assert images == {"bicubic": 3, "n=0": 3, "n=1": 3, "n=3": 3, "n=5": 2, "wrong-person": 3, "blank": 3}
    assert answer["right_minus_wrong"]["method"] == "n=3", "eve has no five"
    _, answer, _ = call("eval", "-b", tiny_bundle, "--data", folder, "--no-identity")
    assert answer["slots"] == 2
    assert [row["method"] for row in answer["rows"]] == ["bicubic", "n=0", "n=1", "wrong-person", "blank"]


def test_eval_measures_lpips_where_its_weights_are_given(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    alexnet = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    tensors = {}
    for i, (layer, (out, into, side)) in enumerate(alexnet.items()):
        tensors[f"features.{layer}.weight"] = torch.randn(out, into, side, side) / (into * side**2) ** 0.5
        tensors[f"features.{layer}.bias"] = torch.zeros(out)
        tensors[f"lin{i}.model.1.weight"] = torch.rand(1, out, 1, 1)
    save_file(tensors, tmp_path / "lpips.safetensors")
    arguments = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--limit", 2, "--no-identity")
    _, answer, _ = call(*arguments, "--lpips", tmp_path / "lpips.safetensors")
    assert all(row["lpips_95"][0] <= row["lpips"] <= row["lpips_95"][1] for row in answer["rows"])
    assert answer["rows"][0]["lpips"] > 0
    code, answer, _ = call(*arguments, "--lpips", tmp_path / "nothing.safetensors")
    assert (code, "nothing.safetensors" in answer["error"]) == (5, True)


def test_eval_without_identity_says_so_once(
    call: Call, tiny_bundle: Path, people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)  # as where it is not installed
    arguments = ("eval", "-b", tiny_bundle, "--data", people_folder, "--limit", 2)
    code, answer, stderr = call(*arguments)
    assert (code, answer["rows"][0]["identity"], answer["identity_measure"]) == (0, None, None)
    assert stderr.count("edgesr[identity]") == 1
    assert "wrong-person" in [row["method"] for row in answer["rows"]]
    code, answer, stderr = call(*arguments, "--no-identity")
    assert (code, "identity" in stderr) == (0, False)
    code, answer, _ = call(*arguments, "--identity")
    assert (code, "edgesr[identity]" in answer["hint"]) == (3, True)


def test_eval_prints_one_table(tiny_checkpoint: Path, people_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "-c", str(tiny_checkpoint), "--data", str(people_folder), "--no-identity", "--worst", "1"]
    assert run(arguments) == 0
    plain = capsys.readouterr().out
    assert run([*arguments, "--markdown"]) == 0
    markdown = capsys.readouterr().out
    for printed in (plain, markdown):
        assert "n=1 minus wrong-person" in printed
        assert printed.count("worst: ") == 1
        assert "identity" not in printed
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| method | PSNR dB [95 %] | over bicubic | SSIM |")
    assert {row.count("|") for row in rows} == {8}
    assert len(rows) == 2 + 5


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
        (("eval", "--data", "x", "--markdown"), 2, "--markdown and --json"),
        (("eval", "--data", "x", "--sheet", "sheet.doc"), 2, "cannot write .doc"),
        (("eval", "--data", "x", "--lpips-linear", "x"), 2, "--lpips"),
        (("eval", "--data", "x", "--lpips", "a", "--no-exemplar-net", "hime-small-x4-q"), 5, "no checkpoint"),
        (("train", "nowhere"), 5, "no folder"),
        (("train", "nowhere", "--network", "giant"), 2, "presets"),
        (("train", "nowhere", "--identity", "0.1"), 2, "--embedder FILE"),
        (("train", "nowhere", "--vgg19", "x.safetensors"), 2, "--perceptual WEIGHT"),
        (("train", "nowhere", "--correlation", "0.1", "--correlation-window", "4"), 2, "odd"),
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


@pytest.mark.tflite
def test_the_readmes_python_works_as_it_stands(tmp_path: Path, monkeypatch) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    face = sample_faces(128)[0]
    for name in ("me-1.jpg", "me-2.jpg"):
        Image.fromarray(face.exemplar).save(tmp_path / name)
    Image.fromarray(degrade(face.target, 4)).save(tmp_path / "tiny-face.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["sr"].shape == (128, 128, 3)
    assert names["weights"].shape == (2, 32, 32)


def test_data_goes_to_stdout_and_everything_else_to_stderr() -> None:
    for arguments, code in (
        (["--help"], 0),
        (["--version"], 0),
        (["targets", "--json"], 0),
        ([], 2),
        (["nonsense"], 2),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "edgesr.cli", *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, bool(done.stdout), bool(done.stderr)) == (code, code == 0, code != 0), arguments


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", "| true"])
@pytest.mark.parametrize("arguments", ["targets --json", "info nowhere --json", "--help"])
def test_an_unwritable_stdout_ends_in_no_traceback(arguments: str, redirection: str) -> None:
    shell = f"{sys.executable} -m edgesr.cli {arguments} {redirection}"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


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
