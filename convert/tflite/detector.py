"""The face detector YuNet as one ``detector.tflite``, so that a phone finds the faces that the desktop finds.

One signature for each of ``convert.detector``'s graphs, with pictures and outputs NHWC.
"""

from __future__ import annotations

from pathlib import Path

from edgesr.errors import UnavailableError
from edgesr.files.atomic import file_aside
from edgesr.files.leftovers import work_folder

from ..detector import SIGNATURES, Array, fixed_graphs, require_equal
from ..target import Report
from .environment import tflite_environment
from .example import Example, canonical
from .onnx_form import take_channels_last
from .programs import SETUP
from .translation import translate


def convert_detector(onnx_file: Path, output: Path, report: Report = lambda _: None) -> float:
    """Write ``detector.tflite`` to ``output`` and return its largest difference from ONNX Runtime on a real face.

    Raises:
        UnavailableError: the TFLite environment is not there.
        InputOutputError: ``onnx_file`` is no YuNet.
        EdgesrError: the converter refused it, or the result computes something else; nothing is written then.
    """
    import onnx

    environment = tflite_environment()
    if problem := environment.problem():
        raise UnavailableError(f"no TFLite environment: {problem}", SETUP)
    graphs = fixed_graphs(onnx_file)
    examples = {name: Example(graph.inputs, graph.outputs) for name, graph in graphs.items()}
    with work_folder("detector") as work:
        for name, graph in graphs.items():
            model = onnx.ModelProto.FromString(graph.model.SerializeToString())
            take_channels_last(model)
            onnx.save(model, work / f"{name}.onnx")
        metadata = {"network": "YuNet", "licence": "MIT", "signatures": SIGNATURES}
        content = translate(environment, work, examples, report, metadata=metadata)
        report("comparing it with ONNX Runtime")
        difference = require_equal(graphs, _results(content, examples))
        with file_aside(output) as aside:
            aside.write_bytes(content)
    return difference


def _results(content: bytes, examples: dict[str, Example]) -> dict[str, dict[str, Array]]:
    from ai_edge_litert.interpreter import Interpreter

    from edgesr.process.quiet import quiet

    with quiet():
        interpreter = Interpreter(model_content=content, num_threads=1)
        results = {}
        for signature, example in examples.items():
            given = {key: canonical(array) for key, array in example.inputs.items()}
            results[signature] = dict(interpreter.get_signature_runner(signature)(**given))
    return results
