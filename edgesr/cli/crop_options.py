"""Options of the commands that write crops."""

from __future__ import annotations

import click

from edgesr.cli.path import PATH

SUFFIXES = {"png": ".png", "jpg": ".jpg"}

size_option = click.option("--size", default=128, show_default=True, type=click.IntRange(16, 1024), help="Crop's side.")
format_option = click.option("--format", "kind", default="png", show_default=True, type=click.Choice([*SUFFIXES]))
folder_option = click.option("--output", "-o", "folder", required=True, type=PATH)
