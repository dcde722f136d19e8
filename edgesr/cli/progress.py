"""How far a command is: a bar on a terminal, elsewhere a line on stderr every half minute, for every long job alike."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from edgesr.cli import output
from edgesr.cli.printable import printable
from edgesr.process.quiet import stderr_lock

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

FIRST, EVERY = 10.0, 30.0
"""Seconds until the first line where stderr is no terminal, and between lines: a job that is quicker says nothing."""
WINDOW = 64
"""Steps whose time the rate is taken from."""


class Job:
    """Where a job stands: ``done`` of ``total`` steps (None: nobody knows how many), and what is to be said of it."""

    def __init__(self, what: str, total: int | None = None, done: int = 0, *, unit: str = "") -> None:
        """``unit`` names a step before its number: ``step``, or nothing."""
        self.what, self.total, self.done, self.unit = what, total, done, unit
        self.note = ""
        self.soon = False
        """Whether the next step is to be said at once where stderr is no terminal."""
        self.started = time.monotonic()
        self._marks = deque([(self.started, done)], maxlen=WINDOW)
        self._bar: Progress | None = None

    def at(self, done: int, note: str | None = None) -> None:
        """Note that so many steps are done; ``note`` is what else to say from now on."""
        self.done, self.note = done, self.note if note is None else note
        self._marks.append((time.monotonic(), done))
        if self._bar is not None:
            state = printable(self.state())
            self._bar.update(self._bar.task_ids[0], total=self.total, completed=self.done, state=state)
        elif self.soon:
            output.say(f"{self.what}: {self.state()}")
        self.soon = False

    def stage(self, name: str) -> None:
        """A stage begins; those before it are done."""
        first = not self.note
        self.at(self.done + (not first), name)
        if self._bar is None:
            output.say(f"{self.what}: {name}")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._bar is None:
            output.say(text)
        else:
            self._bar.console.print(printable(text))

    @property
    def rate(self) -> float:
        """Steps a second lately; 0 where none is done yet."""
        start, done = self._marks[0]
        return (self.done - done) / max(time.monotonic() - start, 1e-9)

    def state(self) -> str:
        """Steps, rate and time left: ``step 12 of 1,200, 1.9 s each, 38 min left; loss 0.02``."""
        parts = []
        if self.total or self.done:
            of = f" of {self.total:,}" if self.total else ""
            parts.append(f"{self.unit} {self.done:,}{of}".strip())
        rate = self.rate
        if rate > 0 and self.unit != "stage":  # stages are unlike one another
            parts.append(f"{rate:.1f} a second" if rate >= 1 else f"{1 / rate:.1f} s each")
        if rate > 0 and self.total and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        else:
            parts.append(f"{duration(time.monotonic() - self.started)} so far")
        return ", ".join(parts) + (f"; {self.note}" if self.note else "")


@contextlib.contextmanager
def job(
    what: str, total: int | None = None, done: int = 0, *, unit: str = "", soon: bool = False, visible: bool = True
) -> Iterator[Job]:
    """Show a job while the block works at it.

    ``soon``: its first step is said at once; ``visible`` False: show nothing (another process does).
    """
    started = Job(what, total, done, unit=unit)
    started.soon = soon and visible
    terminal = output.console()
    if not visible:
        yield started
    elif terminal.is_terminal:
        with _bar() as bar:
            bar.add_task(printable(what), total=total, completed=done, state="")
            started._bar = bar
            yield started
    else:
        ended = threading.Event()
        beat = threading.Thread(target=_beat, args=(started, ended), daemon=True)
        beat.start()
        try:
            yield started
        finally:
            ended.set()
            beat.join()


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate, and show how far it is; ``total`` where ``items`` have no length."""
    count = len(items) if isinstance(items, Sequence) else total
    with job(description, count or None) as shown:
        for i, item in enumerate(items):
            yield item
            shown.at(i + 1)


@contextlib.contextmanager
def stages(what: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
    """A job of so many stages, whose names come as they begin: each is a line where stderr is no terminal."""
    with job(what, total, unit="stage") as shown:
        yield shown.stage


def duration(seconds: float) -> str:
    """Seconds for people: 45 s, 12 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _bar() -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=output.console(), transient=True)


def _beat(shown: Job, ended: threading.Event) -> None:
    """Say where the job stands, now and then, until it has ended: also where its steps are long."""
    wait = FIRST
    while not ended.wait(wait):
        with stderr_lock:  # a runtime may be explaining itself there just now
            output.say(f"{shown.what}: {shown.state()}")
        wait = EVERY
