"""``edgesr demo``: the whole product on sample faces."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.data.samples import SampleFace
    from edgesr.images.imaging import Pixels
    from edgesr.runtime.base import Runtime

PHONE_TARGETS = ("executorch", "coreml", "tflite")
PEOPLE_SHOWN = 3
ENLARGE = 2


@click.command("demo")
@click.option("--output", "-o", "folder", type=PATH, default=Path("out"), show_default=True)
@click.option("--checkpoint", "-c", default=DEFAULT_CHECKPOINT, show_default=True)
@threads_option
@output.force_option
@output.json_option
def command(folder: Path, checkpoint: str, force: bool, as_json: bool) -> None:
    """Convert a checkpoint for every phone target, verify it, and restore real sample faces with each.

    The tiny faces are made as those that the network was trained for: as a phone's camera would, or by bicubic.

    Writes the bundles and demo.png (LR, bicubic, each target's SR, the original) into --output and prints size,
    parity, PSNR and milliseconds. Core ML executes on a Mac only: elsewhere its saved program is evaluated op by
    op, which shows what it computes and not how fast.
    """
    early.checkpoint(checkpoint)
    early.absent(folder / "demo.png", force=force)
    from edgesr.benchmarking.benchmark import bench_bundles
    from edgesr.bundle import open_bundle
    from edgesr.convert.pipeline import convert, plan
    from edgesr.convert.verify import runtime_or_evaluator, verify
    from edgesr.data.samples import sample_faces
    from edgesr.errors import ParityError, UsageError
    from edgesr.evaluation.methods import degrade
    from edgesr.images.imaging import resize_bicubic

    picture = folder / "demo.png"
    plans = [plan(target, checkpoint=checkpoint) for target in PHONE_TARGETS]
    plans = [dataclasses.replace(chosen, output=folder / chosen.output.name) for chosen in plans]
    for existing in (picture, *(chosen.output for chosen in plans)):
        if existing.exists() and not force:
            raise UsageError(f"{existing} already exists", "pass --force to replace what the demo wrote before")
    faces, kind = sample_faces(plans[0].config.hr_size), plans[0].checkpoint.degradation
    tiny = [degrade(face.target, plans[0].config.scale, kind, face.person) for face in faces]
    rows: list[dict[str, Any]] = []
    columns: dict[str, list[Pixels]] = {}
    with progress.stages("demo") as report:
        for chosen in plans:
            name = chosen.target.name
            manifest = convert(chosen, force=force, report=under(name, report))
            verification = verify(chosen.output, checkpoint, under(name, report))
            if not verification.ok:
                raise ParityError(f"{chosen.output} does not verify", f"edgesr verify {chosen.output}")
            report(f"{name}: restoring sample faces")
            runtime, _ = runtime_or_evaluator(open_bundle(chosen.output))
            restored = [restore(runtime, face, lr) for face, lr in zip(faces, tiny, strict=True)]
            columns[name if chosen.target.executes_here else f"{name} (evaluated)"] = restored
            rows.append({"target": name, "bundle": str(chosen.output), **figures(manifest, restored, faces)})
        report("measuring milliseconds")
        timed = [row for row, chosen in zip(rows, plans, strict=True) if chosen.target.executes_here]
        for measured in bench_bundles([Path(row["bundle"]) for row in timed], runs=20, threads=1):
            if measured.graph == "restore":
                next(r for r in timed if Path(r["bundle"]).name == measured.name)["ms"] = measured.ms_median
        upsampled = [resize_bicubic(lr, *face.target.shape[:2]) for face, lr in zip(faces, tiny, strict=True)]
        draw(picture, faces, tiny, {"bicubic": upsampled} | columns)
    bicubic = mean_psnr(upsampled, faces)
    if as_json:
        output.write_json(
            {"ok": True, "rows": rows, "degradation": kind, "psnr_bicubic": bicubic, "picture": str(picture)}
        )
        return
    output.table(
        ("target", "precision", "size", "max abs error", "parity", f"PSNR (bicubic {bicubic:.2f})", "ms"),
        [
            (
                row["target"],
                row["precision"],
                output.size(row["size_bytes"]),
                f"{row['max_abs_error']:.1e}",
                output.decibel(row["parity_db"]),
                f"{row['psnr']:.2f} dB",
                f"{row['ms']:.1f}" if "ms" in row else f"({row['evaluated_with']})",
            )
            for row in rows
        ],
        title=f"{checkpoint}: {len(faces)} sample people, {kind} faces, one exemplar each, all targets verified",
    )
    output.write(f"picture: {picture}")


def under(name: str, report: Callable[[str], None]) -> Callable[[str], None]:
    """``report`` with a target's name before each stage."""
    return lambda stage: report(f"{name}: {stage}")


def figures(manifest: dict[str, Any], restored: list[Pixels], faces: list[SampleFace]) -> dict[str, Any]:
    """A target's row of the table."""
    return {
        "precision": manifest["precision"],
        "size_bytes": manifest["size_bytes"],
        "max_abs_error": manifest["parity"]["max_abs_error"],
        "parity_db": manifest["parity"]["psnr_db"],
        "evaluated_with": manifest["parity"]["evaluated_with"],
        "psnr": mean_psnr(restored, faces),
    }


def restore(runtime: Runtime, face: SampleFace, lr: Pixels) -> Pixels:
    """The face from its tiny self and one other photo of the person."""
    from edgesr.api import Model

    model = Model(runtime, runtime.name)
    sr, _ = model.restore(lr, model.encode([face.exemplar]))
    return sr


def mean_psnr(images: list[Pixels], faces: list[SampleFace]) -> float:
    from edgesr.evaluation.metrics import psnr

    return sum(psnr(image, face.target) for image, face in zip(images, faces, strict=True)) / len(faces)


def draw(picture: Path, faces: list[SampleFace], tiny: list[Pixels], columns: dict[str, list[Pixels]]) -> None:
    """One row a person: exemplar, LR, bicubic, each target's SR, the original."""
    import numpy as np

    from edgesr.evaluation.metrics import psnr
    from edgesr.images.contact_sheet import SheetRow, contact_sheet
    from edgesr.images.imaging import write_image

    rows = []
    for i, face in enumerate(faces[:PEOPLE_SHOWN]):
        noted = [(images[i], f"{psnr(images[i], face.target):.2f} dB") for images in columns.values()]
        rows.append(SheetRow(face.person, [(face.exemplar, ""), (tiny[i], ""), *noted, (face.target, "")]))
    titles = ("exemplar", f"LR {len(tiny[0])} px", *columns, "original")
    write_image(np.asarray(contact_sheet(titles, rows, len(faces[0].target) * ENLARGE)), picture)
