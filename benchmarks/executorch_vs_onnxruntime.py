"""Is the fp32 restorer on ExecuTorch at most 1.1x as slow as on ONNX Runtime? (LR 32, x4, 3 slots, one thread)

Converts the checkpoint to both with the same lowering, and to each with its best one, and measures every pair in
one run, in turns. Exit code 1 where the same graph (ExecuTorch's own lowering on both) takes more than 1.1x.

    python benchmarks/executorch_vs_onnxruntime.py [--runs 90] [--threads 1] [--checkpoint hime-small-x4]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from edgesr.benchmarking.benchmark import BenchRow, bench_bundles
from edgesr.convert.pipeline import DEFAULT_CHECKPOINT, convert, plan
from edgesr.convert.targets import TARGETS
from edgesr.errors import EdgesrError

LR_SIZE, SLOTS, LIMIT = 32, 3, 1.1
ET_BEST, ORT_BEST = (TARGETS[target].lowerings[0] for target in ("executorch", "onnx"))
PAIRS = list(dict.fromkeys([(ET_BEST, ET_BEST), (ORT_BEST, ORT_BEST), (ET_BEST, ORT_BEST)]))
"""Lowering on ExecuTorch and on ONNX Runtime; the first pair, the same graph, is the one that is promised."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=90)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundles: dict[tuple[str, str], Path] = {}
        ratios = []
        for on_executorch, on_onnxruntime in PAIRS:
            pair = [("onnx", on_onnxruntime), ("executorch", on_executorch)]
            for target, lowering in pair:
                if (target, lowering) not in bundles:
                    bundles[target, lowering] = bundle(target, lowering, arguments.checkpoint, Path(folder))
            rows = bench_bundles([bundles[which] for which in pair], arguments.runs, arguments.threads)
            ratios.append(show(rows))
    ok = ratios[0] <= LIMIT
    print(f"{'ok' if ok else 'TOO SLOW'}: ExecuTorch takes {ratios[0]:.2f}x ONNX Runtime ({LIMIT}x is allowed)")
    return 0 if ok else 1


def bundle(target: str, lowering: str, checkpoint: str, folder: Path) -> Path:
    """A verified fp32 bundle below ``folder``."""
    output = folder / f"{target}-{lowering}"
    print(f"converting to {target} ({lowering})", file=sys.stderr)
    chosen = plan(
        target,
        checkpoint=checkpoint,
        precision="fp32",
        lowering=lowering,
        lr_size=LR_SIZE,
        slots=SLOTS,
        output=output,
    )
    convert(chosen)
    return output


def show(rows: list[BenchRow]) -> float:
    """Print a pair's rows and return the restorer's ratio, ExecuTorch to ONNX Runtime."""
    print()
    for row in rows:
        print(
            f"{row.graph:8}{row.runtime:12}{row.lowering:12}{row.ms_median:8.2f} ms "
            f"[{row.ms_p10:.2f}, {row.ms_p90:.2f}]   ratio {row.ratio:.2f} "
            f"[{row.ratio_p10:.2f}, {row.ratio_p90:.2f}]   {row.peak_mib:.0f} MiB"
        )
    return next(row.ratio for row in rows if (row.graph, row.runtime) == ("restore", "executorch"))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
