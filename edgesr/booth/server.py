"""A server for one folder on the loopback interface: nothing else of the machine, and to nobody else.

Files are listed when it starts, and only names of that list are answered, so no path leads elsewhere.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from edgesr.booth.connections import BoundedHandler, BoundedServer
from edgesr.booth.site import first_visit
from edgesr.errors import InputOutputError

ADDRESS = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The policy that index.html has as well, for hosts that send none; ``frame-ancestors`` only a header can say."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
UNCOMPRESSED = (".jpg", ".png", ".webp", ".woff2")
"""Compressed already."""
GZIP_LEVEL = 6
"""What hosts commonly use; first_visit_bytes is measured at it."""
FOREVER = "public, max-age=31536000, immutable"
"""How Vite's assets are cached, whose names hold a hash of their content."""


def compressed(content: bytes) -> bytes:
    """The content as the server sends it to a browser that takes gzip."""
    return gzip.compress(content, GZIP_LEVEL, mtime=0)


def is_compressible(name: str) -> bool:
    """Whether compressing a file by this name is worth anything."""
    return Path(name).suffix not in UNCOMPRESSED


def listed(*folders: Path) -> dict[str, Path]:
    """Every file of the folders by its name below them; an earlier folder's file hides a later one's.

    Links that lead out of a folder are left out.
    """
    found: dict[str, Path] = {}
    for folder in map(Path.resolve, folders):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.resolve().is_relative_to(folder):
                found.setdefault(path.relative_to(folder).as_posix(), path)
    return found


class FolderServer(BoundedServer):
    """Serves files at ``http://127.0.0.1:PORT/PREFIX``; ``serve_in_background`` or ``serve_forever`` starts it."""

    def __init__(
        self,
        files: Mapping[str, Path],
        port: int = 0,
        *,
        prefix: str = "",
        gzipped: bool = True,
        handler: type[FolderHandler] | None = None,
    ) -> None:
        """``port`` 0 takes a free one; ``prefix`` is empty or ends in a slash.

        Raises:
            InputOutputError: the port is taken.
        """
        self.files, self.prefix, self.gzipped = files, prefix, gzipped
        self._prepared: dict[tuple[str, bool], tuple[bytes, str]] = {}
        self._preparing = {key: threading.Lock() for name in files for key in ((name, False), (name, True))}
        try:
            super().__init__((ADDRESS, port), handler or FolderHandler)
        except OSError as error:
            raise InputOutputError(
                f"cannot serve on port {port}: {error.strerror}", "--port 0 takes a free one"
            ) from error

    @property
    def address(self) -> str:
        """The page's address, for a browser."""
        return f"http://{ADDRESS}:{self.server_port}/{self.prefix}"

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names this server: a foreign page that resolves to 127.0.0.1 names itself."""
        return host in {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    def content(self, name: str, zipped: bool) -> tuple[bytes, str]:
        """A file's content as it is sent, and its entity tag; compressed once and kept."""
        key = (name, zipped)
        with self._preparing[key]:
            if key not in self._prepared:
                content = self.files[name].read_bytes()
                tag = f'"{hashlib.sha256(content).hexdigest()[:32]}{"-gzip" if zipped else ""}"'
                self._prepared[key] = (compressed(content) if zipped else content, tag)
            return self._prepared[key]

    def prepare_in_background(self) -> None:
        """Compress what a browser will ask for while the browser is still starting."""

        def prepare() -> None:
            for name in first_visit(self.files):
                if is_compressible(name):
                    with contextlib.suppress(OSError):
                        self.content(name, True)

        threading.Thread(target=prepare, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up, or keeps a connection open and silent, is no fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def serve_in_background(self) -> None:
        """Start a thread that answers until ``shutdown``."""
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()


class FolderHandler(BoundedHandler):
    """Answers GET and HEAD of the server's files."""

    server: FolderServer
    server_version, sys_version = "edgesr", ""

    def do_GET(self) -> None:
        self.answer_file()

    def do_HEAD(self) -> None:
        self.answer_file()

    def do_POST(self) -> None:
        self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", {"Allow": "GET, HEAD"})

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def asked(self) -> str | None:
        """The name that is asked for, below the prefix; None where the request is refused, which it was told."""
        if not self.server.is_ours(self.headers.get("Host", "")):
            self.refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server answers as 127.0.0.1 and localhost only")
            return None
        try:
            path = unquote(urlsplit(self.path).path)
        except ValueError:  # an address that is none, as http://[
            path = ""
        prefix = f"/{self.server.prefix}"
        if not path.startswith(prefix):
            self.say(HTTPStatus.NOT_FOUND, "not found")
            return None
        return path.removeprefix(prefix)

    def answer_file(self) -> None:
        name = self.asked()
        if name is None:
            return
        if self.has_body():
            self.refuse(HTTPStatus.BAD_REQUEST, "a request has no body here")
            return
        name = name or "index.html"
        if name not in self.server.files:
            self.say(HTTPStatus.NOT_FOUND, "not found")
            return
        suffix = Path(name).suffix
        takes = {part.split(";")[0].strip() for part in self.headers.get("Accept-Encoding", "").split(",")}
        zipped = self.server.gzipped and is_compressible(name) and "gzip" in takes
        try:
            content, tag = self.server.content(name, zipped)
        except OSError:
            self.say(HTTPStatus.NOT_FOUND, "not found any more")
            return
        headers = {
            "Cache-Control": FOREVER if name.startswith("assets/") else "no-cache",
            "ETag": tag,
            "Vary": "Accept-Encoding",
        }
        if tag in {part.strip() for part in self.headers.get("If-None-Match", "").split(",")}:
            self.say(HTTPStatus.NOT_MODIFIED, "", headers)
            return
        if zipped:
            headers["Content-Encoding"] = "gzip"
        self.send(HTTPStatus.OK, content, {"Content-Type": TYPES.get(suffix, "application/octet-stream"), **headers})

    def say(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        """A short answer in words."""
        self.send(status, text.encode(), {"Content-Type": TYPES[".txt"], **(headers or {})})

    def refuse(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        """A short answer, and no further: whatever came with the request is not read."""
        self.refused = True
        self.say(status, text, {"Connection": "close", **(headers or {})})

    def send(self, status: HTTPStatus, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and content:
            self.wfile.write(content)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: stdout and stderr are the command's."""
