"""What a conversion of a tiny network saves by ``repeated_work.py``, ``fx_graphs.py`` and ``executorch/lowering.py``.

    python benchmarks/conversion.py [--targets onnx coreml executorch] [--rounds 5] [--checkpoint NETWORK]

Each round converts, proves and writes a bundle without and with it, in turn, in one process; a first conversion, which
imports the target's libraries, is not counted. A line a target: medians of CPU seconds with the least and the most, and
the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch.fx.traceback import NodeSource

from edgesr.convert import fx_graphs
from edgesr.convert import target as targets
from edgesr.convert.coreml import conversion as coreml
from edgesr.convert.executorch import conversion as executorch
from edgesr.convert.onnx import conversion as onnx
from edgesr.convert.pipeline import convert, plan
from edgesr.models import save_checkpoint
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME
from edgesr.process import threads

NETWORK = HIMEConfig(
    **{"scale": 4, "lr_size": 8, "slots": 2, "lr_channels": 8, "lr_blocks": 1, "exemplar_channels": 8},
    **{"exemplar_blocks": 1, "offset_channels": 8, "offset_groups": 2, "offset_bound": 2.0},
    **{"reconstruction_blocks": 2, "tail_channels": 4},
)


def network() -> HIME:
    """Random weights, also of the offsets: untrained ones are zero, and float16 cannot be held against that."""
    torch.manual_seed(0)
    model = HIME(NETWORK)
    torch.nn.init.normal_(model.rfa.offset.weight, std=0.1)
    return model.eval().requires_grad_(False)


def nothing() -> None:
    """In the place of a change."""


def lower_as_executorch_does(programs: Mapping[Any, Any], constant_methods: Mapping[str, Any]) -> Any:
    """In the place of ``lower``."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    return to_edge_transform_and_lower(
        dict(programs),
        partitioner={name: [XnnpackPartitioner()] for name in programs},
        constant_methods=dict(constant_methods),
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )


@contextlib.contextmanager
def as_the_libraries_do() -> Iterator[None]:
    """None of the changes is made, and those that last are undone."""
    from torch.onnx._internal.exporter import _registration

    library: Any = _registration.onnxscript_apis  # type: ignore[attr-defined]
    found = library.get_torchlib_ops
    shares = vars(NodeSource).get("__deepcopy__")
    if shares is not None:
        del NodeSource.__deepcopy__  # type: ignore[attr-defined]
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(library, "get_torchlib_ops", getattr(found, "__wrapped__", found)))
        stack.enter_context(mock.patch.object(onnx, "read_torchlib_once", nothing))
        stack.enter_context(mock.patch.object(coreml, "without_validation", contextlib.nullcontext))
        stack.enter_context(mock.patch.object(targets, "seldom_collected", contextlib.nullcontext))
        stack.enter_context(mock.patch.object(fx_graphs, "code_when_asked", contextlib.nullcontext))
        for name in ("traced_when_changed", "computed_once"):
            stack.enter_context(mock.patch.object(executorch, name, contextlib.nullcontext))
        stack.enter_context(mock.patch.object(executorch, "lower", lower_as_executorch_does))
        for module in (onnx, coreml, executorch):
            stack.enter_context(mock.patch.object(module, "share_provenance", nothing))
        yield
    if shares is not None:
        NodeSource.__deepcopy__ = shares  # type: ignore[attr-defined]


def seconds(target: str, checkpoint: str, folder: Path) -> float:
    """CPU seconds of a conversion in this process."""
    gc.collect()
    started = time.process_time()
    convert(plan(target, checkpoint=checkpoint, output=folder))
    return time.process_time() - started


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.1f} s [{min(values):.1f}, {max(values):.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", default=["onnx", "coreml", "executorch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkpoint", help="instead of the tiny network, in the target's own precision")
    arguments = parser.parse_args()
    threads.use(1)
    print(f"load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scales = dict.fromkeys(NETWORK.feature_parts, 0.1)
        save_checkpoint(folder / "tiny", "tiny", network(), training={}, feature_scales=scales)
        checkpoint = arguments.checkpoint or str(folder / "tiny")
        for target in arguments.targets:
            seconds(target, checkpoint, folder / target)
            before, after = [], []
            for i in range(arguments.rounds):
                with as_the_libraries_do():
                    before.append(seconds(target, checkpoint, folder / f"{target}-{i}-before"))
                after.append(seconds(target, checkpoint, folder / f"{target}-{i}-after"))
            ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
            print(f"{target}: {spread(before)} without, {spread(after)} with it: {ratio:.2f} of it", flush=True)


if __name__ == "__main__":
    main()
