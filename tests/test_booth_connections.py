"""Whoever drips, floods or sends too much costs the booth's server seconds, and its user nothing."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgesr.booth import connections
from edgesr.booth.connections import Places
from edgesr.booth.server import FolderServer, listed

SECONDS = 0.4
"""Allowed for a request in these tests."""
LARGE = 30_000_000
"""Bytes of a file that no socket's buffers hold."""
CLIENTS = 50


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderServer]:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "ANSWER_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "LEAST_RATE", 1e8)
    (tmp_path / "index.html").write_text("booth")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(LARGE)
    with FolderServer(listed(tmp_path)) as running:
        running.serve_in_background()
        yield running
        running.shutdown()


@pytest.fixture
def connect(server: FolderServer) -> Iterator[Callable[[], socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", server.server_port), timeout=10))


def request(server: FolderServer, path: str = "/", *headers: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.server_port}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def answered(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def drip(connection: socket.socket, content: bytes) -> bool:
    """A byte of the content each call's time allows; False once the server has closed."""
    try:
        connection.sendall(content)
        readable, _, _ = select.select([connection], [], [], 0)
        return not readable or bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


@pytest.mark.parametrize(
    "start",
    ["", "GET / HT", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Name: ", "GET / HTTP/1.1\r\n"],
    ids=["silent then bytes", "line", "header", "headers"],
)
def test_fifty_connections_that_drip_are_gone_in_seconds(
    start: str, server: FolderServer, connect: Callable[[], socket.socket]
) -> None:
    alive = [connect() for _ in range(CLIENTS)]
    for one in alive:
        one.sendall(start.encode())
    began = time.monotonic()
    while alive and time.monotonic() - began < 20:
        time.sleep(SECONDS / 8)
        alive = [one for one in alive if drip(one, b"x")]
    assert not alive
    assert len(server.places) == 0


def test_an_answer_that_is_fetched_by_drips_is_dropped(
    server: FolderServer, connect: Callable[[], socket.socket]
) -> None:
    """The client takes a little now and then; a patient one gets all of it."""
    slow = connect()
    slow.sendall(request(server, "/large.onnx", "Connection: close"))
    began, taken = time.monotonic(), 0
    with contextlib.suppress(ConnectionResetError):
        while time.monotonic() - began < 20 and (part := slow.recv(1 << 10)):
            taken += len(part)
            time.sleep(0.02)
    assert taken < LARGE
    assert time.monotonic() - began < 20
    whole = connect()
    whole.sendall(request(server, "/large.onnx", "Connection: close"))
    assert len(answered(whole)) > LARGE


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET / x HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 404),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000), 405),
        (b"PUT / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", 405),
    ],
    ids=lambda value: value[:24].decode() if isinstance(value, bytes) else str(value),
)
def test_what_is_too_much_or_wrong_gets_an_answer_and_no_more(
    content: bytes, expected: int, server: FolderServer, connect: Callable[[], socket.socket], capfd
) -> None:
    client = connect()
    client.sendall(content.replace(b"PORT", str(server.server_port).encode()))
    client.shutdown(socket.SHUT_WR)
    assert status(answered(client)) == expected
    assert capfd.readouterr() == ("", "")


def test_where_all_places_are_taken_the_longest_waiting_makes_room(
    server: FolderServer, connect: Callable[[], socket.socket]
) -> None:
    server.places = Places(4)
    waiting = [connect() for _ in range(4)]
    waiting[0].sendall(b"GET")
    while len(server.places) < 4:
        time.sleep(0.01)
    user = connect()
    user.sendall(request(server))
    assert status(user.recv(1 << 16)) == 200
    assert waiting[0].recv(1) == b""
    assert len(server.places) <= 5


def test_a_flood_leaves_a_bounded_number_of_threads_and_the_user_served(
    server: FolderServer, connect: Callable[[], socket.socket]
) -> None:
    server.places = Places(8)
    before = threading.active_count()
    most = 0
    for _ in range(200):
        with contextlib.suppress(OSError):
            connect().sendall(b"GET / HT")
        most = max(most, threading.active_count() - before)
    assert most <= 16 + 1
    time.sleep(0.1)
    user = connect()
    user.sendall(request(server, "/", "Connection: close"))
    assert answered(user).endswith(b"booth")


def test_a_connection_serves_request_after_request_and_ends_when_it_is_old(
    server: FolderServer, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    for _ in range(3):
        client.sendall(request(server))
        answer = b""
        while not answer.endswith(b"booth"):
            answer += client.recv(1 << 16)
        assert status(answer) == 200
        assert b"Connection: close" not in answer
        time.sleep(SECONDS / 2)
    monkeypatch.setattr(connections, "CONNECTION_SECONDS", 0.0)
    client.sendall(request(server))
    assert b"Connection: close" in answered(client)
