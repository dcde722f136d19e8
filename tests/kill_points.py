"""Killing a process at its Nth system call that writes: Linux's own tracing, by way of ctypes.

``kill_at(work, n)`` forks, runs ``work`` in the child and kills it before the child's ``n``-th such call takes effect;
``kill_at(work, None)`` lets it come to its end and counts. The fork shares what is imported, so a point costs little.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable

TRACEME, SYSCALL, SETOPTIONS, GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E
SYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, EXITKILL = 1, 2, 4, 8, 1 << 20
ENTRY = 1
WALL = 0x40000000
WRITES_WITH = os.O_CREAT | os.O_TRUNC

# Numbers of what changes a file or a name; of openat, only where it makes or empties a file.
_X86 = {
    "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "pwritev2": 328, "sendfile": 40, "copy_file_range": 326,
    "truncate": 76, "ftruncate": 77, "fallocate": 285, "fsync": 74, "fdatasync": 75, "msync": 26, "rename": 82,
    "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "unlink": 87,
    "unlinkat": 263, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "chmod": 90, "fchmod": 91, "fchmodat": 268,
    "creat": 85, "open": 2, "openat": 257,
}  # fmt: skip
_ARM = {
    "write": 64, "pwrite64": 68, "writev": 66, "pwritev": 70, "pwritev2": 287, "sendfile": 71, "copy_file_range": 285,
    "truncate": 45, "ftruncate": 46, "fallocate": 47, "fsync": 82, "fdatasync": 83, "msync": 227, "renameat": 38,
    "renameat2": 276, "linkat": 37, "symlinkat": 36, "unlinkat": 35, "mkdirat": 34, "fchmod": 52, "fchmodat": 53,
    "openat": 56,
}  # fmt: skip
CALLS = {number: name for name, number in (_X86 if platform.machine() == "x86_64" else _ARM).items()}
SUPPORTED = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


class Info(ctypes.Structure):
    """What the kernel says of a stop at a system call's entry."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def kill_at(work: Callable[[], object], point: int | None) -> tuple[int, str]:
    """How many calls that write there were, the last one's name; it was not carried out where it was the ``point``-th.

    Raises:
        RuntimeError: ``work`` failed.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _run(work)
    os.waitpid(child, WALL)
    _trace(SETOPTIONS, child, 0, SYSGOOD | TRACEFORK | TRACEVFORK | TRACECLONE | EXITKILL)
    _trace(SYSCALL, child, 0, 0)
    count, last = 0, ""
    while True:
        process, status = os.waitpid(-1, WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if process != child:
                continue
            if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                raise RuntimeError("the work failed: see above")
            return count, last
        sent = os.WSTOPSIG(status)
        if sent == signal.SIGTRAP | 0x80:
            name = _entered(process)
            if name:
                count, last = count + 1, name
                if count == point:
                    os.kill(child, signal.SIGKILL)
                    continue
            sent = 0
        elif sent in (signal.SIGTRAP, signal.SIGSTOP):  # a thread began
            sent = 0
        _trace(SYSCALL, process, 0, sent)


def _run(work: Callable[[], object]) -> None:
    """The child's whole life."""
    code = 1
    try:
        _trace(TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _entered(process: int) -> str:
    """The call that writes which a process is about to do; empty where it does none."""
    info = Info()
    _trace(GET_SYSCALL_INFO, process, ctypes.sizeof(info), ctypes.addressof(info))
    name = CALLS.get(info.number, "") if info.op == ENTRY else ""
    if name in ("open", "openat"):
        return name if info.arguments[1 if name == "open" else 2] & WRITES_WITH else ""
    return name


def _trace(request: int, process: int, address: int, data: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    library.ptrace.restype = ctypes.c_long
    if library.ptrace(request, process, address, data) < 0:
        code = ctypes.get_errno()
        if code != 3:  # it was killed meanwhile
            raise OSError(code, f"ptrace {request}: {os.strerror(code)}")
