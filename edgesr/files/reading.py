"""Reading files that others made: only plain ones, no more than they may hold, and damage told as such."""

from __future__ import annotations

import contextlib
import csv
import difflib
import errno
import io
import itertools
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from edgesr.errors import InputOutputError

MOST = 64 << 20
"""Bytes of a text: the largest lists and reports have a few megabytes."""
LONGEST_LINE = 4096
"""Characters of a line of TOML: tomllib takes minutes for a key of fifty thousand dots."""


def open_plain(path: Path) -> io.BufferedReader:
    """A plain file to read from; a pipe, which may keep us for ever, or a device is refused.

    Raises:
        InputOutputError: no plain file.
        OSError: missing, or it may not be read.
    """
    # Without waiting: to open a pipe that nobody writes to would never end.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        if not stat.S_ISREG(mode):
            kind = "a pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "a device"
            raise InputOutputError(f"{path} is {kind}, not a file", "save its content as a file, and name that")
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def no_file(path: Path, hint: str = "") -> InputOutputError:
    """What to say of a file that is not there, with a name that resembles it, or how far the path does lead."""
    if path.is_symlink():
        where = "and leads back to itself" if _leads_back(path) else "which is not there"
        return InputOutputError(f"no file {path}: a link to {path.readlink()}, {where}", hint or "name the file itself")
    folder = path.absolute().parent
    if not hint and not folder.is_dir():
        hint = f"is the path right? There is no folder {path.parent}"
    if not hint:
        alike: list[str] = []
        with contextlib.suppress(OSError):  # a folder that may not be listed
            # Endings that are alike say nothing, and what is hidden nobody meant.
            there = [one for one in sorted(folder.iterdir()) if not one.name.startswith(".")]
            stem = difflib.get_close_matches(path.stem, {one.stem for one in there}, n=1)
            of_stem = [one for one in there if one.stem in stem]
            alike = [one.name for one in sorted(of_stem, key=lambda one: one.suffix != path.suffix)]
        hint = f"there is {path.parent / alike[0]}" if alike else f"is the name right? {folder} holds none alike"
    return InputOutputError(f"no file {path}", hint)


def _leads_back(link: Path) -> bool:
    """Whether a link's way never ends."""
    try:
        link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: Python before 3.13
        return isinstance(error, RuntimeError) or error.errno == errno.ELOOP
    return False


def read_text(path: Path, hint: str = "", most: int = MOST) -> str:
    """A UTF-8 file, with or without the mark that Windows sets before it; lines end in a newline alone.

    Raises:
        InputOutputError: missing, unreadable, no plain file, larger than ``most`` bytes, or no UTF-8.
    """
    try:
        with open_plain(path) as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise InputOutputError(f"{path} has more than {most >> 20} MiB", hint)
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        raise no_file(path, hint) from error
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror or error}", hint) from error
    except UnicodeDecodeError as error:
        raise InputOutputError(f"cannot read {path}: it is no UTF-8 text", hint) from error


def read_json(path: Path, hint: str = "", most: int = MOST) -> Any:
    """A JSON file's value.

    Raises:
        InputOutputError: as ``read_text``, or it is no JSON, or nested more deeply than anybody writes.
    """
    return parse_json(read_text(path, hint, most), f"{path}", hint)


def parse_json(text: str, name: str, hint: str = "") -> Any:
    """Parse a text as ``read_json`` does; ``name`` names it in errors."""
    try:
        value = json.loads(text)
        if "\\u" in text:  # only an escape can hold half of a surrogate pair, which breaks printing and paths
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise InputOutputError(f"cannot read {name}: it is nested too deeply", hint) from error
    except ValueError as error:
        raise InputOutputError(f"cannot read {name}: {error}", hint) from error


def parse_toml(text: str, name: str, hint: str = "") -> dict[str, Any]:
    """Parse TOML as ``parse_json`` parses JSON."""
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise InputOutputError(f"cannot read {name}: a line has more than {LONGEST_LINE} characters", hint)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InputOutputError(f"cannot read {name}: it is nested too deeply", hint) from error
    except ValueError as error:
        raise InputOutputError(f"cannot read {name}: {error}", hint) from error


def read_table(path: Path, hint: str = "", columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, by column; every row has ``columns``, further ones may be left out at its end.

    Raises:
        InputOutputError: as ``read_text``, or one of ``columns`` is missing, or a row is longer than the header.
    """
    reader = csv.reader(io.StringIO(read_text(path, hint), newline=""))
    try:
        header = next(reader, [])
        if missing := [column for column in columns if column not in header]:
            raise InputOutputError(f"{path} has no column {missing[0]!r}", hint)
        least = max((header.index(column) + 1 for column in columns), default=0)
        rows = []
        for row in reader:
            if not row:
                continue
            if len(row) < least or any(row[len(header) :]):
                raise InputOutputError(
                    f"line {reader.line_num} of {path} has {len(row)} fields, its header {len(header)}", hint
                )
            rows.append(dict(itertools.zip_longest(header, row[: len(header)], fillvalue="")))
    except csv.Error as error:
        raise InputOutputError(f"line {reader.line_num} of {path}: {error}", hint) from error
    return rows
