"""The precisions a network is converted in: what each is made of, and what the gate asks of it. One record each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

Precision = Literal["fp32", "fp16", "int8", "int8-ptq", "mixed", "int8-weights"]


@dataclasses.dataclass(frozen=True)
class PrecisionRecord:
    """A precision, by the name that commands, manifests and reports give it."""

    name: Precision
    quantized: bool = False
    """Made of quantized graphs, and compared with them."""
    calibrated: bool = False
    """Scales measured on faces are enough; where not, a quantized one is of a network trained for it."""
    stored: str = ""
    """What the convolutions' weights are stored in, where the graphs are float ones."""
    all_stored: bool = True
    """Every convolution's weights are; else some may stay wider."""
    twin: bool = False
    """Judged beside an fp32 twin: a layer that is wrong can stay below the rounding."""
    psnr_db: Mapping[str, float] | None = None
    """Least PSNR in dB by output (sr, weights, features) against what it was made of; None: by the largest error.

    SR images and weights have a peak of 1, features their largest value.
    """
    shown: int = 0
    """How a report ranks a target's precisions: it looks closer at the one with the highest."""


_INT8_DB = {"sr": 50.0, "features": 40.0, "weights": 35.0}
"""Against the quantized graphs in PyTorch. A runtime that sums in another order rounds one value in a thousand to the
next step, and what follows makes more of it: PyTorch's own float64 differs from its float32 by 55 dB in sr and 51 in
weights, Core ML's float16 by 51, 45 in features and 40 in weights. So steps are compared as well (``int8``)."""
_NPU_INT8_DB = {"sr": 50.0, "features": 40.0, "weights": 33.0}
NPU_DB = {
    "fp16": {"sr": 55.0, "features": 55.0, "weights": 40.0},
    "int8": _NPU_INT8_DB,
    "int8-ptq": _NPU_INT8_DB,
    "mixed": _NPU_INT8_DB,
}
"""Of Snapdragon's NPU, whose floats are float16 throughout and whose compiler fuses convolutions with what follows.

fp16: on real faces 60.5 in sr, 76.6 in features and 44.1 in weights; with each convolution's result made an output, so
that nothing is fused, 70.5 and 60.5, as PyTorch's own float16 (71 and 66). CoFA answers an error of the similarity by
w (1 - w), which is 0.12 (rms): 40 dB of weights are 0.08 of a similarity that reaches 19, five steps of float16 there.
An fp32 twin holds the graph that was compiled to 1e-4 beside it. int8: weights have Core ML's 40 dB, for float16 puts
more values to the next step, and what fp16 has; two independent errors come to 38.6, and where w (1 - w) is at its peak
of 0.25 instead of 0.12 an error counts twice (6 dB).
Steps, weights and biases are compared one by one as everywhere (``int8``)."""
_INT8_WEIGHTS_DB = {"sr": 40.0, "features": 35.0, "weights": 25.0}
"""Against fp32, of a network whose weights alone are rounded and that was not trained for it."""

PRECISIONS: dict[str, PrecisionRecord] = {
    record.name: record
    for record in (
        PrecisionRecord("fp32", stored="float32", shown=1),
        PrecisionRecord(
            "fp16", stored="float16", twin=True, psnr_db=dict.fromkeys(("sr", "features", "weights"), 55.0), shown=2
        ),
        PrecisionRecord("int8-ptq", quantized=True, calibrated=True, psnr_db=_INT8_DB, shown=4),
        PrecisionRecord("int8", quantized=True, psnr_db=_INT8_DB, shown=6),
        PrecisionRecord("mixed", quantized=True, calibrated=True, psnr_db=_INT8_DB, shown=5),
        PrecisionRecord("int8-weights", stored="int8", all_stored=False, twin=True, psnr_db=_INT8_WEIGHTS_DB, shown=3),
    )
}
"""The precisions by name, in the order of a report's rows."""

QUANTIZED = tuple(record.name for record in PRECISIONS.values() if record.quantized)
"""Precisions made of quantized graphs; int8-weights is made of float ones, whose weights alone are rounded."""


def rank(name: str) -> int:
    """Place of a precision in a report, unknown ones last."""
    return list(PRECISIONS).index(name) if name in PRECISIONS else len(PRECISIONS)


def in_float(name: str) -> bool:
    """Whether a precision stores its convolutions' weights as floats."""
    return name in PRECISIONS and PRECISIONS[name].stored.startswith("float")


def by_interest(names: Iterable[str]) -> list[str]:
    """Sort precisions: those that a report looks closer at first, unknown ones last."""
    return sorted(names, key=lambda name: -PRECISIONS[name].shown if name in PRECISIONS else 1)
