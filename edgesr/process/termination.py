"""Being told to end: SIGTERM and a closed terminal end a command as Ctrl-C does, so that it saves and cleans up."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
AGAIN = 5.0
"""Seconds within which another signal is the same one: ``timeout`` sends it to a process and to its group."""

_last = -AGAIN


class Terminated(KeyboardInterrupt):
    """The process was told to end, by the signal ``number``. Whatever heeds Ctrl-C heeds it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def heed_termination() -> None:
    """From now on the signals raise ``Terminated`` in the main thread; those that are ignored (nohup) stay so."""
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _raise)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and termination within the block take effect at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    held: list[int] = []
    numbers = [signal.SIGINT, *(number for number in SIGNALS if signal.getsignal(number) is _raise)]
    before = {number: signal.signal(number, lambda number, _: held.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])


def _raise(number: int, _: object) -> None:
    global _last
    if time.monotonic() - _last >= AGAIN:
        _last = time.monotonic()
        raise Terminated(number)
