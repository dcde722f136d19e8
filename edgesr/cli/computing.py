"""The option of every command that computes."""

from __future__ import annotations

import click

from edgesr.process import threads


def _use(_: click.Context, __: click.Parameter, number: int | None) -> None:
    threads.use(number)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 256),
    expose_value=False,
    callback=_use,
    help="CPU threads. Default: OMP_NUM_THREADS, or as many CPUs as are free now.",
)
"""Set for every library before the command starts, and for the processes that it starts."""
