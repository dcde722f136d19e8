"""``edgesr setup``."""

from __future__ import annotations

import click

from edgesr.cli import output, progress


@click.command("setup")
@click.argument("what", type=click.Choice(["tflite"]))
@output.json_option
def command(what: str, as_json: bool) -> None:
    """Make what a command needs; does nothing where it is ready.

    tflite: TensorFlow and onnx2tf pin another numpy than everything else, so they live in a Python environment
    of their own, made from a locked list (2.6 GB, about two minutes). EDGESR_TFLITE_ENV says where;
    without it, it lies in the user's cache.
    """
    from edgesr.convert.tflite_environment import tflite_environment

    environment = tflite_environment()
    ready = environment.is_ready()
    if not ready:
        with progress.stages(f"setup {what}") as report:
            environment.create(report)
    state = "was ready" if ready else "made"
    if as_json:
        output.write_json({"ok": True, "environment": what, "folder": str(environment.folder), "state": state})
    else:
        output.write(f"{what} environment {state}: {environment.folder}")
