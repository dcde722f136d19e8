"""What the C library does with memory that a program frees."""

from __future__ import annotations

import contextlib
import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of glibc's ``mallopt`` (malloc.h)."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """From now on glibc keeps what this process frees and gives it out again; other C libraries are left as they are.

    Otherwise every large tensor is mapped anew, and its pages are zeroed one by one by the kernel: a tenth of a
    training step.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    with contextlib.suppress(OSError, AttributeError):  # a Python that was linked statically
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, 64 << 20)):
            mallopt(parameter, value)
