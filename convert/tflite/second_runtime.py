"""Runs a TFLite file under tflite-runtime, the oldest runtime that artifacts must run on.

Run as ``python -I -S second_runtime.py request.json`` by a Python that tflite-runtime has a build for. It comes with a
numpy of its own (``edgesr setup tflite``), so nothing that is installed for that Python is used, nor edgesr.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

CANONICAL = {4: (0, 2, 3, 1), 3: (0, 1, 2), 2: (0, 1), 1: (0,)}
"""Axes of an ONNX tensor in the artifact, by rank: images and features NHWC, weights [n, h, w], codes [n, length],
valid [n]."""


def check(request: dict[str, Any]) -> dict[str, Any]:
    """Errors of each output of each signature on the request's arrays, relative to its peak where that is above 1."""
    sys.path.insert(0, request["runtime"])
    import numpy as np
    from tflite_runtime.interpreter import Interpreter

    arrays = dict(np.load(request["arrays"], allow_pickle=False))
    interpreter = Interpreter(model_path=request["model"], num_threads=1)
    measured = {}
    for name, graph in request["graphs"].items():
        run = interpreter.get_signature_runner(name)

        def wanted(key: str, name: str = name) -> Any:
            array = arrays[f"{name}.{key}"]
            return np.ascontiguousarray(array.transpose(CANONICAL[array.ndim]))

        outputs = run(**{key: wanted(key) for key in graph["inputs"]})
        for key in graph["outputs"]:
            error = (outputs[key] - wanted(key)) / max(1.0, float(np.abs(wanted(key)).max()))
            mean_square = float(np.mean(error.astype(np.float64) ** 2))
            measured[f"{name} {key}"] = {
                "max_abs_error": float(np.abs(error).max()),
                "psnr_db": float("inf") if mean_square == 0 else float(-10 * np.log10(mean_square)),
            }
    return {"runtime": f"tflite-runtime {importlib.metadata.version('tflite-runtime')}", "outputs": measured}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    Path(asked["result"]).write_text(json.dumps(check(asked)))
