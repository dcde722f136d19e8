"""``edgesr setup``."""

from __future__ import annotations

from pathlib import Path

import click

from edgesr.cli import output
from edgesr.errors import UsageError


@click.command("setup")
@click.argument("what", type=click.Choice(["tflite", "detector"]))
@click.option("--force", is_flag=True, help="detector: replace another file that lies in its place.")
@output.json_option
def command(what: str, force: bool, as_json: bool) -> None:
    """Make or fetch what a command needs; does nothing where it is ready.

    tflite: TensorFlow and onnx2tf pin another numpy than everything else, so they live in a Python environment
    of their own, made from a locked list (2.6 GB, about two minutes). EDGESR_TFLITE_ENV says where;
    without it, it lies in the user's cache.

    detector: YuNet, which finds faces in photos (230 kB, MIT licence), from the OpenCV Zoo by a pinned address and
    SHA-256 into the user's cache, or to where EDGESR_YUNET says. EDGESR_YUNET_ADDRESS names a mirror. Commands fetch it
    themselves when they first need it, unless EDGESR_OFFLINE is set.
    """
    if what == "detector":
        _detector(force, as_json)
        return
    if force:
        raise UsageError("--force is for the detector", "an environment is made anew by itself where it is incomplete")
    from edgesr.convert.tflite_environment import tflite_environment

    environment = tflite_environment()
    ready = environment.is_ready()
    if not ready:
        with output.stages(f"setup {what}") as report:
            environment.create(report)
    state = "was ready" if ready else "made"
    if as_json:
        output.write_json({"ok": True, "environment": what, "folder": str(environment.folder), "state": state})
    else:
        output.write(f"{what} environment {state}: {environment.folder}")


def _detector(force: bool, as_json: bool) -> None:
    import os

    from edgesr.detector_setup import SHA256, YUNET_VARIABLE, cached_yunet, fetch_detector

    named = os.environ.get(YUNET_VARIABLE)
    target = Path(named).expanduser() if named else cached_yunet()
    with output.stages("setup detector") as report:
        fetched = fetch_detector(target, report, force=force)
    state = "fetched" if fetched else "was ready"
    if as_json:
        output.write_json({"ok": True, "detector": str(target), "sha256": SHA256, "state": state})
    else:
        output.write(f"face detector {state}: {target}")
