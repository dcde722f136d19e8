"""Bundles, galleries and restored faces of the networks of several parts, for the page's own reader and engine.

They are tiny and not trained, with every path alive (tests/large.py, tests/pwave_networks.py): what a page has to get
right about them is in their manifests, their galleries and their graphs.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent.parent / "tests"
SIZE = 32
"""Side of both networks' HR faces in pixels."""
DEPENDS = (
    "tests/large.py",
    "tests/pwave_networks.py",
    "tests/network_galleries.py",
    "web_demo/tools/network_vectors.py",
)


def write(folder: Path) -> None:
    """``NETWORK/PRECISION`` with a bundle each, and beside it ``PRECISION.gallery`` and ``PRECISION.json``."""
    sys.path.insert(0, str(TESTS))
    from large import large
    from network_galleries import restored_with, sample_gallery
    from pwave_networks import lively_pwave

    import edgesr
    from edgesr.convert.pipeline import convert, plan
    from edgesr.convert.quantized import Calibration
    from edgesr.gallery.format import write_gallery

    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        people = people_folder(Path(scratch) / "people")
        for name, model in (("large", large()), ("pwave", lively_pwave())):
            checkpoint = save(model, Path(scratch) / name)
            for precision, calibration in (("fp32", None), ("int8-ptq", Calibration(people))):
                output = folder / name / precision
                output.parent.mkdir(parents=True, exist_ok=True)
                convert(
                    plan("onnx", checkpoint=checkpoint, precision=precision, output=output, calibration=calibration)
                )
                loaded = edgesr.load(output)
                gallery = sample_gallery(loaded)
                write_gallery(output.with_suffix(".gallery"), gallery)
                output.with_suffix(".json").write_text(json.dumps(restored_with(loaded, gallery)) + "\n")


def people_folder(folder: Path) -> Path:
    """The sample people as calibration takes them."""
    from PIL import Image

    from edgesr.data.samples import sample_faces

    for face in sample_faces(SIZE):
        person = folder / str(SIZE) / "train" / face.person
        person.mkdir(parents=True)
        for number, photo in enumerate((face.target, face.exemplar)):
            Image.fromarray(photo).save(person / f"{number}.png")
    return folder


def save(model: Any, folder: Path) -> Path:
    """A checkpoint with int8 steps of the sample faces' features."""
    import torch

    from edgesr.data.samples import sample_faces
    from edgesr.models import save_checkpoint
    from edgesr.training.feature_scales import measure_feature_scales

    photos = torch.stack([torch.from_numpy(face.exemplar.copy()).permute(2, 0, 1) for face in sample_faces(SIZE)])
    scales = measure_feature_scales(model, photos)
    save_checkpoint(folder, folder.name, model, training={}, feature_scales=scales)
    return folder
