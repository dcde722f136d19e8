"""Outputs that are complete or absent: written aside, on the disk, then moved into place at once.

Whoever is killed at any moment leaves the old output or the new one; what lies beside them is swept by the next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import safetensors

from edgesr.errors import InputOutputError
from edgesr.files import exchange
from edgesr.files.leftovers import NEW, OLD, name_aside, recover, remove, sweep

FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""A file of our own: nothing that lies there is opened, and no link followed."""


@contextlib.contextmanager
def folder_aside(output: Path) -> Iterator[Path]:
    """A folder to write into that takes ``output``'s place if the block succeeds, and vanishes if it does not.

    Raises:
        InputOutputError: it cannot be written (read-only, full disk), or ``output`` is no folder.
    """
    refuse_special(output)
    output = output.resolve()  # a link to a folder stays a link to its new content
    with _made_folders(output), _named(output):
        recover(output)
        if os.path.lexists(output) and not output.is_dir():
            raise InputOutputError(f"{output} is no folder", "choose another place")
        sweep(output.parent)
        aside = name_aside(output, NEW)
        old = name_aside(output, OLD)
        aside.mkdir()
        try:
            yield aside
            _settle(aside)
            _take_place(aside, output, old)
            exchange.sync_folder(output.parent)
        finally:
            remove(aside)
            if output.is_dir():
                remove(old)


@contextlib.contextmanager
def file_aside(output: Path) -> Iterator[Path]:
    """As ``folder_aside``, for one file; the path to write to is an empty file with ``output``'s suffix.

    What stood there keeps its permissions. Raises InputOutputError too where ``output`` is a folder, pipe or device.
    """
    with _made_folders(output), _named(output):
        mode = _permissions(output)
        sweep(output.parent)
        aside = name_aside(output, NEW)
        try:
            descriptor = os.open(aside, FRESH, 0o666)
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode) if mode is None else mode
            os.close(descriptor)
            yield aside
            exchange.sync_file(aside, mode)  # some writers leave their files to their owner alone
            aside.replace(output)
            exchange.sync_folder(output.parent)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)


def refuse_special(output: Path) -> None:
    """Refuse before any work an output that is there and neither a file nor a folder.

    Raises:
        InputOutputError: a pipe, a device, or a name that cannot be.
    """
    try:
        mode = output.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(output, error) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "a device"
        raise InputOutputError(
            f"cannot write {output}: it is {kind}", "name a file: outputs are complete files or none at all"
        )


def cannot_write(output: Path, error: Exception) -> InputOutputError:
    """An error that names the file that could not be written, which may lie elsewhere (a full /tmp)."""
    where = getattr(error, "filename", None) or output
    code = getattr(error, "errno", None)
    full = code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    elsewhere = code in (errno.EROFS, errno.ENOENT, errno.ENOTDIR)
    hint = "choose a place that can be written to" if elsewhere else "check its permissions"
    why = getattr(error, "strerror", None) or error
    return InputOutputError(f"cannot write {where}: {why}", "free some space" if full else hint)


def refuse_unwritable(folder: Path) -> None:
    """Refuse before any work a folder that nothing can be written into; one that is not there will be made.

    Raises:
        InputOutputError: it, or the nearest above that is there, lies on a read-only disk, is not ours or no folder.
    """
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    effective = os.access in os.supports_effective_ids
    if not there.is_dir():
        raise cannot_write(folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there)))
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=effective):
        code = errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES
        raise cannot_write(folder, OSError(code, os.strerror(code)))


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it, on the disk; returns those that were not there, the innermost first."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    try:
        for made in reversed(missing):
            made.mkdir(exist_ok=True)
            exchange.sync_folder(made.parent)
    except BaseException:
        remove_empty(missing)
        raise
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Take away folders that hold nothing, the innermost first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _made_folders(output: Path) -> Iterator[None]:
    """The folders above ``output``; those that the block needed in vain are gone after it."""
    try:
        made = make_folder(output.parent)
    except FileExistsError as error:
        raise InputOutputError(
            f"cannot write {output}: {error.filename} is no folder", "choose another place"
        ) from error
    except OSError as error:
        raise cannot_write(output, error) from error
    try:
        yield
    except BaseException:
        remove_empty(made)
        raise


@contextlib.contextmanager
def _named(output: Path) -> Iterator[None]:
    """What the system says of the file aside is said of ``output``: nobody knows the other name."""
    try:
        yield
    except (OSError, safetensors.SafetensorError) as error:
        if isinstance(error, OSError) and ".edgesr-" in str(error.filename):
            error.filename = str(output)
        raise cannot_write(output, error) from error


def _permissions(output: Path) -> int | None:
    """The permissions of the file that stands there; None where there is none."""
    refuse_special(output)
    try:
        mode = output.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise InputOutputError(f"cannot write {output}: it is a folder", "name a file")
    return stat.S_IMODE(mode)


def _settle(folder: Path) -> None:
    """Everything below a folder is on the disk, and as readable as any new file."""
    readable = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(place) / name
            if not path.is_symlink():
                exchange.sync_file(path, readable)
        exchange.sync_folder(Path(place))


def _take_place(aside: Path, output: Path, old: Path) -> None:
    if not output.exists():
        aside.rename(output)
    elif not exchange.exchange(aside, output):  # then what stood there is aside
        output.rename(old)
        try:
            aside.rename(output)
        except BaseException:
            old.rename(output)
            raise
