"""``edgesr setup``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgesr.cli import output, progress

if TYPE_CHECKING:
    from edgesr.convert.arm64.environment import Arm64Environment
    from edgesr.convert.tflite.environment import TFLiteEnvironment


@click.command("setup")
@click.argument("what", metavar="WHAT", type=click.Choice(["tflite", "arm64"]))
@output.json_option
def command(what: str, as_json: bool) -> None:
    """Make what a command needs; does nothing where it is ready. WHAT is tflite or arm64.

    \b
    edgesr setup tflite
    edgesr setup arm64

    tflite: onnx2tf, which pins other versions than edgesr's, and tflite-runtime, which takes another numpy, from
    locked lists into a folder of their own (120 MB, seconds). EDGESR_TFLITE_ENV says where; without it, it lies
    in the user's cache.

    arm64: for verify --arch arm64, which makes it itself where it is missing: an emulator and an arm64 Python of
    Debian's, unpacked only, and the arm64 files of LiteRT and ONNX Runtime (700 MB, half a minute). Those of ExecuTorch
    follow with the first ExecuTorch bundle (820 MB more). EDGESR_ARM64_ENV says where.
    """
    environment = environment_of(what)
    ready = environment.is_ready()
    if not ready:
        with progress.stages(f"setup {what}") as report:
            environment.create(report)
    state = "was ready" if ready else "made"
    if as_json:
        output.write_json({"ok": True, "environment": what, "folder": str(environment.folder), "state": state})
    else:
        output.write(f"{what} environment {state}: {environment.folder}")


def environment_of(what: str) -> Arm64Environment | TFLiteEnvironment:
    """The environment that is asked for, made or not."""
    if what == "arm64":
        from edgesr.convert.arm64.environment import arm64_environment

        return arm64_environment()
    from edgesr.convert.tflite.environment import tflite_environment

    return tflite_environment()
