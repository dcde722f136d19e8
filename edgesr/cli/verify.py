"""``edgesr verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--checkpoint", "-c", help="What it was made from, if that is no shipped checkpoint.")
@threads_option
@output.json_option
def command(bundle: Path, checkpoint: str | None, as_json: bool) -> None:
    """Repeat a bundle's parity gate on this machine.

    Every file's hash is checked before anything is loaded. Then everything that convert checks is checked again,
    against the checkpoint that the manifest names: a shipped one, or --checkpoint. Exit code 1 if a check fails; 4 if
    none fails but that checkpoint is not here, so that nobody knows.
    """
    early.bundle(bundle)
    if checkpoint:
        early.checkpoint(checkpoint)
    from edgesr.convert.verify import verify

    with progress.stages("verify") as report:
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
            ("ok" if check.ok else "FAILED", check.name, f"{check.value:.4g}", f"{check.threshold:g}")
            for check in result.checks
        ]
        output.table(("", "check", "value", "threshold"), rows, title=f"{bundle} ({result.evaluated_with})")
        for note in result.notes:
            output.say(f"note: {note}")
        if verdict:
            output.say(f"edgesr: {verdict['error']}")
    if result.unverified and not result.failed:
        raise output.UnverifiedResult
    if not result.ok:
        raise output.NegativeResult
