"""Is the int8 restorer on ExecuTorch 2.6x as fast as the fp32 one, and 3x as fast as ONNX Runtime in fp32?

Converts the shipped network three times with the same lowering (LR 32, x4, 3 slots) and runs all of them in this
process, one thread, in turns whose order is reversed every round. What counts is the process's CPU time, so that other
work on the machine disturbs less than it would on the clock; ratios are taken round by round. Both graphs have to fit
in 1.2 MB. Exit code 1 where one of the three does not hold.

    python benchmarks/int8_restorer.py [--rounds 40] [--checkpoint hime-small-x4] [--bundles FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from edgesr.bundle import MANIFEST, Bundle, open_bundle
from edgesr.convert.parity import real_cases
from edgesr.convert.pipeline import DEFAULT_CHECKPOINT, convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.errors import EdgesrError
from edgesr.runtime.base import GraphRuntime, Runtime, fill_slots

NETWORKS = {
    "ExecuTorch int8": ("executorch", "int8"),
    "ExecuTorch fp32": ("executorch", "fp32"),
    "ONNX Runtime fp32": ("onnx", "fp32"),
}
INT8, LIMITS = "ExecuTorch int8", {"ExecuTorch fp32": 2.6, "ONNX Runtime fp32": 3.0}
"""How many times as long as int8 the others have to take."""
LARGEST = 1.2e6
LOWERING, SLOTS = TARGETS["executorch"].lowerings[0], 3
BURST = 3
"""Runs in one turn, after an untimed one."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--bundles", type=Path, help="keep the bundles there, and take those that are there already")
    arguments = parser.parse_args()
    # ExecuTorch's Python runtime wakes torch's other threads, which would wait, spinning, on this process's clock.
    torch.set_num_threads(1)
    with contextlib.ExitStack() as stack:
        folder = arguments.bundles or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bundles = {
            name: bundle(*which, LOWERING, SLOTS, arguments.checkpoint, folder) for name, which in NETWORKS.items()
        }
        restorers = {name: restorer(found, found.runtime(1)) for name, found in bundles.items()}
        taken = in_turns(restorers, arguments.rounds)
    ok = show(taken)
    size = bundles[INT8].manifest["size_bytes"]
    print(f"{INT8}: {size / 1e6:.3f} MB ({LARGEST / 1e6:g} MB are allowed)")
    return 0 if ok and size <= LARGEST else 1


def bundle(target: str, precision: str, lowering: str, slots: int, checkpoint: str, folder: Path) -> Bundle:
    """A verified bundle below ``folder``, made once."""
    output = folder / f"{target}-{precision}-{lowering}-{slots}"
    if not (output / MANIFEST).is_file():
        print(f"converting to {target} {precision}", file=sys.stderr)
        form = {"precision": precision, "lowering": lowering, "slots": slots}
        convert(plan(target, checkpoint=checkpoint, output=output, **form))  # type: ignore[arg-type]
    return open_bundle(output)


def restorer(bundle: Bundle, runtime: Runtime) -> Callable[[], object]:
    """Runs the bundle's restorer on a real face with every slot filled; inputs are in its own layout."""
    assert isinstance(runtime, GraphRuntime)
    case = real_cases(bundle.interface)[1]
    features, valid = fill_slots([runtime.encode(photo) for photo in case.exemplars], bundle.interface)
    arrays = {"lr": case.lr, "features": features, "valid": valid}
    inputs = [spec.from_canonical(arrays[spec.name]) for spec in runtime.specs["restore"]["inputs"]]
    return lambda: runtime.run("restore", inputs)


def in_turns(restorers: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of a run, one figure a round."""
    taken: dict[str, list[float]] = {name: [] for name in restorers}
    for i in range(rounds):
        turns = list(restorers.items())
        for name, run in turns if i % 2 == 0 else turns[::-1]:
            run()
            started = time.process_time()
            for _ in range(BURST):
                run()
            taken[name].append((time.process_time() - started) / BURST * 1e3)
    return taken


def show(taken: dict[str, list[float]]) -> bool:
    """Print milliseconds and ratios; whether every ratio reaches its limit."""
    ok = True
    for name, milliseconds in taken.items():
        p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
        line = f"{name:18} least {min(milliseconds):6.2f}  median {median:6.2f} ms [{p10:.2f}, {p90:.2f}]"
        if name in LIMITS:
            r10, ratio, r90 = np.percentile(np.divide(milliseconds, taken[INT8]), [10, 50, 90])
            ok = ok and bool(ratio >= LIMITS[name])
            line += f"   {ratio:.2f} [{r10:.2f}, {r90:.2f}] times as long as int8 ({LIMITS[name]} is asked)"
        print(line)
    return ok


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
