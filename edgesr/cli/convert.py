"""``edgesr convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.residency import residencies_from_dict


@click.command("convert")
@click.option(
    "--target",
    "-t",
    required=True,
    metavar="NAME",
    help="executorch, coreml, tflite, onnx, web, qnn or coreai (experimental).",
)
@click.option(
    "--precision", "-p", metavar="NAME", help="Default: an int8 checkpoint's own, else the target's (edgesr targets)."
)
@click.option("--checkpoint", "-c", default=DEFAULT_CHECKPOINT, show_default=True, help="A shipped name or a folder.")
@click.option(
    "--calibrate",
    type=PATH,
    metavar="FOLDER",
    help="int8-ptq, mixed: faces to measure scales on.",
)
@click.option("--recipe", type=PATH, metavar="FILE", help="With --calibrate: precision of each layer.")
@click.option("--lr-size", type=click.IntRange(4, 512), help="Side of the LR face. Default: the checkpoint's.")
@click.option("--slots", type=click.IntRange(1, 16), help="Exemplar slots. Default: the checkpoint's.")
@click.option(
    "--soc", multiple=True, metavar="CHIP", help="qnn: a chip to compile for; again for another. Default: two."
)
@click.option("--lowering", metavar="NAME", help="grid_sample, rows or tent. Default: the target's best.")
@click.option("--output", "-o", "bundle", type=PATH, help="Bundle folder. Default: named after the choices.")
@threads_option
@output.force_option
@output.json_option
def command(
    target: str,
    precision: str | None,
    checkpoint: str,
    calibrate: Path | None,
    recipe: Path | None,
    lr_size: int | None,
    slots: int | None,
    soc: tuple[str, ...],
    lowering: str | None,
    bundle: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Convert a checkpoint for a phone, prove it equal to PyTorch, and write a bundle.

    \b
    edgesr convert --target coreml
    edgesr convert --target tflite --precision fp16 --slots 5 -o face.bundle
    edgesr convert --target executorch --precision int8
    edgesr convert --target executorch --precision int8-ptq --calibrate my-faces
    edgesr convert --target qnn --soc sm8650 --soc sm8750

    The artifact is run (Core ML off a Mac: its saved program is evaluated) on real sample faces. Where it
    departs from PyTorch nothing is written, the exit code is 1, and the error names the first module that does.

    int8 takes the network that was trained for it: a checkpoint of edgesr quantize, or the shipped one of the
    float checkpoint's name.
    """
    from edgesr.errors import UsageError

    if recipe and not calibrate:
        raise UsageError("--recipe is for --calibrate", "a checkpoint of edgesr quantize has its recipe already")
    sizes = {"lr_size": lr_size, "slots": slots}
    early.conversion(target, precision, lowering, checkpoint, sizes, bundle, force, soc)
    early.files(recipe)
    if calibrate:
        early.faces(calibrate)
    from edgesr.convert.network import convert_network
    from edgesr.convert.plan import Plan

    with progress.job(f"convert to {target}", unit="stage") as shown:

        def planned(plan: Plan) -> None:
            shown.total = 1 + bool(plan.quantization) + plan.stages

        shown.stage("loading")
        converted = convert_network(
            target,
            bundle,
            checkpoint=checkpoint,
            precision=precision,
            lowering=lowering,
            lr_size=lr_size,
            slots=slots,
            chips=soc,
            calibrate=calibrate,
            recipe=recipe,
            force=force,
            report=shown.stage,
            planned=planned,
        )
    manifest = converted.manifest
    for note in converted.notes:
        output.say(f"note: {note}")
    if as_json:
        keys = (
            *("target", "precision", "precision_got", "lowering", "size_bytes", "seconds", "parity"),
            *("delegation", "residency"),
        )
        further = {key: manifest[key] for key in ("first_visit_bytes", "npu", "notes") if key in manifest}
        said = {key: manifest[key] for key in keys}
        output.write_json({"ok": True, "bundle": str(converted.bundle), **said, **further})
    else:
        summarize(converted.bundle, manifest)


def summarize(bundle: Path, manifest: dict[str, Any]) -> None:
    """The few lines that say what was made."""
    parity = manifest["parity"]
    psnr = "equal" if parity["psnr_db"] is None else f"{parity['psnr_db']:.1f} dB"
    sizes = f"{manifest['lr_size']} -> {manifest['lr_size'] * manifest['scale']} px, {manifest['slots']} slots"
    output.write(f"{bundle}")
    output.write(f"  network    {manifest['name']}, {sizes}, {manifest['precision']}, lowering {manifest['lowering']}")
    output.write(f"  size       {output.size(manifest['size_bytes'])}")
    if "first_visit_bytes" in manifest:
        models = ", ".join(f"{key} {output.size(model['bytes'])}" for key, model in manifest["models"].items())
        output.write(
            f"  page       {output.size(manifest['first_visit_bytes'])} compressed at the first visit ({models})"
        )
    output.write(
        f"  parity     max abs error {parity['max_abs_error']:.1e}, PSNR {psnr} to PyTorch on real faces"
        f" ({parity['evaluated_with']})"
    )
    for line in output.residency_lines(residencies_from_dict(manifest["residency"])):
        output.write(line)
    for chip, npu in manifest.get("npu", {}).items():
        output.write(f"  NPU        {chip} ({npu['architecture']}): {output.describe_npu(npu)}")
    for part, precision in manifest["arithmetic"].items():
        output.write(f"  computes   {part}: {precision}")
    output.write(f"  took       {manifest['seconds']:.0f} s")
