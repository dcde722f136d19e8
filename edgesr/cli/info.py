"""``edgesr info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output
from edgesr.errors import UnavailableError, UsageError
from edgesr.process import extras
from edgesr.release import DEFAULT_CHECKPOINT
from edgesr.residency import residencies_from_dict

if TYPE_CHECKING:
    from edgesr.images.imaging import Pixels
    from edgesr.models import Checkpoint


@click.command("info")
@click.argument("model", default=DEFAULT_CHECKPOINT)
@click.option("--lr-size", type=click.IntRange(4, 512), help="Count for this LR size. Default: the checkpoint's.")
@click.option("--slots", type=click.IntRange(1, 16), help="Count for so many exemplars. Default: the checkpoint's.")
@output.json_option
def command(model: str, lr_size: int | None, slots: int | None, as_json: bool) -> None:
    """What a network is and costs: MODEL is a shipped name, a folder of a checkpoint or of a training run, a bundle, a
    preset without weights, or a FILE.json with a network's widths (as train --network takes it).

    GMACs are counted both ways: split (exemplars encoded once, the restorer runs per photo), and as the HIME
    paper counts (everything per photo, one LR extraction per reference).
    """
    from edgesr.models.description import shipped_names
    from edgesr.models.registry import architecture_of, preset, read_config

    described = read_config(Path(model)) if Path(model).suffix == ".json" else None
    here = model in shipped_names() or Path(model).exists()
    untrained = None if here or described else preset(model)
    if untrained is None and described is None:
        early.network(model, presets=True)
    from edgesr.bundle import bundle_folder

    bundle = bundle_folder(model)
    if not extras.has_torch():
        if bundle is not None:
            raise UnavailableError(
                "to count what a bundle's network costs takes PyTorch, which is not installed",
                extras.install_hint("convert"),
            )
        facts = without_torch(model, lr_size, slots, known=not untrained and described is None)
        if as_json:
            output.write_json(facts)
        else:
            show(facts, model)
        return
    from edgesr.models.checkpoint import load_checkpoint

    if bundle is not None:
        facts = of_bundle(bundle, lr_size, slots)
        if as_json:
            output.write_json(facts)
        else:
            show(facts, model)
            show_bundle(facts)
        return
    checkpoint = None if untrained or described else load_checkpoint(model, quantized=True)
    config = described or (checkpoint.model.config if checkpoint else untrained)
    assert config is not None
    sizes = {name: value for name, value in (("lr_size", lr_size), ("slots", slots)) if value is not None}
    config = config.replace(**sizes)
    cost = architecture_of(config).complexity(config)
    facts = {
        "name": checkpoint.name if checkpoint else Path(model).stem if described else model,
        "scale": config.scale,
        "lr_size": config.lr_size,
        "slots": config.slots,
        "gallery_bytes": config.interface.gallery_bytes,
        "parameters": cost.parameters,
        "gmacs_encode": cost.macs_encode / 1e9,
        "gmacs_restore": cost.macs_restore / 1e9,
        "gmacs_paper": cost.macs_paper / 1e9,
        "checkpoint_sha256": checkpoint.sha256 if checkpoint else None,
        "feature_space": checkpoint.feature_space if checkpoint else None,
        "feature_scales": checkpoint.feature_scales if checkpoint else None,
        "model": config.to_dict(),
        "offsets": offsets(checkpoint) if checkpoint else None,
        "training": checkpoint.training if checkpoint else None,
        "quantization": checkpoint.quantization if checkpoint else None,
    }
    if as_json:
        output.write_json(facts)
        return
    show(facts, model)


def of_bundle(folder: Path, lr_size: int | None, slots: int | None) -> dict[str, Any]:
    """The facts of a bundle's network at the bundle's sizes, and what was made of it for which target.

    Raises:
        UsageError: other sizes are asked for. BundleError: it is damaged.
    """
    from edgesr.bundle import open_bundle
    from edgesr.models.registry import architecture_of

    if lr_size is not None or slots is not None:
        raise UsageError(f"{folder} is converted for its sizes alone", "leave --lr-size and --slots out")
    bundle = open_bundle(folder)
    cost, m = architecture_of(bundle.config).complexity(bundle.config), bundle.manifest
    made = ("target", "precision", "precision_got", "lowering", "size_bytes", "delegation", "npu", "toolchain")
    return {
        "name": m["name"],
        "scale": bundle.config.scale,
        "lr_size": bundle.config.lr_size,
        "slots": bundle.config.slots,
        "gallery_bytes": bundle.interface.gallery_bytes,
        "parameters": cost.parameters,
        "gmacs_encode": cost.macs_encode / 1e9,
        "gmacs_restore": cost.macs_restore / 1e9,
        "gmacs_paper": cost.macs_paper / 1e9,
        "checkpoint_sha256": m["checkpoint_sha256"],
        "feature_space": m["feature_space"],
        "feature_scales": bundle.feature_scales,
        "model": bundle.config.to_dict(),
        "offsets": None,
        "training": None,
        "quantization": m.get("quantization"),
        **{key: m[key] for key in (*made, "residency") if key in m},
    }


def show_bundle(facts: dict[str, Any]) -> None:
    """What a bundle is beside its network, for people."""
    made = f"{facts['precision']}, lowering {facts['lowering']}, {output.size(facts['size_bytes'])}"
    output.write(f"  bundle         {facts['target']} {made}")
    if "residency" not in facts:
        output.write("  runs on        not told: it was converted before bundles said so (convert again)")
    for line in output.residency_lines(residencies_from_dict(facts.get("residency", {}))):
        output.write(line)
    for chip, npu in facts.get("npu", {}).items():
        output.write(f"  NPU            {chip} ({npu['architecture']}): {output.describe_npu(npu)}")


def without_torch(model: str, lr_size: int | None, slots: int | None, known: bool) -> dict[str, Any]:
    """The facts as they were counted when the network's ONNX graphs were made.

    Raises:
        UnavailableError: only PyTorch can count what was asked for.
    """
    from edgesr.runtime.shipped import shipped_graphs

    if not known or lr_size is not None or slots is not None:
        what = f"to count what {model} costs at other sizes" if known else f"to count what {model} costs"
        raise UnavailableError(f"{what} needs PyTorch, which is not installed", extras.install_hint("convert"))
    graphs = shipped_graphs(model)
    described = graphs.described
    return {
        "name": described.name,
        "scale": described.config.scale,
        "lr_size": described.config.lr_size,
        "slots": described.config.slots,
        "gallery_bytes": described.config.interface.gallery_bytes,
        **graphs.manifest["info"],
        "checkpoint_sha256": graphs.manifest["checkpoint_sha256"],
        "feature_space": described.feature_space,
        "feature_scales": described.feature_scales,
        "model": described.config.to_dict(),
        "training": described.training,
        "quantization": described.quantization,
    }


def show(facts: dict[str, Any], asked: str) -> None:
    """The facts for people; ``asked`` is how they named the network."""
    hr_size = facts["lr_size"] * facts["scale"]
    output.write(f"{facts['name']}: {facts['lr_size']} -> {hr_size} px (x{facts['scale']}), {facts['slots']} slots")
    output.write(f"  parameters     {facts['parameters']:,}")
    output.write(f"  GMACs          encode {facts['gmacs_encode']:.3f} (an exemplar, once per photo in the gallery)")
    output.write(f"                 restore {facts['gmacs_restore']:.3f} (an LR face with {facts['slots']} exemplars)")
    output.write(f"                 {facts['gmacs_paper']:.3f} as the paper counts (nothing precomputed)")
    output.write(f"  gallery        {facts['gallery_bytes'] / 1024:,.0f} KiB an exemplar, in int8")
    if facts["checkpoint_sha256"] is None:
        from edgesr.models.shipped import trained_weights

        output.write(f"  no weights: edgesr train FOLDER --network {asked} makes some")
        if elsewhere := trained_weights(asked):
            output.write(f"  {elsewhere}")
        return
    output.write(f"  feature space  {facts['feature_space']}")
    output.write(f"  sha256         {facts['checkpoint_sha256']}")
    if made := facts["quantization"]:
        how = "trained for int8" if made["method"] == "qat" else "calibrated"
        output.write(f"  int8           {how}, of {made['float_name']}, recipe {made['recipe']['name']}")
    report = facts["offsets"]
    if not isinstance(report, dict):
        return
    show_offsets("offsets", "|o| in LR pixels on sample faces: ", report)
    for name, part in report.get("parts", {}).items():
        show_offsets(f"  {name}", "", part)


def show_offsets(name: str, what: str, report: dict[str, Any]) -> None:
    """Of all offsets, or of one part of them, how long they are beside their bound."""
    quantiles = ", ".join(f"{q} {v:.2f}" for q, v in report["quantiles"].items())
    output.write(f"  {name:<13}  {what}{quantiles}; bound {report['bound']:g}")
    shares = " ".join(f"{share:.1%}" for share in report["histogram"])
    output.write(f"                 histogram over [0, {report['bound']:g}]: {shares}")
    output.write(f"                 {report['near_bound']:.2%} within 1 % of the bound")


def offsets(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """The trained offsets on the sample faces, against their bound; None of a network without."""
    import torch

    from edgesr.data.samples import sample_faces
    from edgesr.evaluation.methods import degrade
    from edgesr.images.imaging import to_unit
    from edgesr.models.registry import architecture_of

    config = checkpoint.model.config
    architecture = architecture_of(config)
    if not architecture.offsets:
        return None
    faces = sample_faces(config.hr_size)

    def batch(images: list[Pixels]) -> torch.Tensor:
        return torch.stack([torch.from_numpy(to_unit(image)).permute(2, 0, 1) for image in images])

    with torch.inference_mode():
        features = checkpoint.model.encode(batch([face.exemplar for face in faces]))
    lr = batch([degrade(face.target, config.scale) for face in faces])
    return architecture.report_offsets(checkpoint.model, lr, features)
