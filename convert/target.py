"""What a conversion target is: a record, and a function in a file of its own."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgesr.booth.site import BUILD
from edgesr.errors import UsageError
from edgesr.models.description import find_checkpoint, read_description
from edgesr.quantize.recipe import Rule
from edgesr.quantize.scheme import Quantization

if TYPE_CHECKING:
    from edgesr.deployment.graphs import Graphs

    from .int8 import Convolutions
    from .parity import Check
    from .pipeline import Proven

Precision = Literal["fp32", "fp16", "int8", "int8-ptq", "mixed", "int8-weights"]
QUANTIZED: tuple[Precision, ...] = ("int8", "int8-ptq", "mixed")
"""Precisions made of quantized graphs; int8-weights is made of float ones, whose weights alone are rounded."""
Report = Callable[[str], None]
"""Called with the name of each stage of a conversion as it begins."""


TFLITE_ENVIRONMENT = "tflite environment"
"""As ``Target.missing`` names the environment of ``edgesr setup tflite``."""
WEB_PAGE = "the booth's built page"
"""As ``Target.missing`` names what a web bundle is made of beside its networks."""
REMEDIES = {
    TFLITE_ENVIRONMENT: "edgesr setup tflite",
    WEB_PAGE: f"{BUILD} (in a checkout; the wheel of a release holds the page)",
}
"""What supplies those things; anything else comes with the target's extra."""


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What a target's converter wrote into the folder it was given."""

    files: dict[str, str]
    """Role to file name relative to the folder: ``{"model": "model.pte"}`` or ``{"encode": ..., "restore": ...}``."""
    tensors: dict[str, dict[str, list[dict[str, Any]]]]
    """Per graph, ``inputs`` and ``outputs``: name (ours), file_name (the artifact's), shape, layout, dtype."""
    arithmetic: dict[str, str]
    """Part of the network to the precision it is computed in."""
    computes_in: str
    """The precision that the network's convolutions are really computed in, whatever they are stored in."""
    delegation: dict[str, Any] | None = None
    """ExecuTorch: fraction of operators delegated and what is left, a graph each."""
    operators: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Per graph, operators that the runtime sees (inside a delegate it sees none), with count or versions."""
    toolchain: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What else made it or ran it: versions, the oldest runtime that takes it."""
    convolutions: dict[str, Convolutions] = dataclasses.field(default_factory=dict)
    """Per graph, those in int8 and in float, as read back from the artifact."""
    checks: tuple[Check, ...] = ()
    """Comparisons that the converter made itself (a second runtime, say); they count in the gate."""


@dataclasses.dataclass(frozen=True)
class ReadBack:
    """What an artifact's own file says of itself, whoever wrote it."""

    convolutions: dict[str, Convolutions]
    """As ``Conversion`` has them."""
    arithmetic: dict[str, str]
    computes_in: str
    metadata: dict[str, str] | None = None
    """What is embedded in the model file, numbers as text; None where that is not read."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A format that edgesr converts to. Adding one is adding a record here and a file beside it."""

    name: str
    module: str
    """Module of this package with ``convert(graphs, precision, folder, report) -> Conversion``."""
    precisions: tuple[Precision, ...]
    default_precision: Precision
    """int8 means: of a float network that ships with an int8 one; of others it is fp32, which is said."""
    lowerings: tuple[str, ...]
    """Lowerings of the deformable convolution that work here, the best first."""
    skip: str
    """Form of the bicubic skip: ``matmul`` or ``conv``."""
    extra: str
    """Extra of the package that installs what it needs: ``pip install 'edgesr[EXTRA]'``."""
    requires: tuple[str, ...]
    """Modules that must be importable to convert."""
    executes_on: str
    """``any`` host, ``darwin`` only, or where there is ``chromium``."""
    stages: int
    """How many stages its converter reports."""
    in_float: tuple[Rule, ...] = ()
    """Layers that stay in float here whatever the recipe says; what reads them in int8 keeps their scale."""
    otherwise: str = "its saved program was evaluated op by op instead"
    """What is done with its artifacts on other hosts."""

    def missing(self) -> list[str]:
        """What keeps this target from converting here, as names of modules or environments."""
        absent = [name for name in self.requires if not _importable(name)]
        check = getattr(importlib.import_module(self.module), "missing", None) if not absent else None
        return absent + (check() if check else [])

    @property
    def remedy(self) -> str:
        """The command that supplies what is missing."""
        missing = self.missing()
        named = [REMEDIES[name] for name in missing if name in REMEDIES]
        return "; ".join(named) if len(named) == len(missing) > 0 else f"pip install 'edgesr[{self.extra}]'"

    @property
    def executes_here(self) -> bool:
        """Whether this machine can execute the artifact (otherwise it can only be evaluated)."""
        if self.executes_on == "chromium":
            from edgesr.booth.chromium import find_chromium

            return find_chromium() is not None
        return self.executes_on == "any" or sys.platform == self.executes_on

    def convert(self, graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
        """Write the artifact's files into ``folder``."""
        conversion: Conversion = importlib.import_module(self.module).convert(graphs, precision, folder, report)
        return conversion

    def read_back(self, folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
        """What the artifact in ``folder`` holds. A damaged file raises whatever its library raises."""
        found: ReadBack = importlib.import_module(self.module).read_back(folder, files, precision)
        return found

    def complete(self, proven: Proven, folder: Path, report: Report) -> dict[str, Any]:
        """Add what a target's bundle holds beside a proven artifact; further keys of its manifest."""
        completing = getattr(importlib.import_module(self.module), "complete", None)
        further: dict[str, Any] = completing(proven, folder, report) if completing else {}
        return further


TARGETS = {
    target.name: target
    for target in (
        Target(
            name="executorch",
            module="edgesr.convert.executorch.conversion",
            stages=5,
            precisions=("fp32", "int8", "int8-ptq", "mixed"),
            default_precision="int8",
            lowerings=("rows", "tent", "grid_sample"),
            skip="matmul",
            extra="executorch",
            requires=("executorch",),
            executes_on="any",
        ),
        Target(
            name="coreml",
            module="edgesr.convert.coreml.conversion",
            stages=3,
            precisions=("fp16", "fp32", "int8", "int8-ptq", "mixed", "int8-weights"),
            default_precision="fp16",
            in_float=(
                # A value that float16 rounds to the next int8 step moves a sample by 0.04 pixels: 49.9 dB of parity.
                Rule("restore.alignment.offset_*", "float", "float16 resolves offsets finer than int8 steps do"),
                # A trunk rounded to int8 after every block makes of a last bit that float16 rounds otherwise all the
                # noise that quantization has: 48.1 dB of parity where 50 is asked, 52.2 with a float16 trunk.
                Rule("restore.*.add", "float", "a float16 trunk is rounded where convolutions read it alone"),
                Rule("restore.fusion", "float", "where the trunk starts"),
            ),
            lowerings=("grid_sample", "rows", "tent"),
            skip="matmul",
            extra="coreml",
            requires=("coremltools",),
            executes_on="darwin",
        ),
        Target(
            name="tflite",
            module="edgesr.convert.tflite",
            stages=7,
            precisions=("fp32", "fp16", "int8", "int8-ptq", "mixed"),
            default_precision="int8",
            lowerings=("rows", "tent", "grid_sample"),
            skip="matmul",
            extra="tflite",
            requires=("onnx", "onnxscript", "ai_edge_litert"),
            executes_on="any",
        ),
        Target(
            name="onnx",
            module="edgesr.convert.onnx.conversion",
            stages=2,
            precisions=("fp32", "fp16", "int8", "int8-ptq", "mixed"),
            default_precision="int8",
            lowerings=("rows", "grid_sample", "tent"),
            skip="matmul",
            extra="onnx",
            requires=("onnx", "onnxscript", "onnxruntime"),
            executes_on="any",
        ),
        Target(
            name="web",
            module="edgesr.convert.web.conversion",
            stages=2,
            precisions=("int8", "fp32", "int8-ptq", "mixed"),
            default_precision="int8",
            lowerings=("rows", "grid_sample", "tent"),
            skip="matmul",
            extra="web",
            requires=("onnx", "onnxscript", "onnxruntime"),
            executes_on="chromium",
            otherwise="its ONNX graphs were run by onnxruntime instead",
        ),
    )
}


def target_named(name: str) -> Target:
    """The target's record; an unknown name lists the known ones."""
    if name not in TARGETS:
        raise UsageError(f"unknown target {name!r}", f"known targets: {', '.join(TARGETS)}")
    return TARGETS[name]


def choose(
    target: str, precision: str | None, lowering: str | None, made_for: Sequence[str] = ()
) -> tuple[Target, Precision, str]:
    """The target's record, with its defaults for what is None.

    ``made_for``: the precisions that an int8 checkpoint was made for, of which the first that the target has goes
    before the target's default.

    Raises:
        UsageError: an unknown target, precision or lowering.
    """
    record = target_named(target)
    own = next((one for one in made_for if one in record.precisions), None)
    chosen = precision or own or record.default_precision
    if chosen not in record.precisions:
        raise UsageError(
            f"{target} has no precision {chosen!r}", f"{target} converts to: {', '.join(record.precisions)}"
        )
    lowering = lowering or record.lowerings[0]
    if lowering not in record.lowerings:
        raise UsageError(f"{target} has no lowering {lowering!r}", f"{target} takes: {', '.join(record.lowerings)}")
    return record, chosen, lowering


def precisions_of(checkpoint: str | Path) -> tuple[str, ...]:
    """The precisions that an int8 checkpoint was made for, the usual first; none of a float one.

    Raises:
        CheckpointError: the checkpoint is missing, or its description is damaged.
    """
    stored = read_description(find_checkpoint(checkpoint)).quantization
    return () if stored is None else Quantization.from_dict(stored).precisions


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
