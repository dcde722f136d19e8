"""What a model does to its runtime it does not do to us: a child that dies is an error that says how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import TINY

from edgesr.errors import BundleError
from edgesr.runtime import isolated
from edgesr.runtime.engines import Engine
from edgesr.runtime.isolated import IsolatedRuntime
from edgesr.runtime.tried import is_tried, remember, run_once, try_first

TENSORS = {
    "encode": {
        "inputs": [{"name": "exemplar", "shape": [1, 32, 32, 3], "layout": "NHWC"}],
        "outputs": [{"name": "features", "shape": [1, 8, 8, 16], "layout": "NHWC"}],
    },
    "restore": {
        "inputs": [
            {"name": "lr", "shape": [1, 8, 8, 3], "layout": "NHWC"},
            {"name": "features", "shape": [2, 8, 8, 16], "layout": "NHWC"},
            {"name": "valid", "shape": [2], "layout": "N"},
        ],
        "outputs": [
            {"name": "sr", "shape": [1, 32, 32, 3], "layout": "NHWC"},
            {"name": "weights", "shape": [2, 8, 8], "layout": "NHW"},
        ],
    },
}


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def opened(engine: str, folder: Path) -> IsolatedRuntime:
    return IsolatedRuntime(Engine("ending_engines", engine, ""), folder, {"model": "x"}, TINY.interface, TENSORS)


def test_a_sound_engine_computes_as_in_this_process(tmp_path: Path) -> None:
    runtime = opened("Sound", tmp_path)
    assert runtime.name == "sound"
    assert np.all(runtime.encode(np.ones((32, 32, 3), np.float32)) == 32 * 32 * 3)
    child = psutil.Process(runtime._process.pid)
    runtime.close()
    assert not child.is_running()


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("Segfaults", "by SIGSEGV"),
        ("Aborts", "by SIGABRT"),
        ("Leaves", "with exit code 3"),
        ("Raises", "cannot run the model: offset 7 leads nowhere"),
        ("Hangs", "busy for over 3 s"),
    ],
)
def test_an_end_is_an_error_that_says_how(
    engine: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "Hangs":
        runtime = opened(engine, tmp_path)
        monkeypatch.setattr(isolated, "SECONDS", 3.0)
        with pytest.raises(BundleError, match=message):
            run_once(runtime)
        return
    with pytest.raises(BundleError, match=message):
        run_once(opened(engine, tmp_path))


def test_what_ran_is_remembered_by_its_content_and_what_did_not_is_tried_again(tmp_path: Path) -> None:
    manifest = {"target": "onnx", "files": {"model": "x"}, "sha256": {"x": "1", "y": "2"}, "tensors": TENSORS}
    for _ in range(2):
        with pytest.raises(BundleError):
            try_first(manifest, lambda: opened("Aborts", tmp_path))
    try_first(manifest, lambda: opened("Sound", tmp_path))
    assert is_tried(manifest | {"sha256": {"x": "1", "y": "another"}})
    assert not is_tried(manifest | {"sha256": {"x": "another"}})
    try_first(manifest, lambda: opened("Aborts", tmp_path))  # it ran, so it is not opened


def test_that_nothing_can_be_noted_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    remember({"target": "onnx", "files": {}, "sha256": {}, "tensors": {"of": "this test"}})
