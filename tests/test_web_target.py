"""Target web: the booth's folder is complete, small, and computes in the browser what PyTorch computes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import edgesr
from edgesr.booth import site
from edgesr.booth.chromium import Chromium, find_chromium
from edgesr.booth.server import FolderHandler, FolderServer, compressed, listed
from edgesr.bundle import open_bundle
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.convert.web import folder as web_folder
from edgesr.errors import ParityError, UnavailableError, UsageError
from edgesr.models.checkpoint import sha256_of
from edgesr.runtime.web import WebRuntime

pytestmark = pytest.mark.chromium

MOST_FIRST_VISIT = 6_000_000


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network as a web bundle."""
    output = tmp_path_factory.mktemp("web") / "booth"
    convert(plan("web", output=output))
    return output


@pytest.fixture
def tiny(tiny_booth: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(tiny_booth, tmp_path / "tiny"))


def read(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


@pytest.mark.slow
def test_the_shipped_network_runs_in_the_browser_and_verifies(shipped: Path) -> None:
    manifest = read(shipped, "manifest.json")
    assert (manifest["target"], manifest["precision"], manifest["precision_got"]) == ("web", "int8", "int8")
    assert manifest["parity"]["evaluated_with"].startswith("onnxruntime-web in Chromium")
    assert manifest["int8_convs"]["restore"]["int8"] == manifest["int8_convs"]["restore"]["expected"] > 50
    result = verify(shipped)
    assert result.ok
    assert result.notes == ()
    assert result.evaluated_with.startswith("onnxruntime-web in Chromium")
    # This page, its golden vectors and real faces, weights and manifest, and the float network beside it.
    assert {check.name.split()[0] for check in result.checks} >= {"files", "page:", "golden", "real", "models/fp32:"}


@pytest.mark.slow
def test_the_first_visit_stays_below_6_mb(shipped: Path) -> None:
    booth = read(shipped, "booth.json")
    measured = sum(len(compressed((shipped / name).read_bytes())) for name in booth["first_visit"])
    assert measured <= MOST_FIRST_VISIT
    assert booth["first_visit_bytes"] == pytest.approx(measured, abs=64), "its own size is in itself"
    assert read(shipped, "manifest.json")["first_visit_bytes"] == booth["first_visit_bytes"]


@pytest.mark.slow
def test_the_page_starts_with_files_of_the_first_visit(shipped: Path) -> None:
    """In a browser of its own, with nothing kept from before; the whole way to a face is the page's own test."""
    asked: list[str] = []

    class Recorder(FolderHandler):
        def answer_file(self) -> None:
            asked.append(self.path.split("?")[0].removeprefix("/") or "index.html")
            super().answer_file()

    booth = read(shipped, "booth.json")
    program = find_chromium()
    assert program is not None
    with FolderServer(listed(shipped), handler=Recorder) as server:
        server.serve_in_background()
        browser = Chromium(program, server.address)
        scripts = set(re.findall(r'src="\./(assets/[^"]+)"', (shipped / "index.html").read_text()))
        try:
            assert scripts
            assert wait_for(lambda: {"index.html", *scripts} <= set(asked), 60), f"asked for {sorted(set(asked))}"
            time.sleep(3)
        finally:
            browser.close()
            server.shutdown()
    assert set(asked) - {"sw.js", "favicon.ico"} <= set(booth["first_visit"])


@pytest.mark.slow
def test_both_forms_are_onnx_bundles_of_their_own(shipped: Path) -> None:
    booth, photo = read(shipped, "booth.json"), np.full((128, 128, 3), 120, np.uint8)
    assert set(booth["models"]) == {"int8", "fp32"}
    for key, described in booth["models"].items():
        inside = open_bundle(shipped / "models" / key)
        assert (inside.manifest["target"], inside.manifest["precision"]) == ("onnx", key)
        assert inside.feature_space == booth["feature_space"]
        model = edgesr.load(shipped / "models" / key)
        sr, weights = model.restore(photo[:32, :32], model.encode([photo]))
        assert (sr.shape, weights.shape) == ((128, 128, 3), (1, 32, 32))
        assert described["bytes"] == sum((shipped / described[role]).stat().st_size for role in ("encode", "restore"))
    features = {key: edgesr.load(shipped / "models" / key).encode([photo]) for key in booth["models"]}
    assert not np.array_equal(features["int8"], features["fp32"])


@pytest.mark.slow
def test_booth_json_describes_what_is_there(shipped: Path) -> None:
    booth = read(shipped, "booth.json")
    manifest = read(shipped, "models/int8/manifest.json")
    assert (booth["format"], booth["format_version"], booth["edgesr"]) == ("edgesr-booth", 1, edgesr.__version__)
    assert re.fullmatch(r"[0-9a-f]{16}", booth["build_id"])
    for key in ("feature_space", "scale", "lr_size", "slots"):
        assert booth[key] == manifest[key]
    for name, sha256 in booth["sha256"].items():
        assert sha256_of(shipped / name) == sha256
    fetched = {booth["detector"]["file"], *booth["runtime"]["wasm"], *booth["runtime"]["webgpu"]}
    for model in booth["models"].values():
        fetched |= {model[role] for role in ("manifest", "encode", "restore")}
    assert fetched == set(booth["sha256"])
    assert all((shipped / name).is_file() for name in booth["first_visit"])
    assert not set(booth["first_visit"]) & {"verify.html", "licences.txt", *booth["runtime"]["webgpu"]}
    assert not any(name.startswith("models/fp32") for name in booth["first_visit"])
    documented = (Path(__file__).parent.parent / "docs" / "web.md").read_text()
    for key in (*booth, *booth["detector"], *booth["runtime"], *booth["models"]["int8"]):
        assert f"`{key}`" in documented or f"`.{key}`" in documented or f"`models.*.{key}`" in documented, key


def test_pages_have_no_inline_code_and_their_own_origin_only(tiny: Path) -> None:
    class Strict(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            assert tag != "style", "style elements need unsafe-inline"
            assert tag != "script" or found.get("src"), "scripts come from files"
            assert not [name for name in found if name.startswith("on") or name == "style"]
            for name in ("src", "href"):
                assert not re.match(r"[a-z]+:|/", found.get(name) or ""), "every address is relative"

    for name in ("index.html", "verify.html"):
        text = (tiny / name).read_text()
        assert "Content-Security-Policy" in text
        Strict().feed(text)


def test_a_float_network_without_int8_gives_float_alone_and_says_so(
    tiny_checkpoint: Path, tmp_path: Path, call
) -> None:
    output = tmp_path / "web"
    code, said, errors = call("convert", "--target", "web", "--checkpoint", tiny_checkpoint, "--output", output)
    assert (code, said["precision"]) == (0, "fp32")
    assert "there is no int8 network of tiny" in errors
    booth = read(output, "booth.json")
    assert (list(booth["models"]), booth["default_precision"]) == (["fp32"], "fp32")
    with pytest.raises(UsageError, match="no int8 network"):
        plan("web", checkpoint=tiny_checkpoint, precision="int8")


def test_a_calibrated_network_comes_with_its_float_form(
    tiny_checkpoint: Path, people_folder: Path, tmp_path: Path, call
) -> None:
    arguments = ["--target", "web", "--checkpoint", tiny_checkpoint, "--output", tmp_path / "web"]
    calibration = ["--precision", "int8-ptq", "--calibrate", people_folder]
    code, said, _ = call("convert", *arguments, *calibration)
    assert (code, said.get("precision")) == (0, "int8-ptq")
    assert said["parity"]["evaluated_with"].startswith("onnxruntime-web in Chromium")
    booth = read(tmp_path / "web", "booth.json")
    assert {key: model["precision"] for key, model in booth["models"].items()} == {"int8": "int8-ptq", "fp32": "fp32"}
    assert booth["default_precision"] == "int8"
    assert booth["name"] == "tiny"


def test_the_same_network_gives_the_same_build(tiny: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGESR_CHROMIUM", "none")
    convert(plan("web", checkpoint=tiny_checkpoint, output=tmp_path / "again"))
    first, again = (read(folder, "booth.json") for folder in (tiny, tmp_path / "again"))
    assert first["build_id"] == again["build_id"]
    changed = {**first["sha256"], first["models"]["fp32"]["encode"]: "0" * 64}
    assert web_folder.build_id(changed) != web_folder.build_id(first["sha256"])


def damage(bundle: Path, name: str, old: bytes, new: bytes) -> None:
    """Change a file's bytes and give it a right hash in both manifests, as a wrong conversion would."""
    content = (bundle / name).read_bytes()
    assert content.count(old) == 1
    (bundle / name).write_bytes(content.replace(old, new))
    inner = bundle / Path(name).parent
    for folder, key in (
        (inner, Path(name).name),
        (bundle, name),
        (bundle, f"{inner.relative_to(bundle)}/manifest.json"),
    ):
        manifest = read(folder, "manifest.json")
        manifest["sha256"][key] = hashlib.sha256((folder / key).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_browser_catches_a_damaged_model(tiny: Path, tiny_checkpoint: Path) -> None:
    import onnx
    from onnx import numpy_helper

    assert verify(tiny, tiny_checkpoint).ok
    model = onnx.load(tiny / "models/fp32/restore.onnx")
    tensor = next(t for t in model.graph.initializer if t.name == "reconstructor.up1.weight")
    weight = numpy_helper.to_array(tensor)
    wrong = weight.copy()
    wrong[0] *= 1.1
    damage(tiny, "models/fp32/restore.onnx", weight.tobytes(), wrong.tobytes())
    result = verify(tiny, tiny_checkpoint)
    assert result.evaluated_with.startswith("onnxruntime-web in Chromium")
    failed = [check.name for check in result.checks if not check.ok]
    assert "restore: weights of reconstructor.up1" in failed
    assert {"golden sr: max abs error", "real faces sr: max abs error"} <= set(failed)


def test_a_bundles_own_scripts_are_compared_and_never_run(tiny: Path, tiny_checkpoint: Path) -> None:
    """What is run is this installation's page: a bundle's could be anything, and stands beside the user's galleries."""
    wasm = tiny / site.WASM[1]
    wasm.write_bytes(wasm.read_bytes()[:100_000])
    manifest = read(tiny, "manifest.json")
    manifest["sha256"][site.WASM[1]] = hashlib.sha256(wasm.read_bytes()).hexdigest()
    (tiny / "manifest.json").write_text(json.dumps(manifest))
    result = verify(tiny, tiny_checkpoint)
    assert result.evaluated_with.startswith("onnxruntime-web in Chromium")
    failed = [check.name for check in result.checks if not check.ok]
    assert failed == [f"page: {site.WASM[1]} is the installed page's"]


def test_a_damaged_int8_network_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    import int8_networks

    from edgesr.convert import pipeline
    from edgesr.models import save_checkpoint

    monkeypatch.setattr(pipeline, "first_departing_module", lambda *args, **kwargs: "somewhere")
    checkpoint, quantization = int8_networks.network()
    save_checkpoint(tmp_path / "float", "tiny", checkpoint.model, training={}, feature_scales=checkpoint.feature_scales)
    chosen = plan("web", checkpoint=tmp_path / "float", precision="fp32", output=tmp_path / "bundle")
    chosen = dataclasses.replace(chosen, precision="int8-ptq", quantization=quantization)
    with pytest.raises(ParityError, match="int8"):
        convert(chosen, graphs=int8_networks.with_wrong_step(pipeline.make_graphs(chosen)))
    assert not chosen.output.exists()


def test_without_a_browser_it_is_said_what_ran(tiny: Path, tiny_checkpoint: Path, monkeypatch, call) -> None:
    monkeypatch.setenv("EDGESR_CHROMIUM", "none")
    manifest = read(tiny, "manifest.json")
    assert manifest["parity"]["evaluated_with"] == "onnxruntime, for want of Chromium"
    assert manifest["notes"] == ["there is no Chromium here: its ONNX graphs were run by onnxruntime instead"]
    assert not TARGETS["web"].executes_here
    code, said, errors = call("verify", tiny, "--checkpoint", tiny_checkpoint)
    assert (code, said["evaluated_with"]) == (0, "onnxruntime, for want of Chromium")
    assert "run by onnxruntime instead" in said["notes"][0]
    assert errors
    with pytest.raises(UnavailableError, match="runs in Chromium"):
        edgesr.load(tiny)


@pytest.mark.parametrize(("program", "message"), [("/bin/false", "ended before"), ("/nowhere", "is no program")])
def test_a_browser_that_does_not_work_is_an_error_in_words(program: str, message: str, tiny: Path, monkeypatch) -> None:
    monkeypatch.setenv("EDGESR_CHROMIUM", program)
    with pytest.raises(UnavailableError, match=message) as caught:
        edgesr.load(tiny)
    assert "EDGESR_CHROMIUM" in str(caught.value)


def test_a_detector_that_is_named_and_missing_ends_it_before_anything_is_converted(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("EDGESR_YUNET", str(tmp_path / "none.onnx"))
    with pytest.raises(UnavailableError, match=r"none\.onnx, which EDGESR_YUNET names") as caught:
        convert(plan("web", checkpoint=tiny_checkpoint, output=tmp_path / "bundle"))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "bundle").exists()


def browsers() -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        if any("edgesr-chromium-" in argument for argument in process.info["cmdline"] or []):
            yield process


OPEN = """
import sys, time
from pathlib import Path
from edgesr.booth.chromium import Chromium, find_chromium
browser = Chromium(find_chromium(), "about:blank")
print(browser._profile.name, flush=True)
time.sleep(600)
"""


def of_profile(profile: str) -> list[psutil.Process]:
    return [process for process in browsers() if any(profile in argument for argument in process.info["cmdline"])]


def test_a_closed_browser_leaves_nothing(tiny: Path) -> None:
    model = edgesr.load(tiny)
    assert isinstance(model.runtime, WebRuntime)
    profile = model.runtime._page._chromium._profile.name
    assert of_profile(profile)
    assert Path(profile).is_dir()
    del model
    assert wait_for(lambda: not of_profile(profile))
    assert not Path(profile).exists()


def test_a_browser_ends_with_the_python_that_was_killed() -> None:
    python = subprocess.Popen([sys.executable, "-c", OPEN], stdout=subprocess.PIPE, text=True)
    assert python.stdout is not None
    profile = python.stdout.readline().strip()
    try:
        assert wait_for(lambda: len(of_profile(profile)) > 1)
        os.kill(python.pid, signal.SIGKILL)
        python.wait()
        assert wait_for(lambda: not of_profile(profile)), "a browser outlives us"
        assert wait_for(lambda: not Path(profile).exists()), "and so does its profile"
    finally:
        for left in of_profile(profile):
            left.kill()


def wait_for(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(condition())
