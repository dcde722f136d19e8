"""One object in four threads: each gets its own result. In a forked process: an error that says what to do."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import TINY, lively

from edgesr.bundle import open_bundle
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.verify import runtime_or_evaluator
from edgesr.data.samples import sample_faces
from edgesr.faces.detection import FaceDetector
from edgesr.faces.dlib_detector import DlibDetector
from edgesr.faces.identity import DlibEmbedder, OnnxEmbedder
from edgesr.process.exclusive import Exclusive, ForkError
from edgesr.runtime.base import Runtime
from edgesr.runtime.torch import TorchRuntime

THREADS, TIMES = 4, 3
Work = Callable[[int], Any]
"""What thread i computes."""


def bundled(target: str, checkpoint: Path, folder: Path, **choices: Any) -> Runtime:
    """The target's runtime on a tiny network."""
    convert(plan(target, checkpoint=checkpoint, output=folder / target, **choices))
    return runtime_or_evaluator(open_bundle(folder / target))[0]


def restoring(runtime: Runtime) -> Work:
    """Each thread encodes and restores with arrays of its own."""
    config = runtime.interface

    def work(i: int) -> list[npt.NDArray[Any]]:
        random = np.random.default_rng(i)
        exemplar = random.random((config.hr_size, config.hr_size, 3), np.float32)
        features = runtime.encode(exemplar)
        lr = random.random((config.lr_size, config.lr_size, 3), np.float32)
        filled = np.stack([features] * config.slots)
        return [features, *runtime.restore(lr, filled, np.ones(config.slots, np.float32))]

    return work


def detecting(detector: Any) -> Work:
    """Each thread looks at a picture of its own size."""

    def work(i: int) -> list[npt.NDArray[Any]]:
        face = sample_faces(128)[i].target
        picture = np.pad(face, ((20, 30 * i + 10), (40, 60 * i), (0, 0)), mode="edge")
        picture = np.ascontiguousarray(picture.repeat(2, 0).repeat(2, 1))
        return [detector.refine(picture, found).landmarks for found in detector.detect(picture)]

    return work


def embedding(embedder: Any) -> Work:
    def work(i: int) -> list[npt.NDArray[Any]]:
        face = sample_faces(128)[i].target
        frame, _ = embedder.locate(face)
        return [frame, embedder.embed(face, frame)]

    return work


def torch_float(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    return restoring(TorchRuntime(lively(TINY)))


def torch_int8(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    pytest.importorskip("torchao")
    from int8_networks import quantized

    from edgesr.quantize.graphs import GraphsRuntime

    return restoring(GraphsRuntime(quantized("rows")))


def executorch(folder: Path, checkpoint: Path) -> Work:
    pytest.importorskip("executorch")
    return restoring(bundled("executorch", checkpoint, folder, precision="fp32"))


def onnxruntime(folder: Path, checkpoint: Path) -> Work:
    pytest.importorskip("onnxruntime")
    return restoring(bundled("onnx", checkpoint, folder, precision="fp32"))


def litert(folder: Path, checkpoint: Path) -> Work:
    return restoring(bundled("tflite", checkpoint, folder, precision="fp32"))


def coreml(folder: Path, checkpoint: Path) -> Work:
    pytest.importorskip("coremltools")
    return restoring(bundled("coreml", checkpoint, folder, precision="fp32"))


def web(folder: Path, checkpoint: Path) -> Work:
    return restoring(bundled("web", checkpoint, folder, precision="fp32"))


def yunet(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    return detecting(FaceDetector())


def dlib_detector(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    pytest.importorskip("dlib")
    return detecting(DlibDetector())


def dlib_embedder(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    pytest.importorskip("dlib")
    return embedding(DlibEmbedder())


def onnx_embedder(folder: Path, checkpoint: Path) -> Work:  # noqa: ARG001
    onnx = pytest.importorskip("onnx")
    from onnx_graphs import embedder

    path = folder / "embedder.onnx"
    onnx.save(embedder(batch=1, size=112), path)
    return embedding(OnnxEmbedder(path))


EVERYTHING = [
    torch_float,
    torch_int8,
    executorch,
    onnxruntime,
    pytest.param(litert, marks=pytest.mark.tflite),
    coreml,
    pytest.param(web, marks=pytest.mark.chromium),
    pytest.param(yunet, marks=pytest.mark.faces),
    dlib_detector,
    dlib_embedder,
    onnx_embedder,
]


@pytest.mark.parametrize("make", EVERYTHING)
def test_each_thread_gets_its_own_result_and_a_fork_an_error(
    make: Callable[[Path, Path], Work], tmp_path: Path, tiny_checkpoint: Path
) -> None:
    work = make(tmp_path, tiny_checkpoint)
    wanted = [work(i) for i in range(THREADS)]
    assert all(wanted)
    got: list[list[Any]] = [[] for _ in range(THREADS)]
    errors: list[str] = []

    def run(i: int) -> None:
        try:
            for _ in range(TIMES):
                got[i].append(work(i))
        except BaseException:
            errors.append(traceback.format_exc())

    started = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert not errors, errors[0]
    for i, results in enumerate(got):
        for result in results:  # compared at the end: a later call must not write into an earlier one's arrays
            for mine, correct in zip(result, wanted[i], strict=True):
                np.testing.assert_array_equal(mine, correct)
    assert "'spawn'" in in_fork(lambda: work(0))


def in_fork(call: Callable[[], Any]) -> str:
    """The ForkError that ``call`` raises in a forked process; empty where it raises none."""
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            call()
        except ForkError as error:
            os.write(writes, str(error).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.parametrize(("library", "refused"), [("torch", True), ("executorch", True), ("opencv", True), ("", False)])
def test_new_objects_are_refused_in_a_fork_where_the_library_has_threads_of_its_own(
    library: str, refused: bool
) -> None:
    Exclusive("an engine", library)
    assert bool(in_fork(lambda: Exclusive("an engine", library))) == refused
