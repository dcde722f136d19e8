"""The face detector comes from its home complete and right, or not at all; and what serves where it cannot be had."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgesr import detector_setup
from edgesr.cli.main import run
from edgesr.detection import FaceDetector, open_detector
from edgesr.detector_setup import ADDRESS_VARIABLE, OFFLINE_VARIABLE, fetch_detector
from edgesr.errors import InputOutputError, UnavailableError

RIGHT = np.random.default_rng(0).bytes(detector_setup.BYTES)


class Home(http.server.BaseHTTPRequestHandler):
    """Answers each path with what its name says."""

    content = RIGHT
    asked: list[str]
    halfway: threading.Event

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/right")
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {
            "/wrong": self.content[:-1] + b"!",
            "/pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 229738\n",
            "/endless": self.content * 40,
        }.get(self.path, self.content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path in ("/truncated", "/stalled"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if self.path == "/stalled":
                self.halfway.set()
                time.sleep(3)
            return
        with contextlib.suppress(ConnectionError):  # who has heard enough hangs up
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server in place of GitHub, and an empty cache; gives the server's address."""
    Home.asked, Home.halfway, Home.content = [], threading.Event(), RIGHT
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Home)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in ("EDGESR_YUNET", OFFLINE_VARIABLE, "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{address}/right")
    monkeypatch.setattr(detector_setup, "SHA256", hashlib.sha256(RIGHT).hexdigest())
    yield address
    server.shutdown()
    server.server_close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_pinned_address_names_a_commit_and_a_file() -> None:
    assert detector_setup.ADDRESS.startswith("https://github.com/opencv/opencv_zoo/raw/")
    commit = detector_setup.ADDRESS.split("/raw/")[1].split("/")[0]
    assert len(commit) == 40
    assert set(commit) <= set("0123456789abcdef")


@pytest.mark.usefixtures("home")
def test_the_right_file_is_fetched_once(tmp_path: Path) -> None:
    said: list[str] = []
    assert fetch_detector(None, said.append)
    path = tmp_path / "cache" / "edgesr" / "face_detection_yunet.onnx"
    assert path.read_bytes() == RIGHT
    assert files(tmp_path) == [path.name]
    assert len(said) == 1
    assert "fetching" in said[0]
    assert "127.0.0.1" in said[0]
    assert not fetch_detector()
    assert Home.asked == ["/right"]


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("wrong", InputOutputError, "another file: 229738 bytes, SHA-256"),
        ("pointer", InputOutputError, "another file: 69 bytes"),
        ("endless", InputOutputError, "another file"),
        ("truncated", UnavailableError, "connection broke after 114869 of 229738 bytes"),
        ("missing", UnavailableError, "answers 404"),
        ("stalled", UnavailableError, "timed out"),
    ],
)
@pytest.mark.parametrize("before", [None, b"an older detector"])
def test_nothing_but_the_right_file_is_ever_written(
    home: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    error: type[Exception],
    words: str,
    before: bytes | None,
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/{path}")
    monkeypatch.setattr(detector_setup, "SECONDS", 0.2)
    target = tmp_path / "yunet.onnx"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(error, match=words):
        fetch_detector(target, force=True)
    assert files(tmp_path) == ([] if before is None else ["yunet.onnx"])
    assert before is None or target.read_bytes() == before


def test_a_server_that_sends_too_much_is_not_listened_to(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/endless")
    with pytest.raises(InputOutputError) as error:
        fetch_detector()
    assert int(error.value.what.split(" bytes")[0].split()[-1]) < 3 * detector_setup.BYTES


def test_a_redirection_is_followed(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/moved")
    assert fetch_detector(tmp_path / "yunet.onnx")
    assert Home.asked == ["/moved", "/right"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://no-such-host.invalid/x", "no address"])
@pytest.mark.usefixtures("home")
def test_no_network_is_said_with_the_other_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    with pytest.raises(UnavailableError, match="cannot fetch the face detector") as error:
        fetch_detector()
    assert "face_detection_yunet_2026may.onnx" in error.value.hint
    assert "edgesr setup detector" in error.value.hint
    assert files(tmp_path) == []


@pytest.mark.usefixtures("home")
def test_another_file_in_its_place_is_replaced_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "yunet.onnx"
    target.write_bytes(b"mine")
    with pytest.raises(InputOutputError, match="not the detector that edgesr knows"):
        fetch_detector(target)
    assert target.read_bytes() == b"mine"
    assert Home.asked == []
    assert fetch_detector(target, force=True)
    assert target.read_bytes() == RIGHT


@pytest.mark.usefixtures("home")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputOutputError, match="cannot write"):
        fetch_detector(tmp_path / "file" / "yunet.onnx")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.usefixtures("home")
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((InputOutputError, KeyboardInterrupt)):
        fetch_detector(tmp_path / "yunet.onnx")
    assert files(tmp_path) == []


def test_a_killed_fetch_leaves_nothing_and_the_next_one_succeeds(home: str, tmp_path: Path) -> None:
    target = tmp_path / "cache" / "edgesr" / "face_detection_yunet.onnx"
    code = "from edgesr.detector_setup import fetch_detector; fetch_detector()"
    environment = {**os.environ, ADDRESS_VARIABLE: f"{home}/stalled"}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        assert Home.halfway.wait(60)
    finally:
        child.kill()
        child.wait()
    assert not target.exists()
    assert fetch_detector()
    assert target.read_bytes() == RIGHT


@pytest.mark.usefixtures("home")
def test_two_at_once_both_end_with_the_file(tmp_path: Path) -> None:
    target = tmp_path / "yunet.onnx"
    errors: list[Exception] = []

    def fetch() -> None:
        try:
            fetch_detector(target)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert files(tmp_path) == ["yunet.onnx"]
    assert target.read_bytes() == RIGHT


@pytest.mark.usefixtures("home")
def test_a_damaged_file_in_the_cache_is_not_given_to_opencv(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "edgesr" / "face_detection_yunet.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(RIGHT[:-1])
    with pytest.raises(InputOutputError, match="not the detector that edgesr knows") as error:
        open_detector()
    assert "--force" in error.value.hint


@pytest.mark.usefixtures("home")
def test_without_any_detector_both_ways_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UnavailableError, match=r"EDGESR_OFFLINE is set; and .* needs dlib") as error:
        open_detector()
    assert "edgesr setup detector" in error.value.hint
    assert "edgesr[identity]" in error.value.hint
    assert Home.asked == []


@pytest.mark.parametrize("why", ["EDGESR_OFFLINE is set", "answers 404"])
def test_dlib_serves_where_yunet_cannot_be_had_and_it_is_said(
    home: str, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    dlib = pytest.importorskip("dlib", reason="no dlib: pip install 'edgesr[identity]'")
    if "OFFLINE" in why:
        monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    else:
        monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/missing")
    # Its models take seconds to load, and what they find is tested in test_detection_dlib.
    monkeypatch.setattr(dlib, "shape_predictor", lambda _: None)
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: None)
    said: list[str] = []
    detector = open_detector(None, said.append)
    assert detector.name == "dlib"
    assert why in said[-1]
    assert "dlib finds the faces instead" in said[-1]


@pytest.mark.faces
def test_the_real_file_passes_the_real_hash_and_finds_faces(
    home: str, tmp_path: Path, yunet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGESR_YUNET", raising=False)
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/right")
    Home.content = yunet.read_bytes()
    said: list[str] = []
    detector = open_detector(None, said.append)
    assert isinstance(detector, FaceDetector)
    assert len(said) == 1  # only that it is fetched
    assert run(["setup", "detector", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["state"] == "was ready"
    assert answer["detector"] == str(detector.path)
    assert answer["sha256"] == hashlib.sha256(yunet.read_bytes()).hexdigest()
    assert Home.asked == ["/right"]


@pytest.mark.faces
@pytest.mark.usefixtures("home")
def test_a_users_own_detector_is_used_and_said_to_be_another(tmp_path: Path, yunet: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="no onnx: pip install 'edgesr[onnx]'")
    model = onnx.load(yunet)
    model.producer_name = "somebody"
    onnx.save(model, tmp_path / "own.onnx")
    said: list[str] = []
    assert isinstance(open_detector(tmp_path / "own.onnx", said.append), FaceDetector)
    assert said == [f"{tmp_path / 'own.onnx'} is not the YuNet that edgesr was measured with; it is used all the same"]


def test_the_command_fails_with_the_key_that_scripts_read(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, f"{home}/missing")
    assert run(["setup", "detector", "--json"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert "answers 404" in answer["error"]
