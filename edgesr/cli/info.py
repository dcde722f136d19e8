"""``edgesr info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgesr import DEFAULT_CHECKPOINT
from edgesr.cli import output

if TYPE_CHECKING:
    from edgesr.imaging import Pixels
    from edgesr.models import Checkpoint


@click.command("info")
@click.argument("model", default=DEFAULT_CHECKPOINT)
@click.option("--lr-size", type=click.IntRange(4, 512), help="Count for this LR size. Default: the checkpoint's.")
@click.option("--slots", type=click.IntRange(1, 16), help="Count for so many exemplars. Default: the checkpoint's.")
@output.json_option
def command(model: str, lr_size: int | None, slots: int | None, as_json: bool) -> None:
    """What a checkpoint (MODEL, a shipped name or a folder) is and costs.

    GMACs are counted both ways: split (exemplars encoded once, the restorer runs per photo), and as the HIME
    paper counts (everything per photo, one LR extraction per reference).
    """
    from edgesr.models import load_checkpoint
    from edgesr.models.complexity import complexity

    checkpoint = load_checkpoint(model)
    config = checkpoint.model.config.replace(
        lr_size=lr_size or checkpoint.model.config.lr_size, slots=slots or checkpoint.model.config.slots
    )
    cost = complexity(config)
    facts = {
        "name": checkpoint.name,
        "scale": config.scale,
        "lr_size": config.lr_size,
        "slots": config.slots,
        "parameters": cost.parameters,
        "gmacs_encode": cost.macs_encode / 1e9,
        "gmacs_restore": cost.macs_restore / 1e9,
        "gmacs_paper": cost.macs_paper / 1e9,
        "checkpoint_sha256": checkpoint.sha256,
        "feature_space": checkpoint.feature_space,
        "feature_scales": checkpoint.feature_scales,
        "model": config.to_dict(),
        "offsets": offsets(checkpoint),
        "training": checkpoint.training,
    }
    if as_json:
        output.write_json(facts)
        return
    output.write(f"{checkpoint.name}: {config.lr_size} -> {config.hr_size} px (x{config.scale}), {config.slots} slots")
    output.write(f"  parameters     {cost.parameters:,}")
    output.write(f"  GMACs          encode {cost.macs_encode / 1e9:.3f} (an exemplar, once per photo in the gallery)")
    output.write(f"                 restore {cost.macs_restore / 1e9:.3f} (an LR face with {config.slots} exemplars)")
    output.write(f"                 {cost.macs_paper / 1e9:.3f} as the paper counts (nothing precomputed)")
    output.write(f"  feature space  {checkpoint.feature_space}")
    output.write(f"  sha256         {checkpoint.sha256}")
    report = facts["offsets"]
    assert isinstance(report, dict)
    quantiles = ", ".join(f"{q} {v:.2f}" for q, v in report["quantiles"].items())
    output.write(f"  offsets        |o| in LR pixels on sample faces: {quantiles}; bound {config.offset_bound:g}")
    shares = " ".join(f"{share:.1%}" for share in report["histogram"])
    output.write(f"                 histogram over [0, {config.offset_bound:g}]: {shares}")
    output.write(f"                 {report['near_bound']:.2%} within 1 % of the bound")


def offsets(checkpoint: Checkpoint) -> dict[str, Any]:
    """The trained offsets on the sample faces, against their bound."""
    import torch

    from edgesr.convert.offsets import report_offsets
    from edgesr.data.samples import sample_faces
    from edgesr.evaluation import degrade
    from edgesr.imaging import to_unit

    config = checkpoint.model.config
    faces = sample_faces(config.hr_size)

    def batch(images: list[Pixels]) -> torch.Tensor:
        return torch.stack([torch.from_numpy(to_unit(image)).permute(2, 0, 1) for image in images])

    with torch.inference_mode():
        features = checkpoint.model.encode(batch([face.exemplar for face in faces]))
    lr = batch([degrade(face.target, config.scale) for face in faces])
    return report_offsets(checkpoint.model, lr, features).to_dict()
