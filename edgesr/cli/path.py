"""The type of every argument and option that names a file or folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


class Named(click.Path):
    """A path with a name. An empty one, of a shell's variable that is not set, would be the folder one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("its name is empty; is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


PATH = Named(path_type=Path)
