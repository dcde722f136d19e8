"""What scripts rely on: flags, JSON keys, exit codes; and that errors are a message, never a traceback."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.types import FloatParamType
from conftest import Call
from PIL import Image

from edgesr.cli.main import COMMANDS, cli, run


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


def test_doctor_finds_this_installation_sound(call: Call) -> None:
    code, answer, _ = call("doctor")
    assert (code, answer["ok"]) == (0, True), answer
    found = {check["what"]: check["found"] for check in answer["checks"]}
    assert len(found) == len(answer["checks"]), "each thing once"
    assert "YuNet on opencv" in found["face detector"]
    assert "dlib ResNet on dlib" in found["face embedder"]
    assert all("sha256" in found[f"face {what}"] for what in ("detector", "embedder"))


def test_doctor_names_a_detector_that_is_none(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.onnx").write_bytes(b"no network")
    for file in ("other.onnx", "missing.onnx"):
        monkeypatch.setenv("EDGESR_YUNET", str(tmp_path / file))
        code, answer, _ = call("doctor")
        faults = [check for check in answer["checks"] if check["state"] == "fault"]
        assert (code, [check["what"] for check in faults]) == (1, ["face detector"])
        assert file in faults[0]["found"]


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
        (("info", "nowhere"), 5, "presets without weights: hime-small-x4-64, hime-edge-x4"),
        (("eval", "--data", "nowhere"), 5, "nowhere"),
        (("eval", "--data", "x", "-c", "a", "-b", "b"), 2, "exclude"),
        (("eval", "--data", "x", "--markdown"), 2, "--markdown and --json"),
        (("eval", "--data", "x", "--sheet", "sheet.doc"), 2, "cannot write .doc"),
        (("eval", "--data", "x", "--sheet", "s.png", "--weights", "./s.png"), 2, "one file twice"),
        (("eval", "--data", "x", "--sheet", "/", "--force"), 2, "/ is a folder"),
        (("eval", "--data", "x", "--lpips-linear", "x"), 2, "--lpips"),
        (("eval", "--data", "x", "--lpips", "a", "--no-exemplar-net", "hime-small-x4-q"), 5, "no checkpoint"),
        (("ablate", "alignment", "--data", "nowhere", "--init", ""), 5, "no checkpoint"),
        (("train", "nowhere"), 5, "no folder"),
        (("train", "nowhere", "--network", "giant"), 2, "presets"),
        (("train", "nowhere", "--identity", "0.1"), 2, "--embedder FILE"),
        (("train", "nowhere", "--vgg19", "x.safetensors"), 2, "--perceptual WEIGHT"),
        (("train", "nowhere", "--perceptual-backbone", "efficientnet-lite0"), 2, "--perceptual WEIGHT"),
        (("train", "nowhere", "--perceptual", "1"), 2, "--perceptual-backbone efficientnet-lite0"),
        (("train", "nowhere", "--correlation", "0.1", "--correlation-window", "4"), 2, "odd"),
        (("restore", "nowhere.png", "-o", "x.png"), 5, "no file"),
        (("restore", "a/x.png", "b/x.png", "-o", "out"), 2, "same name: a/x.png and b/x.png"),
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


def options(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    """Every option below a command, with the words that lead to it."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options(below, (*path, name))
    else:
        yield from ((path, option) for option in command.params)


def test_no_option_takes_what_is_no_number() -> None:
    """NaN lies within any bounds that are asked for one by one: an SR face came out black, a run never ended."""
    found = [(path, one) for path, one in options(cli, ()) if isinstance(one.type, FloatParamType)]
    assert {("edit",), ("enhance",), ("train",), ("quantize",), ("data", "split")} <= {path for path, _ in found}

    def takes(option: click.Parameter) -> bool:
        with contextlib.suppress(click.BadParameter):
            option.type.convert("nan", option, None)
            return True
        return False

    assert [(path, option.name) for path, option in found if takes(option)] == []


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


def test_restore_never_replaces_what_it_was_given(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    face, me = tmp_path / "tiny.png", tmp_path / "me.png"
    Image.new("RGB", (8, 8)).save(face)
    Image.new("RGB", (32, 32)).save(me)
    before = face.read_bytes(), me.read_bytes()
    for out in (face, me):
        code, answer, _ = call(
            "restore", face, "--exemplars", me, "--aligned", "-o", out, "-m", tiny_checkpoint, "--force"
        )
        assert (code, "replaced by its own output" in answer["error"]) == (2, True)
    assert (face.read_bytes(), me.read_bytes()) == before


def test_commands_below_a_command_are_listed_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("gallery", "data"):
        assert run([group, "--help"]) == 0
        assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_a_read_only_place_is_named(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, answer, _ = call("convert", "-t", "onnx", "-c", tiny_checkpoint, "-o", tmp_path / "file" / "bundle")
    assert (code, "cannot write" in answer["error"]) == (5, True)


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
