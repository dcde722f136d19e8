"""A web bundle gives models and data: its page must be the installed one to verify, and is never what runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
from conftest import Call

from edgesr.booth import chromium, site
from edgesr.booth.served import is_data, served_files
from edgesr.booth.server import FolderServer
from edgesr.bundle import MANIFEST, hashes
from edgesr.cli.booth import opened
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.verify import verify
from edgesr.errors import BundleError

PAGE = {
    "index.html": "<!doctype html><script type=module src=assets/index-1.js></script>",
    "verify.html": "<!doctype html>the gate's",
    "assets/index-1.js": "ours()",
    "sw.js": "worker()",
    "ort/ort-wasm-simd-threaded.mjs": "runtime()",
    "ort/ort-wasm-simd-threaded.wasm": "\0asm",
    "site.json": '{"onnxruntime_web": "1.0.0"}',
}
"""Of a page as it is built: what it does matters nothing here."""


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("site")
    for name, text in PAGE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "SITE", folder)
        patch.setenv("EDGESR_CHROMIUM", "none")  # its graphs are onnxruntime's then
        patch.delenv("EDGESR_YUNET", raising=False)
        yield


@pytest.fixture(scope="module")
def made(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny float network as a web bundle; not to be changed."""
    folder = tmp_path_factory.mktemp("web") / "booth"
    convert(plan("web", checkpoint=tiny_checkpoint, precision="fp32", output=folder))
    return folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "booth"))


def redo(folder: Path) -> None:
    """Give every file the hash that it has, in the networks' manifests first."""
    for path in (*sorted(folder.glob("models/*/manifest.json")), folder / MANIFEST):
        manifest = json.loads(path.read_text())
        manifest["sha256"] = hashes(path.parent)
        path.write_text(json.dumps(manifest))


def foreign_graph(folder: Path) -> None:
    path = folder / "models" / "fp32" / "restore.onnx"
    model = onnx.load(path)
    model.graph.doc_string = "another file, the same graph"
    onnx.save(model, path)


def edit(file: str, **changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a script": (lambda f: (f / "assets/index-1.js").write_text("theirs()"), "page: assets/index-1.js"),
    "the gate's page": (lambda f: (f / "verify.html").write_text("all is well"), "page: verify.html"),
    "a worker": (lambda f: (f / "sw.js").write_text("theirs()"), "page: sw.js"),
    "another script": (lambda f: (f / "assets/more.js").write_text("theirs()"), "page: assets/more.js"),
    "a script among models": (lambda f: (f / "models/fp32/x.js").write_text("x()"), "page: models/fp32/x.js"),
    "a page that is missing": (lambda f: (f / "index.html").unlink(), "page: index.html"),
    "the detector": (lambda f: (f / "detector/face_detection_yunet.onnx").write_bytes(b"x"), "detector"),
    "the runtime's file": (edit("booth.json", runtime={"wasm": ["evil.mjs"]}), "booth.json"),
    "the feature space": (edit("booth.json", feature_space="another"), "booth.json"),
    "the inner manifest": (edit("models/fp32/manifest.json", feature_space="another"), "models/fp32: manifest says"),
    "another file": (foreign_graph, "booth.json"),
}


def test_what_was_converted_verifies(made: Path, tiny_checkpoint: Path) -> None:
    result = verify(made, tiny_checkpoint)
    assert result.ok, result.failed
    assert any("page: every file" in check.name for check in result.checks)


@pytest.mark.parametrize(("change", "named"), CHANGES.values(), ids=CHANGES)
def test_every_change_is_a_named_check_that_fails(
    change: Callable[[Path], object], named: str, bundle: Path, tiny_checkpoint: Path
) -> None:
    change(bundle)
    redo(bundle)
    result = verify(bundle, tiny_checkpoint)
    assert result.exit_code == 1
    assert any(name.startswith(named) for name in result.failed), result.failed


def test_without_the_installed_page_nobody_knows(
    made: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(site, "SITE", tmp_path)
    result = verify(made, tiny_checkpoint)
    assert (result.ok, result.exit_code) == (False, 4)
    assert "page" in (result.unverified or "")


def get(address: str) -> tuple[bytes, str, str]:
    with urllib.request.urlopen(address, timeout=30) as answer:
        headers = answer.headers
        return answer.read(), headers["Content-Type"], headers["X-Content-Type-Options"]


def test_a_booth_serves_the_installed_page_and_nothing_executable_of_a_bundle(bundle: Path) -> None:
    for name in ("index.html", "sw.js", "assets/index-1.js", "assets/more.js", "models/fp32/x.js", "x.html"):
        (bundle / name).write_text("theirs()")
    edit("booth.json", runtime={"folder": "models/", "wasm": ["models/fp32/x.js"]})(bundle)
    redo(bundle)
    with opened(bundle, "") as (_, files), FolderServer(files) as server:
        server.serve_in_background()
        try:
            for name, text in PAGE.items():
                if name != site.DESCRIPTION:
                    assert get(f"{server.address}{name}")[0] == text.encode()
            booth = json.loads(get(f"{server.address}booth.json")[0])
            assert booth["runtime"]["wasm"] == list(site.WASM)
            for model in booth["models"].values():
                content, kind, sniffing = get(f"{server.address}{model['restore']}")
                assert (kind, sniffing) == ("application/octet-stream", "nosniff")
                assert hashlib.sha256(content).hexdigest() == booth["sha256"][model["restore"]]
            for name in ("assets/more.js", "models/fp32/x.js", "x.html", MANIFEST):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    get(f"{server.address}{name}")
        finally:
            server.shutdown()


def test_a_bundle_of_another_kind_is_no_booth(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="is a bundle for onnx"), opened(tiny_bundle, ""):
        pass


def test_the_command_names_a_changed_page(bundle: Path, tiny_checkpoint: Path, call: Call) -> None:
    (bundle / "verify.html").write_text("<script>all is well</script>")
    redo(bundle)
    code, said, _ = call("verify", bundle, "--checkpoint", tiny_checkpoint)
    assert (code, said["ok"]) == (1, False)
    assert "page: verify.html" in said["error"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("booth.json", True),
        ("models/int8/encode.onnx", True),
        ("models/int8/manifest.json", True),
        ("detector/face_detection_yunet.onnx", True),
        ("models/int8/encode.js", False),
        ("models/../encode.onnx", False),
        ("models/int8/deep/encode.onnx", False),
        ("detector/x.onnx", False),
        ("index.html", False),
        ("golden.safetensors", True),
        ("manifest.webmanifest", False),
    ],
)
def test_data_are_known_by_their_names(name: str, data: bool) -> None:
    assert is_data(name) == data


def test_a_name_of_the_page_is_the_pages(tmp_path: Path) -> None:
    served = served_files(tmp_path, ["index.html", "models/int8/encode.onnx"])
    assert served["index.html"] == site.SITE / "index.html"
    assert served["models/int8/encode.onnx"] == tmp_path / "models/int8/encode.onnx"


@pytest.mark.parametrize(("user", "without"), [(0, True), (1000, False)])
def test_chromium_keeps_its_sandbox_unless_the_user_is_root(
    user: int, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium.os, "geteuid", lambda: user)
    assert ("--no-sandbox" in chromium.options()) == without
