"""Keeping libraries' chatter away from the user: it is not about anything they did."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator

stderr_lock = threading.RLock()
"""Standard error, warnings and logging are the process's: two threads must not put back what the other had changed."""
_quiet = 0
"""Blocks of ``quiet`` that are open, in all threads together."""
_loud = contextlib.ExitStack()
"""What the last of them to end puts back."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within the block no warning is shown, and nothing below an error is logged, in any thread."""
    global _quiet
    with stderr_lock:
        if not _quiet:
            _loud.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.WARNING)
            _loud.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _quiet += 1
    try:
        yield
    finally:
        with stderr_lock:
            _quiet -= 1
            if not _quiet:
                _loud.close()


@contextlib.contextmanager
def capture_native_stderr() -> Iterator[Callable[[], str]]:
    """Within the block stderr, native code's too, goes to a file; the function yielded reads what has come so far.

    Runtimes in C++ explain their errors there and nowhere else, some by way of Python's ``sys.stderr``.
    Keep the block short: it holds for all threads, and another that wants the same waits.
    """
    with stderr_lock, tempfile.TemporaryFile() as file, contextlib.redirect_stderr(io.StringIO()) as text:

        def read() -> str:
            file.seek(0)
            return (text.getvalue() + file.read().decode(errors="replace")).strip()

        try:
            kept = os.dup(2)
        except OSError:  # the process has no stderr
            yield read
            return
        os.dup2(file.fileno(), 2)
        try:
            yield read
        finally:
            os.dup2(kept, 2)
            os.close(kept)
