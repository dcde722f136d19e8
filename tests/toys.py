"""What the tests of toy architectures share: they are installed, trained and calibrated alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgesr.cli.main import run
from edgesr.convert.targets import TARGETS
from edgesr.data.batches import Curriculum
from edgesr.data.faces import FaceSet
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_OK
from edgesr.models import load_checkpoint
from edgesr.models.architecture import Architecture, NetworkConfig
from edgesr.models.registry import ARCHITECTURES, PRESETS
from edgesr.quantize.checkpoint import save_quantized
from edgesr.quantize.ptq import calibrate, calibration_faces
from edgesr.training.config import TrainConfig
from edgesr.training.trainer import Trainer

TRAINING = TrainConfig(
    steps=6, batch_size=2, learning_rate=1e-2, warmup_steps=2, precision="32-true", curriculum=Curriculum(0.0)
)


@contextlib.contextmanager
def installed(architecture: Architecture, package: str, place: Path) -> Iterator[None]:
    """The toy as an installed package that names its record, for this process and for those that it starts."""
    described = place / f"{package}-1.0.dist-info"
    described.mkdir()
    name = package.replace("_", "-")
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[edgesr.architectures]\n{name} = {package}:ARCHITECTURE\n")
    paths = os.pathsep.join([str(place), str(Path(__file__).parent)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", paths)
        patched.syspath_prepend(str(place))
        for preset in architecture.presets:
            assert run(["info", preset]) == EXIT_OK, "found by the preset's name"
        yield
    del ARCHITECTURES[architecture.name]
    for preset in architecture.presets:
        del PRESETS[preset]


def conversions(needs: Mapping[str, Any]) -> list[Any]:
    """Every target in int8, and two in float: one that computes our graphs' operators, and one that reads ONNX's.

    Experimental, Core AI is seen on HIME alone.
    """
    chosen = [(name, "int8-ptq") for name in TARGETS if name != "coreai"]
    return [
        pytest.param(name, precision, marks=needs.get(name, ()))
        for name, precision in (*chosen, ("executorch", "fp32"), ("onnx", "fp32"))
    ]


def write_people(folder: Path, size: int) -> Path:
    """The sample people's two photos each."""
    for face in sample_faces(size):
        (folder / face.person).mkdir()
        for name, photo in (("a", face.target), ("b", face.exemplar)):
            Image.fromarray(photo).save(folder / face.person / f"{name}.png")
    return folder


def trainer(folder: Path, name: str, config: NetworkConfig, people: Path) -> Trainer:
    """A run of six steps in ``folder``, or what is there of it."""
    return Trainer(folder, name, config, TRAINING, FaceSet.read(people, None, config.hr_size))


def quantize(folder: Path, trained: Path, people: Path) -> Path:
    """The calibrated int8 form of a trained toy."""
    source = load_checkpoint(trained)
    config = source.model.config
    quantization = calibrate(source, calibration_faces(people, None, config.hr_size, config.slots, 6))
    save_quantized(folder, folder.name, source.model, quantization, source)
    return folder
