"""What commands say: data on stdout (a table, or one JSON object), everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from edgesr.cli.printable import printable
from edgesr.errors import EXIT_NEGATIVE, EXIT_UNVERIFIED

if TYPE_CHECKING:
    from rich.console import Console

    from edgesr.residency import Residencies

_data: IO[str] | None = None
"""Where data goes while a command runs; then ``sys.stdout`` itself leads to stderr."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")
force_option = click.option("--force", is_flag=True, help="Replace an existing output.")


class NegativeResult(Exception):  # noqa: N818 (an answer, not an error)
    """The command did its work and the answer is no: it has been printed, only the exit code is left."""

    exit_code = EXIT_NEGATIVE


def claim(path: Path) -> None:
    """Keep other processes from making ``path`` until the command ends.

    Raises:
        InputOutputError: another process is making it, or its folder cannot be written.
    """
    from edgesr.files.claims import claimed

    click.get_current_context().with_resource(claimed(path))


def open_standard_streams() -> None:
    """Give the process what its caller closed (``2>&-``): the next file that is opened must not become its stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


class UnverifiedResult(NegativeResult):
    """Likewise, and the answer is that nobody knows: what it would be compared with is not here."""

    exit_code = EXIT_UNVERIFIED


def claim_stdout() -> None:
    """Keep stdout for our data: what native libraries print there goes to stderr from now on."""
    closed = sys.stdout is None
    open_standard_streams()
    if closed:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (open to the end)
        return
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)


@contextlib.contextmanager
def only_data_on_stdout() -> Iterator[None]:
    """Within the block ``write`` alone reaches stdout; what Python libraries print there goes to stderr."""
    global _data
    outer, _data = _data, sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _data = outer


def write(text: str) -> None:
    """Text to the real stdout. That its reader went away (``| head``) is no error of the command."""
    _print(printable(text))


def _print(text: str) -> None:
    global _data
    try:
        print(text, file=_data or sys.stdout, flush=True)
    except BrokenPipeError:
        _data = sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (open to the end)


def write_json(data: Any) -> None:
    """The one JSON object of a command run with --json; infinite and undefined numbers become null."""
    write(json.dumps(_finite(data), indent=2))


def fail(what: str, hint: str, exit_code: int, as_json: bool) -> int:
    """Print an error (what failed and why, then what to try) and return its exit code."""
    if as_json:
        with contextlib.suppress(OSError):  # stdout may be what failed
            write_json(failure(what, hint, exit_code))
    # Multi-line messages of libraries are folded: one line says what failed, one what to try.
    say(f"edgesr: {' '.join(what.split())}")
    if hint:
        say(f"  try: {' '.join(hint.split())}")
    return exit_code


def failure(what: str, hint: str, exit_code: int = EXIT_NEGATIVE) -> dict[str, Any]:
    """The keys that every failed command's JSON has."""
    return {"ok": False, "error": what, "hint": hint, "exit_code": exit_code}


def say(text: str) -> None:
    """A line on stderr."""
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


def console(stderr: bool = True) -> Console:
    """A rich console; NO_COLOR and redirected streams are honoured by rich itself."""
    from rich.console import Console

    # Redirected, a table must not be folded at 80 columns: whoever reads the file has no use for it.
    stream = sys.stderr if stderr else (_data or sys.stdout)
    width = None if stream.isatty() else 160
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout: the first column left, and words; numbers right."""
    from rich import box
    from rich.table import Table

    rich_table = Table(title=title and printable(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    for i, column in enumerate(columns):
        words = any(one[0].isalpha() and one not in ("inf", "nan") for row in cells for one in row[i : i + 1] if one)
        rich_table.add_column(column, justify="left" if i == 0 or words else "right", overflow="fold")
    for row in cells:
        rich_table.add_row(*row)
    terminal = console(stderr=False)
    with terminal.capture() as drawn:
        terminal.print(rich_table)
    _print(drawn.get().removesuffix("\n"))


def counted(count: int, one: str, many: str) -> str:
    """``1 entry``, ``2 entries``."""
    return f"{count:,} {one if count == 1 else many}"


def size(count: int) -> str:
    """Bytes for people: 3.5 MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def residency_lines(found: Residencies) -> list[str]:
    """Where each graph's operators run, a line a backend."""
    return [f"  {graph:8} {one}" for graph, ones in found.items() for one in ones]


def describe_npu(npu: dict[str, Any]) -> str:
    """What of a chip's NPU a bundle has: how much of each graph runs there, as compiled by what, and how large."""
    whole = ", ".join(f"{graph} {npu['nodes_on_npu'][graph]} of {count} nodes" for graph, count in npu["nodes"].items())
    return f"{whole}; contexts {size(sum(npu['context_bytes'].values()))}, QAIRT {npu['qairt']}"


def decibel(value: float | None) -> str:
    """A PSNR for people; equal images have none (null in JSON)."""
    return "equal" if value is None or math.isinf(value) else f"{value:.2f} dB"


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
