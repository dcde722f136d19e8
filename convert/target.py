"""What a conversion target is: a record, beside the file or the package that converts to it."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.errors import UsageError
from edgesr.quantize.recipe import Rule
from edgesr.residency import Residencies
from edgesr.runtime.engines import ENGINES, Engine

from .precision import QUANTIZED, Precision
from .repeated_work import seldom_collected

if TYPE_CHECKING:
    from edgesr.deployment.graphs import Graphs

    from .int8 import Convolutions
    from .parity import Check

Report = Callable[[str], None]
"""Called with the name of each stage of a conversion as it begins."""


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
    residency: Residencies = dataclasses.field(default_factory=dict)
    """Per graph, what each backend takes of it; ``read_back`` gives the same."""
    checks: tuple[Check, ...] = ()
    """Comparisons that the converter made itself (a second runtime, say); they count in the gate."""
    further: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Keys of the manifest that this target alone has."""


@dataclasses.dataclass(frozen=True)
class ReadBack:
    """What an artifact's own file says of itself, whoever wrote it."""

    convolutions: dict[str, Convolutions]
    """The convolutions as ``Conversion`` has them."""
    arithmetic: dict[str, str]
    computes_in: str
    metadata: dict[str, str] | None = None
    """What is embedded in the model file, numbers as text; None where that is not read."""
    residency: Residencies = dataclasses.field(default_factory=dict)
    """As ``Conversion`` has it."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A format that edgesr converts to. Adding one is adding a package with its record, and a line in ``targets``."""

    name: str
    title: str
    """The name that reports use."""
    module: str
    """Module with ``convert(graphs, precision, folder, report) -> Conversion`` and ``read_back(folder, files,
    precision) -> ReadBack``; and where there is more to do, with ``missing`` (of this machine), ``complete`` (a bundle
    around a proven artifact), ``verify_further`` (what such a bundle holds beside) and, where its engine claims an
    ``accelerator``, ``on_cpu(folder, files, interface, tensors) -> Runtime``, what computes the artifact without; for
    a report's graph ``graph_nodes(folder, files)`` and ``node_milliseconds(folder, files, inputs)``."""
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
    completing_stages: int = 0
    """How many ``complete`` reports beside those of a float form."""
    float_form: bool = False
    """Whether its bundles hold a quantized network's float form as well, converted and proven like it."""
    roles: tuple[str, ...] = ("model",)
    """The roles of its files, as a manifest names them."""
    evaluator: Engine | None = None
    """What runs or evaluates its artifacts on hosts that cannot execute them; None where every host can."""
    evaluator_title: str = ""
    """The engine's name in reports, where it is not its own."""
    remedies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What supplies those of its needs that its extra does not: name as in ``missing`` to the command."""
    in_float: tuple[Rule, ...] = ()
    """Layers that stay in float here whatever the recipe says; what reads them in int8 keeps their scale."""
    executor: Engine | None = None
    """What executes its artifacts, of a target that is none of this package's (theirs are ``ENGINES``)."""
    otherwise: str = "its saved program was evaluated op by op instead"
    """What is done with its artifacts on other hosts."""
    chips: tuple[str, ...] = ()
    """The chips that its artifacts are compiled for, of ``known_chips``; of a record those that nobody has to name."""
    known_chips: tuple[str, ...] = ()
    """The chips that it has a compiler for; none where one file runs on all."""
    chip_stages: int = 0
    """How many stages it reports for each chip but the first."""
    psnr_db: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    """By precision and output, the least PSNR where its arithmetic promises another than the precision's own."""
    fp32_form: str = ""
    """The target that makes its fp32 twins, where it computes nothing in fp32 itself."""

    @property
    def label(self) -> str:
        """Its name as a bundle's has it, with its chips."""
        return "-".join([self.name, *self.chips])

    def for_chips(self, wanted: Sequence[str]) -> Target:
        """The same for these chips, in the order of ``known_chips``; as it is where none is named.

        Raises:
            UsageError: a chip is not known, or one file runs on all.
        """
        if not wanted:
            return self
        if not self.known_chips:
            raise UsageError(f"{self.name} is compiled for no chip: its files run on all", "leave --soc out")
        if unknown := [chip for chip in wanted if chip not in self.known_chips]:
            raise UsageError(f"unknown chip {unknown[0]!r}", f"{self.name} compiles for: {', '.join(self.known_chips)}")
        return dataclasses.replace(self, chips=tuple(chip for chip in self.known_chips if chip in wanted))

    def missing(self) -> list[str]:
        """What keeps this target from converting here, as names of modules or environments."""
        absent = [name for name in ("torch", *self.requires) if not _importable(name)]
        check = getattr(importlib.import_module(self.module), "missing", None) if not absent else None
        return absent + (check() if check else [])

    @property
    def remedy(self) -> str:
        """The command that supplies what is missing."""
        missing = self.missing()
        named = [self.remedies[name] for name in missing if name in self.remedies]
        return "; ".join(named) if len(named) == len(missing) > 0 else f"pip install 'edgesr[{self.extra}]'"

    @property
    def executes_here(self) -> bool:
        """Whether this machine can execute the artifact (otherwise it can only be evaluated)."""
        if self.executes_on == "chromium":
            from edgesr.booth.chromium import find_chromium

            return find_chromium() is not None
        return self.executes_on == "any" or sys.platform == self.executes_on

    @property
    def in_float_alone(self) -> Precision:
        """The precision of a network without an int8 form: the first that is none of quantized graphs."""
        return next(name for name in self.precisions if name not in QUANTIZED)

    def convert(self, graphs: Graphs, precision: Precision, folder: Path, report: Report) -> Conversion:
        """Write the artifact's files into ``folder``."""
        from .fx_graphs import code_when_asked  # needs PyTorch, which targets are listed without

        chosen = {"chips": self.chips} if self.chips else {}
        module = importlib.import_module(self.module)
        with seldom_collected(), code_when_asked():
            conversion: Conversion = module.convert(graphs, precision, folder, report, **chosen)
        return conversion

    def read_back(self, folder: Path, files: Mapping[str, str], precision: Precision) -> ReadBack:
        """What the artifact in ``folder`` holds. A damaged file raises whatever its library raises."""
        found: ReadBack = importlib.import_module(self.module).read_back(folder, files, precision)
        return found

    @property
    def engine(self) -> Engine:
        """What executes its artifacts."""
        return ENGINES[self.name]

    def further(self, name: str) -> Any:
        """A function that only some targets have (``complete``, ``verify_further``); None of the others."""
        return getattr(importlib.import_module(self.module), name, None)


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
