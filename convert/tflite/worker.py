"""Turns ONNX graphs into TFLite by onnx2tf, which is not installed but lies in the folder of ``edgesr setup tflite``.

Run as ``python -I worker.py request.json`` in an empty folder of its own, by the Python of edgesr, whose packages
onnx2tf uses. It imports nothing of edgesr: onnx2tf sets what holds for a whole process. It says on stdout, a JSON
object a line, which ``stage`` it is at or what ``error`` ended it; what the libraries print goes to stderr.

Nothing is fetched: a connection to another machine is an error, so that a library which starts to download
something shows at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


class WorkerError(Exception):
    """What cannot be converted, and why."""


def die_with_parent() -> None:
    """Where the command that started this is killed outright, Linux ends this too."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def main(request_path: str) -> None:
    say = take_stdout()
    die_with_parent()
    try:
        forbid_network()
        translate(json.loads(Path(request_path).read_text()), lambda stage: say({"stage": stage}))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        # onnx2tf may leave by sys.exit after printing what it does not take: then the last line printed tells more.
        if not isinstance(error, SystemExit):
            say({"error": str(error) if isinstance(error, WorkerError) else f"{type(error).__name__}: {error}"})
        sys.exit(1)


def translate(request: Mapping[str, Any], report: Callable[[str], None]) -> None:
    """Write every graph's float model where the request says."""
    # Behind all others, so that nothing there stands in for a package of the environment.
    sys.path.append(request["converter"])
    import onnx
    from onnx2tf.tflite_builder import export_tflite_model_flatbuffer_direct

    for name, graph in request["graphs"].items():
        report(f"translating {name} to TFLite")
        model = onnx.load(graph["onnx"])
        written = export_tflite_model_flatbuffer_direct(
            onnx_graph=model,
            output_folder_path=f"onnx2tf-{name}",
            output_file_name=name,
            flatbuffer_direct_show_progress=False,
            # They have TFLite's order of axes already: see ``onnx_form.take_channels_last``.
            keep_shape_absolutely_input_names=[tensor.name for tensor in model.graph.input],
        )
        Path(written["float32_tflite_path"]).replace(graph["tflite"])


def take_stdout() -> Callable[[Mapping[str, Any]], None]:
    """A function that writes a JSON line to stdout, which from here on nothing else reaches."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    return say


def forbid_network() -> None:
    """Make every look-up of, and connection to, another machine an error."""

    def refuse(asked_for: object) -> None:
        raise WorkerError(f"a conversion fetches nothing, but something asked for {asked_for}")

    class LocalSocket(socket.socket):
        def connect(self, address: Any) -> None:
            if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in ("127.0.0.1", "::1"):
                refuse(address[0])
            super().connect(address)

    socket.socket = LocalSocket  # type: ignore[misc]
    socket.getaddrinfo = lambda host, *args, **kwargs: refuse(host)  # type: ignore[assignment]


if __name__ == "__main__":
    main(sys.argv[1])
