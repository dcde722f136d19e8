"""A command with commands below it."""

from __future__ import annotations

import click


class Group(click.Group):
    """Lists its commands with the first sentence of each in full, where click would end it after a few words."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, below.get_short_help_str(1000)) for name, below in self.commands.items()])
