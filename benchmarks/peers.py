"""Who is faster, and who restores better? The shipped network beside other engines, and beside other upscalers.

    python benchmarks/peers.py engines [--rounds 40] [--bundles FOLDER]
    python benchmarks/peers.py upscalers [--faces ../shared/faces] [--split test] [--limit 40] [--node-modules FOLDER]

**engines**: the restorer (LR 32, x4, 3 slots, one thread) on ExecuTorch, LiteRT and ONNX Runtime, and on OpenVINO, MNN
and ncnn by ``peer_runtimes``, in fp32 and in int8 where an engine has it, in every lowering that it takes. Each is
first compared with PyTorch by the gate of its precision; who fails is not timed, and said so. Then all take turns in
this process. What counts is the process's CPU time, and ratios are taken round by round to ExecuTorch's int8.

**upscalers**: what else a user would take (``peer_upscalers``), on the same faces with the same degradation: PSNR,
distance to the original and verification rate by dlib, CPU milliseconds of a face, megabytes of the network.

Exit code 1 where ExecuTorch's int8 restorer is not 1.8 times as fast as the fastest int8 of the other engines, which
is promised of processors with int8 dot products (VNNI) alone. Takes the extra ``bench``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from int8_restorer import bundle, in_turns, restorer
from peer_runtimes import MNN, MNNWeights, Ncnn, OpenVINO, opened
from peer_upscalers import upscalers

from edgesr.bundle import Bundle
from edgesr.convert.parity import measure_golden
from edgesr.convert.pipeline import DEFAULT_CHECKPOINT
from edgesr.convert.targets import TARGETS
from edgesr.errors import EdgesrError
from edgesr.runtime.base import GraphRuntime

BASELINE, LIMIT = "ExecuTorch int8", 1.8
OWN = {"ExecuTorch": "executorch", "LiteRT": "tflite", "ONNX Runtime": "onnx"}
PEERS: dict[str, type[GraphRuntime]] = {
    "OpenVINO": OpenVINO,
    "MNN": MNN,
    "MNN (int8 weights)": MNNWeights,
    "ncnn": Ncnn,
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One engine with one form of the network."""

    engine: str
    precision: str
    lowering: str
    slots: int = 3

    @property
    def name(self) -> str:
        """As the table has it."""
        slots = "" if self.slots == 3 else f", {self.slots} slot"
        lowering = f" ({self.lowering}{slots})" if self.engine not in ("ExecuTorch", "LiteRT") else ""
        return f"{self.engine} {self.precision}{lowering}"


def entries() -> Iterator[Entry]:
    """All that are tried: edgesr's own mobile targets as they ship, the others in both lowerings without loss."""
    for precision in ("int8", "fp32"):
        yield Entry("ExecuTorch", precision, TARGETS["executorch"].lowerings[0])
        yield Entry("LiteRT", precision, TARGETS["tflite"].lowerings[0])
        for engine in ("ONNX Runtime", "OpenVINO", "MNN"):
            for lowering in ("rows", "grid_sample"):
                yield Entry(engine, precision, lowering)
    yield Entry("MNN (int8 weights)", "fp32", "grid_sample")
    # ncnn takes one slot: beside somebody who takes one too.
    for lowering in ("grid_sample", "tent"):
        yield Entry("ncnn", "fp32", lowering, slots=1)
    yield Entry("ONNX Runtime", "fp32", "rows", slots=1)


def engines(rounds: int, folder: Path, checkpoint: str) -> bool:
    """Print the table; whether the promise holds."""
    runs: dict[str, Callable[[], object]] = {}
    for entry in entries():
        sys.stderr.write(f"peers: {entry.name}\n")
        try:
            made = made_for(entry, checkpoint, folder)
            runtime = opened(PEERS[entry.engine], made) if entry.engine in PEERS else made.runtime(1)
            precision = "int8" if entry.engine == "MNN (int8 weights)" else entry.precision
            parity = measure_golden(runtime, made.golden(), precision)
        except ImportError as error:
            raise EdgesrError(f"{error.name} is not installed", "pip install 'edgesr[bench]'") from error
        except Exception as error:  # an engine's own, of any kind
            print(f"{entry.name:36} left out: {' '.join(str(error).split())[:110]}")
            continue
        if failed := [check for check in parity.checks if not check.ok]:
            print(f"{entry.name:36} left out: not what PyTorch computes ({failed[0].name} {failed[0].value:.3g})")
            continue
        runs[entry.name] = restorer(made, runtime)
    if BASELINE not in runs:
        raise EdgesrError(f"{BASELINE} was left out, and the others are measured by it", "see why above")
    return show(in_turns(runs, rounds))


def made_for(entry: Entry, checkpoint: str, folder: Path) -> Bundle:
    """The bundle that an entry runs."""
    target = OWN.get(entry.engine, "onnx")
    return bundle(target, entry.precision, entry.lowering, entry.slots, checkpoint, folder)


def show(taken: dict[str, list[float]]) -> bool:
    """Print milliseconds and ratios to the baseline; whether every other engine's int8 takes long enough."""
    ok, can = True, torch.cpu.get_capabilities()
    vnni = "with" if can.get("avx512_vnni") or can.get("avx_vnni") else "without"
    print(f"{can.get('cpu_name', can['architecture'])} {vnni} VNNI; in brackets 10th and 90th percentile of the rounds")
    for name, milliseconds in taken.items():
        p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
        r10, ratio, r90 = np.percentile(np.divide(milliseconds, taken[BASELINE]), [10, 50, 90])
        print(f"{name:36} {median:7.2f} ms [{p10:.2f}, {p90:.2f}]   {ratio:5.2f} [{r10:.2f}, {r90:.2f}]")
        ours = name.startswith(("ExecuTorch", "LiteRT"))
        ok = ok and (ours or "int8" not in name or bool(ratio >= LIMIT))
    print("ok" if ok else "TOO SLOW", f": {BASELINE} is asked to be {LIMIT} times as fast as every other engine's int8")
    return ok


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    timed = parts.add_parser("engines")
    timed.add_argument("--rounds", type=int, default=40)
    judged = parts.add_parser("upscalers")
    judged.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    judged.add_argument("--split", default="test")
    judged.add_argument("--limit", type=int, help="judge so many faces, spread over people")
    judged.add_argument("--node-modules", type=Path, default=Path(), help="folder that UpscalerJS is installed in")
    for part in (timed, judged):
        part.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
        part.add_argument("--bundles", type=Path, help="keep the bundles there, and take those that are there already")
    given = parser.parse_args()
    # ExecuTorch's Python runtime wakes torch's other threads, which would wait, spinning, on this process's clock.
    torch.set_num_threads(1)
    with contextlib.ExitStack() as stack:
        folder = given.bundles or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if given.part == "engines":
            return 0 if engines(given.rounds, folder, given.checkpoint) else 1
        shipped = next(entry for entry in entries() if entry.name == BASELINE)
        upscalers(
            made_for(shipped, given.checkpoint, folder), given.faces, given.split, given.limit, given.node_modules
        )
        return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
