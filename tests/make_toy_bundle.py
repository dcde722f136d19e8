"""Writes tests/data/toy-maps: a bundle of the toy network of two maps and a code, for the readers of every language,
and what Python restores with a gallery of it (tests/data/galleries/toy-maps.gallery, which ``make_galleries`` writes).
The same network for the engines of the booths on phones lies in tests/data/tflite and tests/data/coreml.

The photos are the sample faces, London set, CC-BY 4.0 (edgesr/samples/ATTRIBUTION.md).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import torch
from toy_maps import ARCHITECTURE
from toy_maps.config import MapsConfig
from toy_maps.network import Maps

import edgesr
from edgesr.convert.pipeline import convert, plan
from edgesr.data.samples import sample_faces
from edgesr.evaluation.methods import degrade
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Entry, Gallery
from edgesr.models import save_checkpoint
from edgesr.models.interface import separate
from edgesr.models.registry import register
from edgesr.runtime.base import unstacked

FOLDER = Path(__file__).parent / "data" / "toy-maps"
BUNDLES = {"onnx": FOLDER, **{target: FOLDER.parent / target / FOLDER.name for target in ("tflite", "coreml")}}
"""Where the bundle for each runtime lies."""


def make() -> Gallery:
    """The bundles, and two people's photos in a gallery for them."""
    register(ARCHITECTURE)
    torch.manual_seed(0)
    scales = {"deep": 0.01, "detail": 0.02, "gate": 0.0125}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "toy-maps"
        save_checkpoint(checkpoint, "toy-maps", Maps(MapsConfig()), training={}, feature_scales=scales)
        for target, bundle in BUNDLES.items():
            convert(plan(target, checkpoint=checkpoint, precision="fp32", output=Path(folder) / target))
            shutil.rmtree(bundle, ignore_errors=True)
            shutil.copytree(Path(folder) / target, bundle)
    model = edgesr.load(FOLDER)
    blank = empty_gallery([model])
    faces = sample_faces(model.config.hr_size)[:2]
    entries = []
    for number, face in enumerate(faces):
        (features,) = unstacked(model.encode([face.exemplar]))
        sha256 = hashlib.sha256(face.exemplar.tobytes()).hexdigest()
        kept = (blank.sections[0].pack(separate(features)),)
        entries.append(Entry(kept, describe(face.exemplar, None), sha256, {"sharpness": 0.5 + number / 8}))
    gallery = blank.replace(entries=tuple(entries))
    lr = degrade(faces[0].target, model.config.scale)
    sr, weights = model.restore(lr, model.features_of(gallery, [1, 0]))
    restored = {"lr": lr, "exemplars": [1, 0], "sr": sr, "weights": weights.round(6)}
    flat = {key: value if isinstance(value, list) else value.reshape(-1).tolist() for key, value in restored.items()}
    (FOLDER.parent / "toy-maps.json").write_text(json.dumps(flat) + "\n")
    return gallery
