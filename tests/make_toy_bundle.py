"""Writes tests/data/toy-maps: a bundle of the toy network of two maps and a code, for the readers of every language,
and what Python restores with a gallery of it (tests/data/galleries/toy-maps.gallery, which ``make_galleries`` writes).
The same network for the engines of the booths on phones lies in tests/data/tflite and tests/data/coreml.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import torch
from network_galleries import restored_with, sample_gallery
from toy_maps import ARCHITECTURE
from toy_maps.config import MapsConfig
from toy_maps.network import Maps

import edgesr
from edgesr.convert.pipeline import convert, plan
from edgesr.gallery.format import Gallery
from edgesr.models import save_checkpoint
from edgesr.models.registry import register

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
    gallery = sample_gallery(model)
    (FOLDER.parent / "toy-maps.json").write_text(json.dumps(restored_with(model, gallery)) + "\n")
    return gallery
