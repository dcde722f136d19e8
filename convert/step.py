"""A step of making an environment: a program such as pip, whose last word becomes the error's reason."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edgesr.errors import InputOutputError, UnavailableError

from .child import ChildTimeoutError, last_meaningful_line, run_child

STEP_SECONDS = 1800.0
"""Longest that one step may take: tens of megabytes come over a slow line."""


def run_step(
    command: list[str],
    report: Callable[[str], None],
    failure: str,
    hint: str,
    *,
    space: str,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a step, reporting what pip is at; ``space`` says what to do where the disk is full.

    Raises:
        UnavailableError: it fails, takes too long or is not there, as ``failure`` says.
        InputOutputError: the disk is full.
    """
    said: list[str] = []

    def heard(line: str) -> None:
        said.append(line)
        if line.startswith("Collecting "):
            report(f"fetching {line.split()[1].split('==')[0]}")
        elif line.startswith("Installing collected packages"):
            report("installing packages")

    try:
        code, errors = run_child(command, heard, timeout=STEP_SECONDS, environment=environment)
    except ChildTimeoutError as error:
        raise UnavailableError(f"{failure}: {error}", hint) from error
    except OSError as error:
        raise UnavailableError(f"{failure}: {error.strerror}", hint) from error
    if code:
        reason = last_meaningful_line(errors if errors.strip() else "\n".join(said))
        if "No space left" in errors:
            raise InputOutputError(f"{failure}: the disk is full", space)
        if "No module named pip" in errors:
            hint = "python -m ensurepip"
        raise UnavailableError(f"{failure}: {reason}", hint)


def pip_install(lock: Path, folder: Path) -> list[str]:
    """pip's command for a locked list: files of other contents are refused, and no package's own code is run."""
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    checked = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--ignore-requires-python"]
    where = ["--target", str(folder), "--requirement", str(lock)]
    return [*pip, "install", "--progress-bar", "off", "--no-warn-conflicts", *checked, *where]


def for_python(version: tuple[int, int]) -> list[str]:
    """pip's options for the files of another Python than its own."""
    return ["--python-version", "{}.{}".format(*version), "--implementation", "cp"]
