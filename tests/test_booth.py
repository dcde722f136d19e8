"""The booth's server gives its folder's files to this machine alone, and the command opens it and ends."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from edgesr.booth import site
from edgesr.booth.cache import cache_folder
from edgesr.booth.server import HEADERS, POLICY, FolderServer, listed
from edgesr.errors import InputOutputError

SCRIPT = b"console.log('booth');\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page, and beside it what must not be served."""
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>booth</title>")
    (page / "assets" / "index-1234.js").write_bytes(SCRIPT)
    (page / "restore.onnx").write_bytes(bytes(3000))
    (page / "a b.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    (page / "link.txt").symlink_to(tmp_path / "secret.txt")
    return page


@pytest.fixture
def server(folder: Path) -> Iterator[FolderServer]:
    with FolderServer(listed(folder)) as running:
        running.serve_in_background()
        yield running
        running.shutdown()


Answer = tuple[int, dict[str, str], bytes]


def ask(server: FolderServer, path: str, method: str = "GET", **headers: str) -> Answer:
    """One request as it is written, with no tidying of the path."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_every_answer_has_the_policy_and_its_companions(server: FolderServer) -> None:
    for path, method in (("/", "GET"), ("/nothing", "GET"), ("/", "POST"), ("/", "HEAD")):
        _, headers, _ = ask(server, path, method)
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, (path, method)
    assert "unsafe-inline" not in POLICY
    assert "'unsafe-eval'" not in POLICY
    assert "http" not in POLICY, "no other origin"


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/assets/index-1234.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/a%20b.wasm", "application/wasm", "no-cache"),
        ("/restore.onnx?build=1", "application/octet-stream", "no-cache"),
    ],
)
def test_files_have_their_types_and_are_kept_where_their_name_says_their_content(
    path: str, kind: str, cache: str, server: FolderServer
) -> None:
    status, headers, _ = ask(server, path)
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (HTTPStatus.OK, kind, cache)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "//secret.txt",
        "/link.txt",
        "/assets",
        "/assets/",
        "/index.html/",
        "/index.html%00",
        "/etc/passwd",
        "",
    ],
)
def test_nothing_outside_the_list_is_given(path: str, server: FolderServer) -> None:
    status, _, body = ask(server, path or "/..")
    assert status == HTTPStatus.NOT_FOUND
    assert b"secret" not in body


def test_a_foreign_name_of_this_machine_is_refused(server: FolderServer) -> None:
    port = server.server_port
    for host in ("127.0.0.1", "localhost"):
        assert ask(server, "/", Host=f"{host}:{port}")[0] == HTTPStatus.OK
    for host in (f"attacker.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.attacker.example:{port}", ""):
        assert ask(server, "/", Host=host)[0] == HTTPStatus.MISDIRECTED_REQUEST, host


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent_to_it(method: str, server: FolderServer) -> None:
    status, headers, _ = ask(server, "/index.html", method)
    assert (status, headers["Allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "GET, HEAD")


def test_what_can_be_compressed_is_where_the_browser_takes_it(server: FolderServer) -> None:
    path = "/assets/index-1234.js"
    _, plain, body = ask(server, path)
    assert body == SCRIPT
    assert "Content-Encoding" not in plain
    _, zipped, short = ask(server, path, Accept_Encoding="br;q=1.0, gzip;q=0.8")
    assert (zipped["Content-Encoding"], zipped["Content-Length"]) == ("gzip", str(len(short)))
    assert gzip.decompress(short) == SCRIPT
    assert len(short) < len(SCRIPT) / 10
    assert zipped["ETag"] != plain["ETag"], "caches must tell them apart"
    assert zipped["Vary"] == "Accept-Encoding"


def test_what_the_browser_has_is_not_sent_again(server: FolderServer) -> None:
    _, headers, _ = ask(server, "/restore.onnx")
    status, again, body = ask(server, "/restore.onnx", If_None_Match=headers["ETag"])
    assert (status, again["ETag"], body) == (HTTPStatus.NOT_MODIFIED, headers["ETag"], b"")
    assert ask(server, "/restore.onnx", If_None_Match='"other"')[0] == HTTPStatus.OK


def test_head_is_get_without_the_content(server: FolderServer) -> None:
    status, headers, body = ask(server, "/restore.onnx", "HEAD")
    assert (status, headers["Content-Length"], body) == (HTTPStatus.OK, "3000", b"")


def test_a_file_that_is_gone_is_said_to_be(server: FolderServer, folder: Path) -> None:
    (folder / "restore.onnx").unlink()
    assert ask(server, "/restore.onnx")[0] == HTTPStatus.NOT_FOUND
    assert ask(server, "/")[0] == HTTPStatus.OK


def test_a_taken_port_is_an_error_in_words(server: FolderServer) -> None:
    with pytest.raises(InputOutputError, match="cannot serve on port"):
        FolderServer({}, server.server_port)


def test_only_this_machine_is_listened_to(server: FolderServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_the_cache_is_keyed_by_all_that_a_bundle_is_made_of(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, detector = tmp_path / "site", tmp_path / "yunet.onnx"
    for name in (*site.NEEDED, *site.WASM):
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        (page / name).write_text("{}")
    detector.write_bytes(b"a")
    checkpoint = tmp_path / "mine"
    checkpoint.mkdir()
    for file in tiny_checkpoint.iterdir():
        (checkpoint / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(site, "SITE", page)
    monkeypatch.setenv("EDGESR_YUNET", str(detector))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = [cache_folder(str(checkpoint))]
    assert found[0] == cache_folder(str(checkpoint))
    assert found[0].parent == tmp_path / "cache" / "edgesr" / "booth"
    for changed in (page / site.DESCRIPTION, detector, checkpoint / "config.json", checkpoint / "model.safetensors"):
        changed.write_bytes(changed.read_bytes() + b" ")
        found.append(cache_folder(str(checkpoint)))
    found += [cache_folder("hime-small-x4"), cache_folder("hime-small-x8")]
    run = tmp_path / "runs" / "mine"  # of a training, which goes on
    run.mkdir(parents=True)
    checkpoint.rename(run / "checkpoint")
    found.append(cache_folder(str(run)))
    weights = run / "checkpoint" / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    found.append(cache_folder(str(run)))
    assert len(set(found)) == len(found)


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgesr.cli", "booth", "--no-browser", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


@pytest.mark.chromium
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_a_bundle_until_it_is_ended(sent: signal.Signals, tiny_booth: Path) -> None:
    booth = start("--bundle", tiny_booth, "--port", 0)
    assert booth.stdout is not None
    address = booth.stdout.readline().strip()
    connection = http.client.HTTPConnection(address.removeprefix("http://").strip("/"), timeout=10)
    connection.request("GET", "/booth.json")
    described = json.loads(connection.getresponse().read())
    assert described["name"] == "tiny"
    booth.send_signal(sent)
    rest, errors = booth.communicate(timeout=20)
    assert (booth.returncode, rest) == (0, "")
    assert "Traceback" not in errors


@pytest.mark.chromium
def test_json_is_one_object(tiny_booth: Path) -> None:
    booth = start("--bundle", tiny_booth, "--json", "--port", 0)
    assert booth.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += booth.stdout.readline()
    booth.send_signal(signal.SIGINT)
    rest, _ = booth.communicate(timeout=20)
    said = json.loads(text + rest)
    assert said["ok"]
    assert said["bundle"] == str(tiny_booth)
    assert said["address"].startswith("http://127.0.0.1:")


@pytest.mark.chromium
def test_a_checkpoint_that_was_opened_before_opens_at_once(
    tiny_booth: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = cache_folder(str(tiny_checkpoint))
    kept.parent.mkdir(parents=True)
    kept.symlink_to(tiny_booth)
    code = (
        "import sys; from edgesr.cli.booth import cached_booth; "
        f"print(cached_booth({str(tiny_checkpoint)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(kept), "False"]


@pytest.mark.chromium
def test_a_checkpoint_is_converted_on_the_way(tiny_checkpoint: Path, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path), "EDGESR_CHROMIUM": "none"}
    booth = start("--checkpoint", tiny_checkpoint, "--port", 0, **cache)
    assert booth.stdout is not None
    address = booth.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    booth.send_signal(signal.SIGINT)
    _, errors = booth.communicate(timeout=20)
    assert booth.returncode == 0
    assert "there is no int8 network of tiny" in errors
    assert "there is no Chromium here" in errors
    (folder,) = (tmp_path / "edgesr" / "booth").iterdir()
    assert (folder / "booth.json").is_file()


def test_a_bundle_for_another_target_is_refused(tiny_bundle: Path) -> None:
    done = start("--bundle", tiny_bundle)
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 5
    assert "is a bundle for onnx" in errors
    assert "edgesr convert --target web" in errors


def test_without_a_page_the_command_says_how_to_build_it(
    call, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "SITE", tmp_path / "nothing")
    code, said, _ = call("booth", "--no-browser", "--checkpoint", tiny_checkpoint)
    assert (code, said["exit_code"]) == (3, 3)
    assert site.BUILD in said["hint"]
    code, said, _ = call("convert", "--target", "web", "--checkpoint", tiny_checkpoint, "--output", tmp_path / "b")
    assert code == 3
    assert "build.py" in said["hint"]
    assert not (tmp_path / "b").exists()


def test_the_policy_of_the_page_is_the_servers() -> None:
    """Hosts that send no headers get it from the page's own meta element."""
    page = (Path(__file__).parent.parent / "web_demo" / "index.html").read_text()
    in_page = page.split('http-equiv="Content-Security-Policy"')[1].split('content="')[1].split('"')[0]
    assert in_page == POLICY.removesuffix("; frame-ancestors 'none'")
