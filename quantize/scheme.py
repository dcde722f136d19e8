"""A quantized network as data: method, recipe, and the scale of every point. It lies in a checkpoint's config.json."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.errors import CheckpointError
from edgesr.models.description import NAMES, is_name

from .recipe import Recipe, is_policy

QUANT_MIN, QUANT_MAX = -128, 127
WEIGHT_SCHEME = "int8 symmetric per output channel, step = max|w| / 127"


@dataclasses.dataclass(frozen=True)
class QParams:
    """value = scale * (q - zero_point), q in -128..127."""

    scale: float
    zero_point: int = 0

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value that it holds."""
        return self.scale * (QUANT_MIN - self.zero_point), self.scale * (QUANT_MAX - self.zero_point)

    @classmethod
    def covering(cls, low: float, high: float) -> QParams:
        """The affine step whose range covers [low, high] and 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / (QUANT_MAX - QUANT_MIN), 1e-8)
        return cls(scale, min(QUANT_MAX, max(QUANT_MIN, round(QUANT_MIN - low / scale))))


@dataclasses.dataclass(frozen=True)
class Quantization:
    """What makes a float network an int8 one; the same in every lowering and for every target."""

    method: str
    """``qat``, or ``ptq``: calibrated alone."""
    recipe: Recipe
    points: dict[str, QParams]
    """The steps of tensors by name (see ``layers``); features.* are the feature space's."""
    observer: str
    """How the ranges were found: ``mse``, ``percentile`` or ``cubic``."""
    float_sha256: str
    """The SHA-256 of the float network's weights that it was made of."""
    float_name: str = ""
    calibration: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What it was calibrated with: photos, people, the folder's split."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """What a bundle made of it may be called, the usual first; with a recipe of its own it is also ``mixed``."""
        usual = "int8" if self.method == "qat" else "int8-ptq"
        return (usual,) if is_policy(self.recipe) else ("mixed", usual)

    def to_dict(self) -> dict[str, Any]:
        """The quantization as ``config.json`` stores it."""
        return {
            "method": self.method,
            "observer": self.observer,
            "float_name": self.float_name,
            "float_sha256": self.float_sha256,
            "weights": WEIGHT_SCHEME,
            "recipe": self.recipe.to_dict(),
            "calibration": self.calibration,
            "points": {name: [q.scale, q.zero_point] for name, q in self.points.items()},
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Quantization:
        """The inverse of ``to_dict``.

        Raises:
            CheckpointError: a field is missing or damaged, or the weights' scheme is unknown.
        """
        try:
            if fields["weights"] != WEIGHT_SCHEME:
                raise CheckpointError(f"unknown quantization of weights {fields['weights']!r}", "update edgesr")
            points = {name: QParams(float(scale), int(zero)) for name, (scale, zero) in fields["points"].items()}
            if not all(0 < q.scale < float("inf") and QUANT_MIN <= q.zero_point <= QUANT_MAX for q in points.values()):
                raise ValueError("a scale or zero point is out of range")
            float_name = str(fields.get("float_name", ""))
            if float_name and not is_name(float_name):  # bundles are called after it
                raise ValueError(f"float_name is {float_name!r:.60}; a name is {NAMES}")
            return cls(
                method=str(fields["method"]),
                recipe=Recipe.from_dict(fields["recipe"]),
                points=points,
                observer=str(fields["observer"]),
                float_sha256=str(fields["float_sha256"]),
                float_name=float_name,
                calibration=dict(fields.get("calibration", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"the checkpoint's quantization is damaged: {error!r}", "take it anew") from error


@dataclasses.dataclass(frozen=True)
class LayerSensitivity:
    """What quantizing one layer, or one block of layers, does to the restored faces."""

    graph: str
    """``encode`` or ``restore``."""
    layer: str
    """Name of the layer, as recipes have it; of a block, what its layers' names begin with."""
    kind: str
    """``conv``, ``add`` or ``block``."""
    macs: int
    """Multiply-accumulates of one run of its graph."""
    only_loss_db: float
    """Mean PSNR lost where it alone is int8."""
    spared_gain_db: float
    """Mean PSNR gained where everything but it is int8, over everything in int8."""
    sqnr_db: float
    """Its float output over the noise that its own rounding of weights and output adds; nan for a block."""
    weight_range: tuple[float, float] | None = None
    """Smallest and largest weight; None where it has none."""
    activation_range: tuple[float, float] | None = None
    """Smallest and largest value of its output on these faces, in float; None where nobody looked."""
