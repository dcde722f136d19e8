"""What an int8 network loses against its float one, on the same faces."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from edgesr.data.faces import EvalPair
from edgesr.evaluation.methods import Evaluation, Measure, Methods, Restored, measure_methods, psnr_alone
from edgesr.runtime.base import Runtime

Track = Callable[[Sequence[EvalPair]], Iterator[EvalPair]]


@dataclasses.dataclass(frozen=True)
class Loss:
    """Float minus int8, over faces: positive is lost."""

    psnr: float
    """Mean PSNR of int8 in dB."""
    psnr_float: float
    psnr_loss_mean: float
    psnr_loss_max: float
    """The loss of the worst face."""
    identity_loss: float | None
    """Mean loss of cosine similarity; None where it was not measured."""
    faces: int


def quality_loss(quantized: Evaluation, reference: Evaluation, method: str) -> Loss:
    """Compare two evaluations of the same pairs."""
    pairs = list(zip(reference.psnr[method], quantized.psnr[method], strict=True))
    measured = [(wanted, got) for wanted, got in pairs if not math.isnan(wanted)]
    losses = [wanted - got for wanted, got in measured]
    identity = None
    if "identity" in quantized.scores:
        cosines = zip(reference.scores["identity"][method], quantized.scores["identity"][method], strict=True)
        lost = [wanted - got for wanted, got in cosines if not (math.isnan(wanted) or math.isnan(got))]
        identity = sum(lost) / len(lost) if lost else None
    return Loss(
        psnr=sum(got for _, got in measured) / len(measured),
        psnr_float=sum(wanted for wanted, _ in measured) / len(measured),
        psnr_loss_mean=sum(losses) / len(losses),
        psnr_loss_max=max(losses),
        identity_loss=identity,
        faces=len(measured),
    )


def evaluate_n(
    runtime: Runtime,
    pairs: Sequence[EvalPair],
    *,
    measure: Measure = psnr_alone,
    track: Track = iter,
    degradation: str = "bicubic",
) -> tuple[Evaluation, str]:
    """PSNR with as many exemplars as every pair has, up to the slots, and the name of that method."""
    methods = OneMethod(runtime, pairs, counts=range(runtime.interface.slots + 1), degradation=degradation)
    return measure_methods(methods, pairs, measure=measure, progress=track), methods.names[0]


class OneMethod(Methods):
    """Only the largest number of exemplars: a quantizer's trials need no controls."""

    def __init__(
        self, runtime: Runtime, pairs: Sequence[EvalPair], *, counts: Sequence[int], degradation: str = "bicubic"
    ) -> None:
        super().__init__(runtime, pairs, counts=counts, degradation=degradation)
        self.counts = [self.control]
        self.names = [f"n={self.control}"]
        self.galleries = {}

    def restore(self, pair: EvalPair) -> Restored:
        restored = super().restore(pair)
        restored.images.pop("bicubic")
        return restored
