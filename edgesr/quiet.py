"""Keeping libraries' chatter away from the user: it is not about anything they did."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within the block no warning is shown, and nothing below an error is logged."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def capture_native_stderr() -> Iterator[Callable[[], str]]:
    """Within the block stderr, native code's too, goes to a file; the function yielded reads what has come so far.

    Runtimes in C++ explain their errors there and nowhere else, some by way of Python's ``sys.stderr``.
    Keep the block short: it holds for all threads.
    """
    with tempfile.TemporaryFile() as file, contextlib.redirect_stderr(io.StringIO()) as text:

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
