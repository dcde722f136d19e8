"""``edgesr eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgesr.cli import output
from edgesr.errors import UsageError


@click.command("eval", short_help="PSNR of every method on an evaluation list.")
@click.option("--checkpoint", "-c", help="A shipped name or a folder. Default: hime-small-x4.")
@click.option("--bundle", "-b", type=click.Path(path_type=Path), help="Measure a converted bundle instead.")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder <pixels>/<split>/<person>/<photo>."
)
@click.option("--list", "list_file", type=click.Path(path_type=Path), help="Default: eval_list.csv in that folder.")
@click.option("--split", default="test", show_default=True)
@click.option("--limit", type=click.IntRange(2), help="Only the first targets of the list.")
@output.json_option
def command(
    checkpoint: str | None,
    bundle: Path | None,
    data: Path,
    list_file: Path | None,
    split: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """PSNR in dB on fixed pairs: bicubic, n = 0, 1, 3, 5 exemplars, and the wrong person's exemplars.

    Intervals are 95 % bootstrap intervals over people, since photos of one person are not independent.
    """
    import edgesr
    from edgesr.data.faces import read_eval_list
    from edgesr.evaluation import evaluate

    if checkpoint and bundle:
        raise UsageError("--checkpoint and --bundle exclude each other", "measure one at a time")
    model = edgesr.load(bundle or checkpoint or "hime-small-x4")
    pairs = read_eval_list(data, split, model.config.hr_size, list_file)[:limit]
    result = evaluate(
        model.runtime, pairs, counts=(0, 1, 3, 5), progress=lambda items: output.track(items, f"evaluating {split}")
    )
    most = [method for method in result.psnr if method.startswith("n=")][-1]
    gap = result.interval(most, minus="wrong-person") if most != "n=0" else None
    if as_json:
        rows: list[dict[str, Any]] = []
        for method in result.psnr:
            interval = result.interval(method)
            row: dict[str, Any] = {"method": method, "psnr": interval.mean, "psnr_95": [interval.low, interval.high]}
            rows.append(row | {"ssim": None, "identity": None})
        answer: dict[str, Any] = {"split": split, "images": len(pairs), "people": len(set(result.people)), "rows": rows}
        if gap:
            answer["right_minus_wrong"] = {"psnr": gap.mean, "psnr_95": [gap.low, gap.high], "method": most}
        output.write_json(answer)
        return
    output.table(
        ("method", "PSNR dB [95 %]", "over bicubic"),
        [(m, result.interval(m), result.interval(m, minus="bicubic")) for m in result.psnr],
        title=f"{model.name} on {split}: {len(pairs)} images, {len(set(result.people))} people",
    )
    if gap:
        output.write(f"right person minus wrong person, {most}: {gap} dB")
