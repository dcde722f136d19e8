"""What a connection may cost the server: seconds, bytes, and one of a bounded number of places.

A client that drips its request byte by byte renews the timeout of every single read, so what is limited here is a whole
request, and a whole answer. Where all places are taken, the connection that has been waiting longest makes room.
"""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MOST_CONNECTIONS = 64
"""A browser opens six to one address."""
REQUEST_SECONDS = 5.0
"""Seconds until a request's line and headers must be complete, from the connection or the answer before."""
HEAD_BYTES = 1 << 14
"""The most bytes of a request's line and headers together."""
ANSWER_SECONDS = 10.0
LEAST_RATE = 1e6
"""An answer or a body may take ``ANSWER_SECONDS`` and a second for each so many bytes: this is one machine."""
CONNECTION_SECONDS = 300.0
"""Seconds after which a connection ends with its next answer."""
LEFT_OVER_BYTES, LEFT_OVER_SECONDS = 1 << 16, 0.5
"""The most that is read of what a refused client still sends: closing over unread bytes would take its answer away."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER's value by which the system forgets what a client does not fetch."""


class TooLongError(Exception):
    """More came than was allowed."""


def transfer_seconds(count: int) -> float:
    """How long ``count`` bytes may take."""
    return ANSWER_SECONDS + count / LEAST_RATE


class Incoming(io.RawIOBase):
    """What a socket receives, up to a number of bytes and a moment."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.allow(0, 0)

    def allow(self, count: int, seconds: float) -> None:
        """Take ``count`` bytes from now on, for ``seconds``."""
        self._left, self._until = count, time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As of any raw stream.

        Raises:
            TooLongError: all that was allowed has come.
            TimeoutError: its time is over.
        """
        if self._left <= 0:
            raise TooLongError
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._connection.settimeout(remaining)
        with memoryview(buffer) as view:
            count = self._connection.recv_into(view, min(view.nbytes, self._left))
        self._left -= count
        return count


class Outgoing(io.BufferedIOBase):
    """What a socket sends: a write is done in its time, or the connection is dropped."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        with memoryview(content) as view:
            self._connection.settimeout(transfer_seconds(view.nbytes))
            try:
                self._connection.sendall(view)
            except TimeoutError:
                with contextlib.suppress(OSError):
                    self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                raise
            return view.nbytes


class Places:
    """The open connections, at most ``most`` of them; safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._waiting: dict[socket.socket, bool] = {}
        """The connections, those first that have waited longest; False for one that is being answered."""
        self._ending: set[socket.socket] = set()

    def take(self, connection: socket.socket) -> bool:
        """Whether there is a place for it, be it that of the one that has waited longest."""
        with self._lock:
            if len(self._ending) >= self._most:
                return False
            if len(self._waiting) >= self._most:
                longest = next((one for one, waits in self._waiting.items() if waits), None)
                if longest is None:
                    return False
                del self._waiting[longest]
                self._ending.add(longest)
                with contextlib.suppress(OSError):
                    longest.shutdown(socket.SHUT_RDWR)  # its thread finds that nothing comes any more
            self._waiting[connection] = True
            return True

    def mark(self, connection: socket.socket, *, waits: bool) -> None:
        """Say whether it waits for a request, from now on, or is being answered."""
        with self._lock:
            if self._waiting.pop(connection, None) is not None:
                self._waiting[connection] = waits

    def give_back(self, connection: socket.socket) -> None:
        """It is closed."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._ending.discard(connection)

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._ending)


class BoundedServer(ThreadingHTTPServer):
    """Answers each connection in a thread, and bounds what they cost together."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[BoundedHandler]) -> None:
        self.places = Places(MOST_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.places.take(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        self.places.give_back(request)
        super().shutdown_request(request)


class BoundedHandler(BaseHTTPRequestHandler):
    """Reads requests, and sends answers, within bounds; a subclass answers them."""

    server: BoundedServer
    protocol_version = "HTTP/1.1"
    refused = False
    """Whether the client may still be sending what nobody reads."""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.incoming = Incoming(self.connection)
        self.rfile = io.BufferedReader(self.incoming)
        self.wfile = Outgoing(self.connection)
        self._opened = time.monotonic()

    def handle_one_request(self) -> None:
        self.command, self.requestline, self.request_version = "", "", self.protocol_version
        self.server.places.mark(self.connection, waits=True)
        self.incoming.allow(HEAD_BYTES, REQUEST_SECONDS)
        try:
            super().handle_one_request()
        except TooLongError:
            self.refused = True
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self.close_connection = True

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        self.refused = self.refused or not parsed
        self.server.places.mark(self.connection, waits=False)
        return parsed

    def handle_expect_100(self) -> bool:
        """Whoever asks before sending a body gets its answer at once: there is no use for one here."""
        return True

    def has_body(self) -> bool:
        """Whether the request says that a body follows."""
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0").strip() != "0"

    def read_body(self, count: int) -> bytes:
        """The ``count`` bytes that follow.

        Raises:
            TimeoutError: they do not come in time.
        """
        self.incoming.allow(count, transfer_seconds(count))
        return self.rfile.read(count)

    def end_headers(self) -> None:
        if time.monotonic() - self._opened > CONNECTION_SECONDS and not self.close_connection:
            self.send_header("Connection", "close")
        super().end_headers()

    def finish(self) -> None:
        if self.refused:
            self._let_out()
        super().finish()

    def _let_out(self) -> None:
        with contextlib.suppress(OSError, TooLongError):
            self.connection.shutdown(socket.SHUT_WR)
            self.incoming.allow(LEFT_OVER_BYTES, LEFT_OVER_SECONDS)
            while self.rfile.read1():
                pass
