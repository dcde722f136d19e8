"""What can go wrong, in words for the user and an exit code for scripts."""

from __future__ import annotations

import os

EXIT_OK, EXIT_NEGATIVE, EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_UNVERIFIED, EXIT_IO, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
EXIT_SIGNAL = 128
"""Ended by a signal: so much more than its number, 143 for SIGTERM."""


class EdgesrError(Exception):
    """An error a user can act on: ``what`` failed and why, and as ``hint`` what to try."""

    exit_code = EXIT_IO

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


def told(error: Exception, of: object) -> tuple[str, str]:
    """What to say of an error that concerns one of many files, so that it does not end the others, and what to try.

    Raises:
        Exception: one that nobody expected, where EDGESR_TRACEBACK asks where it comes from.
    """
    if isinstance(error, EdgesrError):
        return error.what, error.hint
    if isinstance(error, MemoryError):
        return f"{of} does not fit into memory", "close other programs, or make it smaller"
    if isinstance(error, OSError):
        return f"{of}: {error.strerror or error}", "check the path and its permissions"
    if os.environ.get("EDGESR_TRACEBACK"):
        raise error
    return f"{of} cannot be worked on: {type(error).__name__}: {error}", "EDGESR_TRACEBACK=1 shows where"


class UsageError(EdgesrError):
    """The call itself is wrong: an unknown name, a contradiction, an output that exists."""

    exit_code = EXIT_USAGE


class UnavailableError(EdgesrError):
    """A target, runtime or tool is not installed, or cannot run on this machine."""

    exit_code = EXIT_UNAVAILABLE


class InputOutputError(EdgesrError):
    """A file is missing, unreadable, damaged or cannot be written."""

    exit_code = EXIT_IO


class CheckpointError(InputOutputError):
    """A checkpoint is missing, damaged or not one of ours."""


class BundleError(InputOutputError):
    """A bundle is missing, incomplete, changed since it was written, or of another version."""


class GalleryError(InputOutputError):
    """A gallery is missing, damaged, of another version, or of another feature space."""


class ParityError(EdgesrError):
    """An artifact does not compute what PyTorch computes. Nothing is written."""

    exit_code = EXIT_NEGATIVE
