"""The int8 checkpoint: float weights, their quantization in config.json, and a card."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from edgesr.models.checkpoint import Checkpoint, save_checkpoint
from edgesr.models.network import Network

from .scheme import Quantization

LICENCE = """**Licence: research use.** The code is Apache-2.0; the weights inherit the terms of the photos that the
float network was trained on (see its card)."""


def save_quantized(
    folder: Path,
    name: str,
    model: Network,
    quantization: Quantization,
    source: Checkpoint,
    *,
    training: dict[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write ``model`` with its quantization; feature space and steps are those of the float network ``source``.

    Raises:
        UsageError: ``folder`` holds something that is no checkpoint. InputOutputError: it cannot be written.
    """
    save_checkpoint(
        folder,
        name,
        model,
        training=training if training is not None else source.training,
        feature_scales=source.feature_scales,
        feature_space=source.feature_space,
        quantization=quantization.to_dict(),
        card=card,
    )


def model_card(name: str, quantization: Quantization, command: str, rows: list[dict[str, Any]], how: str) -> str:
    """README.md of the checkpoint: what it is, of what, how, and its figures."""
    q = quantization
    kept = "\n".join(f"- `{rule.layers}`: {rule.precision}. {rule.why}" for rule in q.recipe.rules)
    figures = "\n".join(
        f"| {row['split']} | {row['precision']} | {row['psnr']:.2f} | {row['psnr_loss_mean']:+.3f} "
        f"| {row['psnr_loss_max']:+.3f} | {_signed(row['identity_loss'])} | {row['images']} |"
        for row in rows
    )
    return f"""# {name}

The int8 network of `{q.float_name}` (weights with SHA-256 `{q.float_sha256[:16]}...`): the same layers, weights for
int8, and the scale of every activation, so that each target computes with the same integers. Its feature space is the
float network's: galleries travel between the two.

{LICENCE}

## How it was made

{how}

```
{command}
```

Date: {datetime.date.today().isoformat()}.

Weights: int8, symmetric per output channel; activations: int8, affine per tensor, ranges by {q.observer}; stored
features have the feature space's fixed steps. Recipe `{q.recipe.name}`, everything in int8 but:

{kept or "- nothing"}

## Figures

PSNR on RGB, no border crop, 8-bit images, with as many exemplars as every face has, up to the slots, in PyTorch with
simulated int8; losses are float minus int8 on the same faces. Settings were chosen on `val`.

| split | precision | PSNR dB | lost, mean | lost, worst face | identity lost | images |
|---|---|---|---|---|---|---|
{figures}

What the converted artifacts measure is in their report.
"""


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"
