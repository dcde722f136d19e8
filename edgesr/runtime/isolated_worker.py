"""The child of ``isolated``: opens one artifact and runs its graphs until its stdin ends."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any

from edgesr.errors import EdgesrError
from edgesr.models.interface import Interface
from edgesr.runtime.base import GraphRuntime
from edgesr.runtime.isolated import read_frame, write_frame


def open_artifact(asked: dict[str, Any]) -> GraphRuntime:
    """The engine that is asked for, on its artifact; the file's FlatBuffer is verified first where it is one."""
    folder, files = Path(asked["folder"]), asked["files"]
    module, name = asked["engine"]
    engine = getattr(importlib.import_module(module), name)
    if verify := getattr(engine, "verify", None):
        verify(folder, files)
    interface = Interface.from_dict(asked["interface"])
    runtime: GraphRuntime = engine(folder, files, interface, asked["tensors"], threads=asked["threads"])
    return runtime


def main() -> None:
    """Answer until stdin ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # that it may crash is known: nobody needs its memory
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what engines print, from C++ too, is no answer
    runtime: GraphRuntime | None = None
    while (frame := read_frame(questions)) is not None:
        asked, arrays = frame
        try:
            if runtime is None:
                runtime = open_artifact(asked)
                write_frame(answers, {"name": runtime.name, "accelerator": runtime.accelerator})
            else:
                write_frame(answers, {}, runtime.run(asked["graph"], arrays))
        except ImportError as error:
            write_frame(answers, {"error": f"{error.name} is missing", "kind": "UnavailableError"})
        except EdgesrError as error:
            write_frame(answers, {"error": error.what, "hint": error.hint, "kind": type(error).__name__})
        except Exception as error:  # engines raise anything on a model they do not take
            doing = "load" if runtime is None else "run"
            what = f"its runtime cannot {doing} the model: {' '.join(str(error).split())[:500]}"
            write_frame(answers, {"error": what, "hint": "it is damaged, or not what its manifest says: convert again"})


if __name__ == "__main__":
    main()
