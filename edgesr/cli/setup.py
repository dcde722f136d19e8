"""``edgesr setup``."""

from __future__ import annotations

import click

from edgesr.cli import output, progress


@click.command("setup")
@click.argument("what", metavar="WHAT", type=click.Choice(["tflite"]))
@output.json_option
def command(what: str, as_json: bool) -> None:
    """Make what a command needs; does nothing where it is ready. WHAT is tflite.

    \b
    edgesr setup tflite

    tflite: onnx2tf, which pins other versions than edgesr's, and tflite-runtime, which takes another numpy, from
    locked lists into a folder of their own (120 MB, seconds). EDGESR_TFLITE_ENV says where; without it, it lies
    in the user's cache.
    """
    from edgesr.convert.tflite.environment import tflite_environment

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
