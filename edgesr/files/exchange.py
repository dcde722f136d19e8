"""What a file system can promise: two names exchanged at once, and content that is on the disk."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

RENAME_EXCHANGE = RENAME_SWAP = 2
"""The flag that swaps two paths, by its names on Linux and on macOS."""
AT_FDCWD = -100
UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once, so that neither is ever missing; False where the system or file system cannot.

    Raises:
        OSError: one of them is missing, or may not be renamed.
    """
    rename = _system_call()
    if rename is None:
        return False
    if rename(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))


def sync_file(path: Path, mode: int | None = None) -> None:
    """See to it that a file's content is on the disk; ``mode`` are its permissions from now on."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """See to it that a folder's names are on the disk, as far as its file system takes that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@functools.cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            linux = library.renameat2
            linux.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
            return lambda one, other: int(linux(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE))
        apple = library.renamex_np
        apple.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
        return lambda one, other: int(apple(one, other, RENAME_SWAP))
    except (OSError, AttributeError, TypeError):  # another system, or an old C library
        return None
