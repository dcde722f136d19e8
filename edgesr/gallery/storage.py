"""Private files on disk: written whole or not at all, for their owner alone, one writer at a time, and erased.

A write goes to ``.NAME.partial`` beside the file and is renamed. What a killed process leaves there is taken away by
whoever writes or wipes next.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import filelock

from edgesr.errors import EdgesrError, InputOutputError
from edgesr.files import exchange
from edgesr.files.atomic import cannot_write, make_folder, refuse_special, remove_empty
from edgesr.files.reading import no_file

PRIVATE = 0o600
CHUNK = 1 << 20
LONGEST_NAME = 200
"""Bytes of a name that still has room for more: file systems take 255."""
PATIENCE = 0.01
"""Seconds between two looks at a lock that somebody else holds."""
# What a system does not have is left out: Windows knows neither links to be followed nor pipes to wait for.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)

T = TypeVar("T")

_held = threading.local()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes and threads from changing ``path`` while the block reads and writes it.

    Advisory (a lock of the system's on ``.NAME.lock`` beside it, which is gone afterwards); waits for whoever holds it.
    May be nested within a thread. Readers need no lock: they see the old or the new file.

    Raises:
        InputOutputError: its folder cannot be written.
    """
    path = path.resolve()
    counts: dict[Path, int] = _held.__dict__.setdefault("counts", {})
    if counts.get(path):
        counts[path] += 1
        try:
            yield
        finally:
            counts[path] -= 1
        return
    file = _beside(path, "lock")
    lock = filelock.FileLock(file, mode=PRIVATE, thread_local=False, poll_interval=PATIENCE)
    made: list[Path] = []
    try:
        made = make_folder(path.parent)
        lock.acquire()
    except OSError as error:
        remove_empty(made)
        raise cannot_write(path, error) from error
    counts[path] = 1
    try:
        yield
    finally:
        del counts[path]
        with contextlib.suppress(OSError):
            file.unlink()  # while it is still held: whoever waits for it notices and takes a new one
        lock.release()
        remove_empty(made)  # where nothing came of it


def write_private(path: Path, chunks: Sequence[bytes | memoryview], *, erase_old: bool = False) -> None:
    """Replace ``path`` by ``chunks``, readable by its owner alone; a kill at any moment leaves the old or the new.

    ``erase_old`` overwrites the old file's bytes once the new one has taken its place.

    Raises:
        InputOutputError: it cannot be written.
    """
    refuse_special(path)
    path = path.resolve()
    aside = _beside(path, "partial")
    with locked(path):
        try:
            _erase_now(aside)
            with _create(aside) as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            with _opened(path) if erase_old else contextlib.nullcontext() as old:
                aside.replace(path)
                exchange.sync_folder(path.parent)
                if old is not None and os.fstat(old).st_nlink == 0:  # a hard link is somebody's copy
                    _overwrite(old)
        except OSError as error:
            raise cannot_write(path, error) from error
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)


def read_private(path: Path, parse: Callable[[BinaryIO, int], T]) -> T:
    """What ``parse`` makes of a file's stream and its size in bytes.

    Where the file was replaced meanwhile, its bytes may just have been erased, and the new one is read instead.

    Raises:
        InputOutputError: missing, unreadable, or no plain file.
    """
    try:
        while True:
            # Without waiting: a pipe must not keep us.
            with os.fdopen(os.open(path, os.O_RDONLY | NO_WAIT | PLAIN), "rb") as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise InputOutputError(f"{path} is no file")
                try:
                    parsed = parse(stream, status.st_size)
                except EdgesrError:
                    if os.path.samestat(status, path.stat()):
                        raise
                    continue
                if os.path.samestat(status, path.stat()):
                    return parsed
    except FileNotFoundError as error:
        raise no_file(path) from error
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror or error}") from error


def erase(path: Path) -> int:
    """Overwrite a file with zeros and delete it, and what a killed process left beside it; returns the bytes.

    The file's name is gone before its first byte changes, so nobody reads a half-erased one.

    Raises:
        InputOutputError: missing, or it cannot be deleted.
    """
    given, path = path, path.resolve()
    aside = _beside(path, "partial")
    with locked(path):
        try:
            if not path.exists() and not aside.exists():
                raise no_file(given)
            if path.exists():
                if not path.is_file():
                    raise InputOutputError(f"{path} is no file", "name the gallery itself")
                os.close(os.open(path, os.O_RDWR))  # what cannot be overwritten keeps its name
            count = _erase_now(aside)
            if path.exists():
                path.rename(aside)
                exchange.sync_folder(path.parent)
                count += _erase_now(aside)
        except OSError as error:
            raise cannot_write(path, error) from error
    return count


def _erase_now(path: Path) -> int:
    """Overwrite and delete a file that may be missing; returns its bytes."""
    if not path.exists():
        return 0
    descriptor = os.open(path, os.O_RDWR | NO_FOLLOW | PLAIN)
    try:
        count = os.fstat(descriptor).st_size
        if os.fstat(descriptor).st_nlink == 1:
            _overwrite(descriptor)
        path.unlink()
        exchange.sync_folder(path.parent)
        return count
    finally:
        os.close(descriptor)


def _overwrite(descriptor: int) -> None:
    left = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    while left > 0:
        left -= os.write(descriptor, bytes(min(left, CHUNK)))
    os.fsync(descriptor)
    os.ftruncate(descriptor, 0)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """The old file, to be overwritten when the new one has its name; None where there is none, or none can be kept."""
    try:
        if sys.platform == "win32":  # there an open file cannot be replaced
            raise OSError("an open file keeps its name")
        descriptor = os.open(path, os.O_RDWR | PLAIN)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _create(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | PLAIN, PRIVATE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, PRIVATE)
    return os.fdopen(descriptor, "wb")


def _beside(path: Path, what: str) -> Path:
    name = path.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return path.with_name(f".{name}.{what}")
