"""Outputs that are complete or absent: written aside, then moved into place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import safetensors

from edgesr.errors import InputOutputError


@contextlib.contextmanager
def folder_aside(output: Path) -> Iterator[Path]:
    """A folder to write into that takes ``output``'s place if the block succeeds, and vanishes if it does not.

    Raises:
        InputOutputError: it cannot be written (read-only, full disk).
    """
    output = output.resolve()  # a link to a folder stays a link to its new content
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise cannot_write(output, error) from error
    old = aside.with_name(f"{aside.name}-old")
    try:
        yield aside
        aside.chmod(0o777 & ~_umask())
        for file in aside.rglob("*"):
            if file.is_file():
                file.chmod(0o666 & ~_umask())  # safetensors leaves its files to their owner alone
        if output.exists():
            output.replace(old)
        try:
            aside.replace(output)
        except BaseException:
            if old.exists():
                old.replace(output)
            raise
    except (OSError, safetensors.SafetensorError) as error:
        raise cannot_write(output, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def file_aside(output: Path) -> Iterator[Path]:
    """As ``folder_aside``, for one file; the path to write to has ``output``'s suffix."""
    aside = output.with_name(f".{output.stem}.partial{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(output)
    except (OSError, safetensors.SafetensorError) as error:
        raise cannot_write(output, error) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def cannot_write(output: Path, error: Exception) -> InputOutputError:
    """An error that names the file that could not be written, which may lie elsewhere (a full /tmp)."""
    where = getattr(error, "filename", None) or output
    full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
    why = getattr(error, "strerror", None) or error
    return InputOutputError(f"cannot write {where}: {why}", "free some space" if full else "check its permissions")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
