"""The face detector's file: where it lies, whether it is the one we know, and how it comes from its public home."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from edgesr.atomic import cannot_write
from edgesr.errors import InputOutputError, UnavailableError

YUNET_VARIABLE = "EDGESR_YUNET"
YUNET_FILE = "face_detection_yunet.onnx"

ADDRESS = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98"
    "/models/face_detection_yunet/face_detection_yunet_2026may.onnx"
)
"""YuNet of March 2023 as exported again in May 2026 for OpenCV 5, which takes pictures of any size (MIT licence)."""

SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
BYTES = 229_738

ADDRESS_VARIABLE = "EDGESR_YUNET_ADDRESS"
"""Another place of the same file: a mirror inside a company. The hash is checked all the same."""

OFFLINE_VARIABLE = "EDGESR_OFFLINE"
"""Set to anything but 0 it forbids to fetch the detector unasked."""

SECONDS = 20.0
"""Longest silence of the server."""
MOST_SECONDS = 300.0
"""Longest that the file may take altogether."""


def cached_yunet() -> Path:
    """Where the detector lies when neither option nor variable says so."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "edgesr" / YUNET_FILE


def may_fetch() -> bool:
    """Whether the detector may be fetched unasked."""
    return os.environ.get(OFFLINE_VARIABLE, "0") in ("", "0")


def is_genuine(path: Path) -> bool:
    """Whether a file is the detector that edgesr was measured with.

    Raises:
        InputOutputError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(BYTES + 1)
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror}", "check its permissions") from error
    return hashlib.sha256(content).hexdigest() == SHA256


def fetch_detector(
    target: Path | None = None, report: Callable[[str], None] = lambda _: None, *, force: bool = False
) -> bool:
    """Fetch the detector to ``target`` (the cache); False where it lies there already and nothing was done.

    Nothing is written before all of it has come and its hash is right; two processes may do this at once.

    Raises:
        UnavailableError: it cannot be had: no network, no such file, or too slow.
        InputOutputError: what came is another file, or it cannot be written; or ``target`` holds another file
            and ``force`` is not given.
    """
    target = target or cached_yunet()
    there = target.exists()  # asked once: another process may be about to put it there
    if there and is_genuine(target):
        return False
    if there and not force:
        raise InputOutputError(
            f"{target} exists and is not the detector that edgesr knows", "edgesr setup detector --force replaces it"
        )
    address = os.environ.get(ADDRESS_VARIABLE) or ADDRESS
    report(f"fetching the face detector YuNet ({BYTES // 1000} kB) from {urlsplit(address).hostname}")
    content = _download(address)
    if hashlib.sha256(content).hexdigest() != SHA256:
        # A page or a pointer in place of the file is the usual case: size and beginning tell.
        raise InputOutputError(
            f"{address} gave another file: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}",
            f"expected {BYTES} bytes, SHA-256 {SHA256}; is there a proxy that answers with a page of its own?",
        )
    _write(content, target)
    return True


def _download(address: str) -> bytes:
    """Everything an address gives, up to a little more than the file's size."""
    hint = (
        f"edgesr setup detector, with a network; or get {Path(urlsplit(ADDRESS).path).name} of the OpenCV Zoo another "
        f"way and save it as {cached_yunet()}"
    )
    content = b""
    deadline = time.monotonic() + MOST_SECONDS
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "edgesr"})
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            announced = answer.headers.get("Content-Length", "")
            while part := answer.read1(1 << 16):
                content += part
                if len(content) > 2 * BYTES:  # whatever it is, it is not the file
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not complete after {MOST_SECONDS:.0f} s")
    except urllib.error.HTTPError as error:
        raise UnavailableError(f"cannot fetch the face detector: {address} answers {error.code}", hint) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnavailableError(f"cannot fetch the face detector from {address}: {reason}", hint) from error
    if len(content) < BYTES and announced.isdecimal() and len(content) < int(announced):
        raise UnavailableError(
            f"cannot fetch the face detector from {address}: the connection broke after {len(content)} of "
            f"{announced} bytes",
            hint,
        )
    return content


def _write(content: bytes, target: Path) -> None:
    """Write the file so that it is there completely or not at all."""
    aside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: another process may be fetching, too.
        number, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        aside = Path(name)
        with os.fdopen(number, "wb") as stream:
            stream.write(content)
        aside.chmod(0o644)
        aside.replace(target)
        aside = None
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
