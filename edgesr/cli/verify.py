"""``edgesr verify``."""

from __future__ import annotations

from pathlib import Path

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

    Every file's hash is checked before anything is loaded. Then both graphs run on the bundle's golden
    vectors and, where the checkpoint it was made from is here, on real faces beside PyTorch. What could not be
    run is said. Exit code 1 if a check fails.
    """
    early.bundle(bundle)
    if checkpoint:
        early.checkpoint(checkpoint)
    from edgesr.convert.verify import verify

    with progress.stages("verify") as report:
        result = verify(bundle, checkpoint, report)
    failed = [check.name for check in result.checks if not check.ok]
    verdict = output.failure(f"{bundle} does not verify: {', '.join(failed)}", "convert again") if failed else {}
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
    if not result.ok:
        raise output.NegativeResult
