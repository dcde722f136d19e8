"""``edgesr verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.errors import UsageError


@click.command("verify")
@click.argument("bundle", type=PATH)
@click.option("--checkpoint", "-c", help="What it was made from, if that is no shipped checkpoint.")
@click.option("--arch", type=click.Choice(["arm64"]), help="Run the kernels of phones' CPUs, emulated.")
@click.option(
    "--cpu",
    "cpus",
    multiple=True,
    metavar="NAME",
    help="With --arch: an emulated CPU, again for more. Default: two or three.",
)
@threads_option
@output.json_option
def command(bundle: Path, checkpoint: str | None, arch: str | None, cpus: tuple[str, ...], as_json: bool) -> None:
    """Repeat a bundle's parity gate on this machine.

    \b
    edgesr verify face.bundle
    edgesr verify --arch arm64 face.bundle      by the arm64 kernels of LiteRT, ExecuTorch and ONNX Runtime

    Every file's hash is checked before anything is loaded. Then everything that convert checks is checked again,
    against the checkpoint that the manifest names: a shipped one, or --checkpoint. Exit code 1 if a check fails; 4 if
    none fails but that checkpoint is not here, so that nobody knows.

    --arch arm64 runs TFLite, ExecuTorch, ONNX and web bundles on emulated CPUs without dotprod, with it, and with i8mm,
    judges them by the same gate, and says whether they give this machine's results to the bit. Debian's packages for it
    are fetched once (700 MB in the cache, 820 more for ExecuTorch; EDGESR_ARM64_ENV says elsewhere). Exit code 3 where
    they cannot be had.
    """
    if cpus and not arch:
        raise UsageError("--cpu is for --arch arm64", "edgesr verify --arch arm64 --cpu NAME")
    early.bundle(bundle)
    if checkpoint:
        early.checkpoint(checkpoint)
    with progress.stages("verify") as report:
        if arch:
            from edgesr.convert.arm64.verify import verify_on_arm64

            result = verify_on_arm64(bundle, checkpoint, report, cpus)
        else:
            from edgesr.convert.verify import verify

            result = verify(bundle, checkpoint, report)
    verdict: dict[str, Any] = {}
    if result.failed:
        verdict = output.failure(f"{bundle} does not verify: {', '.join(result.failed)}", "convert again")
    elif result.unverified:
        what = f"{bundle} is unverified: {result.unverified}"
        verdict = output.failure(what, "--checkpoint FOLDER names what it was made from", result.exit_code)
    if as_json:
        output.write_json(result.to_dict() | verdict)
    else:
        rows = [
            ("ok" if check.ok else "FAILED", check.name, f"{check.value:.4g}", f"{check.sign} {check.threshold:g}")
            for check in result.checks
        ]
        output.table(("", "check", "value", "threshold"), rows, title=f"{bundle} ({result.evaluated_with})")
        for line in output.residency_lines(result.residency):
            output.write(line)
        for note in result.notes:
            output.say(f"note: {note}")
        if verdict:
            output.say(f"edgesr: {verdict['error']}")
    if result.unverified and not result.failed:
        raise output.UnverifiedResult
    if not result.ok:
        raise output.NegativeResult
