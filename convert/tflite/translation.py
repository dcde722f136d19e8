"""From ONNX graphs to the bytes of one TFLite model with a signature of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.errors import EdgesrError
from edgesr.process.quiet import capture_native_stderr, quiet

from ..target import Report
from .environment import TFLiteEnvironment
from .example import Array, Example, canonical, closest_axes
from .flatbuffer import (
    join,
    parse,
    serialize,
    state_versions,
    store_weights_as_fp16,
    take_indices_as_they_are,
    turn_outputs,
)
from .programs import run_onnx2tf
from .quantization import Steps, quantized


def translate(
    environment: TFLiteEnvironment,
    work: Path,
    examples: Mapping[str, Example],
    report: Report,
    *,
    metadata: Mapping[str, Any],
    steps: Mapping[str, Steps] | None = None,
    fp16: bool = False,
) -> bytes:
    """The model of the graphs that lie in ``work`` as ``GRAPH.onnx``, with inputs NHWC, one for each of ``examples``.

    Args:
        steps: of the graphs that are to be int8.
        fp16: whether weights are stored in fp16.

    Raises:
        EdgesrError: onnx2tf does not take a graph, or gives it other inputs or outputs.
    """
    models = {}
    for name, content in run_onnx2tf(environment, work, list(examples), report).items():
        model = parse(content)
        take_indices_as_they_are(model)
        results = run(serialize(model), name, examples[name])
        turn_outputs(model, {key: _axes(name, key, results[key], examples[name]) for key in results})
        report(f"quantizing {name}" if steps else f"finishing {name}")
        if fp16:
            store_weights_as_fp16(model)
        if steps and name in steps:
            model = parse(quantized(serialize(model), steps[name]))
        models[name] = model
    whole = join(models, metadata)
    state_versions(whole)
    return serialize(whole)


def run(content: bytes, name: str, example: Example) -> dict[str, Array]:
    """What the only signature of a model gives for the example's inputs.

    Raises:
        EdgesrError: it does not take them, or has other outputs.
    """
    given = {key: canonical(array) for key, array in example.inputs.items()}
    with quiet(), capture_native_stderr() as explained:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=content, num_threads=1)
            runner = interpreter.get_signature_runner()
            got = {key: tuple(details["shape"]) for key, details in runner.get_input_details().items()}
            if got != {key: array.shape for key, array in given.items()}:
                raise EdgesrError(f"onnx2tf gave {name} the inputs {got}", "please report it")
            results: dict[str, Array] = runner(**given)
        except (RuntimeError, ValueError) as error:
            why = f"{error} {explained()}".strip()[:300]
            raise EdgesrError(f"onnx2tf's {name} does not run: {why}", "please report it") from error
    if results.keys() != example.outputs.keys():
        raise EdgesrError(f"onnx2tf gave {name} the outputs {sorted(results)}", "please report it")
    return results


def _axes(name: str, key: str, result: Array, example: Example) -> tuple[int, ...]:
    # By values, since onnx2tf drops and adds transpositions at the borders, and channels may be as many as rows. What
    # differs in every order goes on: the parity gate says what is wrong with it better than can be told here.
    wanted = canonical(example.outputs[key])
    axes = closest_axes(result, wanted)
    if axes is None:
        raise EdgesrError(
            f"onnx2tf gave {name}'s {key} the shape {result.shape} where {wanted.shape} is wanted", "please report it"
        )
    return axes
