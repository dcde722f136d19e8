"""A mistake in the call is answered before PyTorch is loaded, which takes seconds; and nothing but ours is said."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
import warnings

import pytest

ASK = """
import contextlib, io, json, sys
from edgesr.cli.main import run
for arguments in json.load(sys.stdin):
    before = "torch" in sys.modules
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = run(arguments)
    print(json.dumps([code, "torch" in sys.modules and not before, said.getvalue()]))
"""

MISTAKES = {
    "convert --target nonsense": (2, "unknown target"),
    "convert --target onnx --precision banana": (2, "no precision"),
    "convert --target onnx --lowering banana": (2, "no lowering"),
    "convert --target onnx -o here.html": (2, "already exists"),
    "convert --target onnx -c missing": (5, "no checkpoint"),
    "convert --target onnx --calibrate missing": (5, "no folder"),
    "verify missing": (5, "no bundle"),
    "verify here.html": (5, "is no bundle"),
    "restore missing.png -o out.png": (5, "holds none alike"),
    "restore here.html -o out.png -m missing": (5, "no checkpoint"),
    "enhance missing.jpg -o out.jpg": (5, "no file"),
    "enhance hera.html -o out.jpg": (5, "there is here.html"),
    "enhance here.html -o out.jpg --faces here.html": (5, "cannot write here.html: Not a directory"),
    "enhance dangling.jpg -o out.jpg": (5, "a link to nothing.jpg, which is not there"),
    "gallery build looping.jpg -o me.gallery": (5, "and leads back to itself"),
    "gallery wipe hera.html": (5, "there is here.html"),
    "enhance '' -o out.jpg": (2, "its name is empty"),
    "enhance here.html -o ''": (2, "its name is empty"),
    "restore nowhere/face.png -o out.png": (5, "There is no folder nowhere"),
    "enhance here.html -o here.png": (2, "already exists"),
    "enhance here.html -o out.jpg -g missing.gallery": (5, "no file"),
    "gallery build missing -o me.gallery": (5, "no file"),
    "gallery build here.html -o here.html": (2, "already exists"),
    "gallery add missing.gallery here.html": (5, "no file"),
    "data prepare missing -o out": (5, "no folder"),
    "train missing": (5, "no folder"),
    "train . --network banana": (2, "unknown network"),
    "ablate banana --data .": (2, "unknown table"),
    "quantize --data missing": (5, "no folder"),
    "quantize missing --data .": (5, "no checkpoint"),
    "quantize --data . -o here.html": (2, "exists"),
    "eval --data missing": (5, "no folder"),
    "report -o here.html": (2, "already exists"),
    "report --data missing": (5, "no folder"),
    "bench missing": (5, "no checkpoint"),
    "booth --bundle missing": (5, "no bundle"),
    "booth -c missing": (5, "no checkpoint"),
    "info missing": (5, "no checkpoint"),
    "demo -c missing": (5, "no checkpoint"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, bool, str]]:
    """Of each mistake: the exit code, whether PyTorch has been loaded, what was said; all in one process."""
    folder = tmp_path_factory.mktemp("early")
    for name in ("here.html", "here.png"):
        (folder / name).write_text("a file that is there")
    for name, target in (("dangling.jpg", "nothing.jpg"), ("looping.jpg", "looping.jpg")):
        (folder / name).symlink_to(target)
    asked = json.dumps([shlex.split(mistake) for mistake in MISTAKES])
    done = subprocess.run(
        [sys.executable, "-c", ASK], input=asked, cwd=folder, capture_output=True, text=True, check=True
    )
    return dict(zip(MISTAKES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_before_torch_is_loaded(mistake: str, answers: dict[str, tuple[int, bool, str]]) -> None:
    code, loaded, said = answers[mistake]
    assert (code, MISTAKES[mistake][1] in said) == (MISTAKES[mistake][0], True), said
    assert not loaded


def test_python_users_see_no_warning_of_what_int8_needs() -> None:
    """torchao logs one when it is loaded."""
    pytest.importorskip("torchao")
    done = subprocess.run(
        [sys.executable, "-c", "import edgesr.quantize.graphs"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_commands_show_no_warning(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edgesr.cli import output
    from edgesr.cli.main import run

    def warned(*_: object) -> None:
        warnings.warn("of a library", UserWarning, stacklevel=1)
        logging.getLogger("torch").warning("of a library")

    monkeypatch.setattr(output, "table", warned)
    assert run(["targets"]) == 0
    assert "of a library" not in capsys.readouterr().err
