"""Engines that edgesr does not convert for, on the files of an ONNX bundle: OpenVINO, MNN and ncnn.

Each is opened as edgesr's own runtimes are, so that the same gate and the same timing take it. What an engine wants
converted first is converted when it is opened. They come with the extra ``bench``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.bundle import Bundle
from edgesr.errors import EdgesrError
from edgesr.runtime.base import GraphRuntime

Arrays = list[npt.NDArray[Any]]


class OpenVINO(GraphRuntime):
    """OpenVINO's CPU plugin, which reads ONNX files, QDQ ones too."""

    name = "OpenVINO"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        import openvino

        core = openvino.Core()
        # By itself the plugin would compute fp32 networks in bfloat16 where the processor can.
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._requests = {
            graph: core.compile_model(core.read_model(folder / files[graph]), "CPU", settings).create_infer_request()
            for graph in self.specs
        }

    def _run(self, graph: str, inputs: Arrays) -> Arrays:
        specs = self.specs[graph]
        feed = {spec.file_name: array for spec, array in zip(specs["inputs"], inputs, strict=True)}
        found = self._requests[graph].infer(feed, share_inputs=True)
        return [np.array(found[spec.file_name]) for spec in specs["outputs"]]


class MNN(GraphRuntime):
    """MNN's CPU backend. Its converter reads float ONNX files; of QDQ ones it makes graphs that it cannot run."""

    name = "MNN"
    options: tuple[str, ...] = ()
    """Of its converter."""
    memory = "high"
    """``low``: weights that are stored in int8 are computed with in int8, activations in steps of their own range."""

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        import _tools  # MNN's converter; its command reports each use over the network
        import MNN

        self._expr = MNN.expr
        manager = MNN.nn.create_runtime_manager(
            ({"backend": 0, "numThread": threads, "precision": "high", "memory": self.memory},)
        )
        self._modules = {}
        with tempfile.TemporaryDirectory() as scratch, _without_output():
            for graph, sides in self.specs.items():
                made = str(Path(scratch) / f"{graph}.mnn")
                call = ["mnnconvert", "-f", "ONNX", "--modelFile", str(folder / files[graph]), "--MNNModel", made]
                _tools.mnnconvert([*call, "--bizCode", "edgesr", *self.options])
                names = ([spec.file_name for spec in sides[side]] for side in ("inputs", "outputs"))
                self._modules[graph] = MNN.nn.load_module_from_file(made, *names, runtime_manager=manager)

    def _run(self, graph: str, inputs: Arrays) -> Arrays:
        expr = self._expr
        given = [expr.const(array, list(array.shape), expr.NCHW, expr.float) for array in inputs]
        found = self._modules[graph].forward(given)
        if len(found) != len(self.specs[graph]["outputs"]):
            raise EdgesrError(f"MNN cannot run the {graph} graph that its converter made", "another lowering")
        return [np.array(expr.convert(variable, expr.NCHW).read()) for variable in found]


class MNNWeights(MNN):
    """MNN with int8 weights of its converter's own making."""

    options = ("--weightQuantBits", "8")
    memory = "low"


class Ncnn(GraphRuntime):
    """ncnn on the CPU in float32, converted by pnnx. It takes the graphs of one slot: it cannot split a batch."""

    name = "ncnn"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:
        import ncnn
        import pnnx

        self._ncnn, self._nets = ncnn, {}
        with tempfile.TemporaryDirectory() as scratch:
            for graph in self.specs:
                onnx = Path(scratch) / f"{graph}.onnx"
                onnx.write_bytes((folder / files[graph]).read_bytes())
                subprocess.run([pnnx.EXEC_PATH, onnx, "fp16=0"], cwd=scratch, check=True, capture_output=True)
                net = ncnn.Net()
                net.opt.num_threads = threads
                net.opt.use_vulkan_compute = net.opt.use_bf16_storage = False
                net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
                made = onnx.with_suffix("")
                if net.load_param(f"{made}.ncnn.param") or net.load_model(f"{made}.ncnn.bin"):
                    raise EdgesrError(f"ncnn cannot read the {graph} graph that pnnx made of it", "--slots 1")
                self._nets[graph] = net

    def _run(self, graph: str, inputs: Arrays) -> Arrays:
        extractor = self._nets[graph].create_extractor()
        for i, array in enumerate(inputs):
            extractor.input(f"in{i}", self._ncnn.Mat(array, batch_index=0 if array.ndim == 4 else NO_BATCH))
        names = [f"out{i}" for i in range(len(self.specs[graph]["outputs"]))]
        return [np.array(extractor.extract(name)[1].numpy(batch_index=0)) for name in names]


NO_BATCH = 233
"""ncnn's word for an array without a batch's axis."""


@contextlib.contextmanager
def _without_output() -> Iterator[None]:
    """Within the block nothing is written to standard output, by C++ either: MNN's converter tells its life there."""
    sys.stdout.flush()
    before = os.dup(1)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


def opened(engine: type[GraphRuntime], bundle: Bundle) -> GraphRuntime:
    """An ONNX bundle's graphs on one of these engines, on one thread."""
    manifest = bundle.manifest
    return engine(bundle.folder, manifest["files"], bundle.interface, manifest["tensors"], threads=1)
