"""How many times as long as Python's ONNX Runtime does the page take to restore one face? (x4, 3 exemplars, one thread)

Both run the graphs of one web bundle: onnxruntime-web's WASM in headless Chromium, timed by the page's own clock, and
ONNX Runtime here. They take turns in one run, in an order that is reversed every round, and the ratio is taken round by
round. Exit code 1 where the default precision's restorer takes more than 6x.

    python benchmarks/web_vs_onnxruntime.py [--runs 60] [--bundle FOLDER] [--checkpoint hime-small-x4]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.bundle import open_bundle
from edgesr.convert.parity import real_cases
from edgesr.convert.pipeline import DEFAULT_CHECKPOINT, convert, plan
from edgesr.errors import EdgesrError
from edgesr.runtime.base import GraphRuntime, fill_slots
from edgesr.runtime.onnxruntime import OnnxRuntime
from edgesr.runtime.web import WebRuntime

LIMIT, BURST, EXEMPLARS = 6.0, 3, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--bundle", type=Path, help="a web bundle; default: one is made of --checkpoint")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = arguments.bundle
        if bundle is None:
            bundle = Path(folder) / "web"
            print("converting", file=sys.stderr)
            convert(plan("web", checkpoint=arguments.checkpoint, slots=3, output=bundle))
        booth = json.loads((bundle / "booth.json").read_text())
        default = booth["default_precision"]
        ratios = {key: compare(bundle, key, arguments.runs) for key in booth["models"]}
    ok = ratios[default] <= LIMIT
    print(f"\n{'ok' if ok else 'TOO SLOW'}: the page takes {ratios[default]:.2f}x ({default}; {LIMIT:.0f}x is allowed)")
    return 0 if ok else 1


def compare(bundle: Path, key: str, runs: int) -> float:
    """Print both graphs' times of one precision, and return the restorer's ratio, page to Python."""
    inner = open_bundle(bundle / "models" / key)
    m = inner.manifest
    page = WebRuntime(bundle, {g: f"models/{key}/{f}" for g, f in m["files"].items()}, inner.interface, m["tensors"])
    python = OnnxRuntime(inner.folder, m["files"], inner.interface, m["tensors"], threads=1)
    try:
        engines: list[GraphRuntime] = [python, page]
        inputs = real_inputs(python)
        taken: dict[str, list[list[list[float]]]] = {graph: [[], []] for graph in inputs}
        for i in range(-(-runs // BURST)):
            for graph, arrays in inputs.items():
                turns = list(zip(engines, taken[graph], strict=True))
                for engine, rounds in turns if i % 2 == 0 else turns[::-1]:
                    rounds.append(engine.milliseconds(graph, arrays, BURST))
    finally:
        page.close()
    ratios = {graph: show(key, graph, page.name, *rounds) for graph, rounds in taken.items()}
    return ratios["restore"]


def real_inputs(runtime: GraphRuntime) -> dict[str, list[Any]]:
    """A sample face with as many exemplars as the comparison has, in the graphs' own layout."""
    case = next(
        case for case in real_cases(runtime.interface) if len(case.exemplars) >= min(EXEMPLARS, runtime.interface.slots)
    )
    features, valid = fill_slots([runtime.encode(photo) for photo in case.exemplars[:EXEMPLARS]], runtime.interface)
    arrays = {"exemplar": case.exemplars[0], "lr": case.lr, "features": features, "valid": valid}
    return {
        graph: [spec.from_canonical(arrays[spec.name]) for spec in runtime.specs[graph]["inputs"]]
        for graph in ("encode", "restore")
    }


def show(key: str, graph: str, page: str, python_rounds: list[list[float]], page_rounds: list[list[float]]) -> float:
    """Print a graph's two rows and return the median of the rounds' ratios."""
    ratio = np.percentile(np.median(page_rounds, axis=1) / np.median(python_rounds, axis=1), [10, 50, 90])
    for name, rounds in (("onnxruntime", python_rounds), (page, page_rounds)):
        p10, median, p90 = np.percentile(np.concatenate(rounds), [10, 50, 90])
        print(f"{key:5}{graph:8}{name:32}{median:8.2f} ms [{p10:.2f}, {p90:.2f}]")
    print(f"{key:5}{graph:8}{'ratio':32}{ratio[1]:8.2f}    [{ratio[0]:.2f}, {ratio[2]:.2f}]")
    return float(ratio[1])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
