#!/usr/bin/env python3
"""Makes what the app and its tests need from edgesr: Core ML bundles and the detector into ``App/Resources/Models``,
and into ``testdata`` what stands in for them where Core ML does not run, with vectors that Python computed.

    .venv/bin/python ios_demo/tools/assets.py [--network NAME-or-folder] [--app]

Needs edgesr with Core ML's converter, and for the tests its TFLite environment. Nothing is done where neither the
checkpoints nor the code have changed. ``--app`` makes what the app needs alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import sys
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
sys.path.insert(0, str(REPOSITORY / "tools"))
import kept_work  # noqa: E402
import runtime  # noqa: E402
from kept_work import NETWORK, bundle, digest, forget, form, forms  # noqa: E402

MODELS = ROOT / "App" / "Resources" / "Models"
TESTDATA = ROOT / "testdata"
WORK = ROOT / ".work"
GRAPHS = ("edgesr/deployment/graphs.py", "edgesr/layers", "edgesr/models")
PRECISIONS = {"int8": "int8", "float": "fp16"}
"""Of each of the app's two networks, its precision in Core ML."""

TWINS = {"int8": "int8", "float": "fp32"}
"""The same in TFLite, which runs in its place on Linux."""

LARGEST = 4096
"""Longest side in pixels of what the photos' decoder stand-in keeps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", action="store_true", help="only what the app needs, no test data")
    parser.add_argument("--network", default=NETWORK, help=f"a shipped name or a checkpoint's folder; now {NETWORK}")
    arguments = parser.parse_args()
    kept_work.prepare()
    checkpoints = forms(arguments.network)
    WORK.mkdir(exist_ok=True)
    MODELS.mkdir(parents=True, exist_ok=True)
    for name, precision in PRECISIONS.items():
        if not network(name, precision, checkpoints.get(name)):
            checkpoints.pop(name, None)
    detector("coreml", MODELS / "detector")
    (MODELS / "licences.txt").write_text(
        (REPOSITORY / "edgesr" / "weights" / "face_detection_yunet.LICENSE").read_text()
    )
    made = f"{', '.join(name for name in PRECISIONS if name in checkpoints)} of {checkpoints['float'].name}"
    print(f"assets: {made} and the detector in {MODELS.relative_to(REPOSITORY)}")
    if not arguments.app:
        test_data(checkpoints)


def network(name: str, precision: str, checkpoint: Path | None) -> bool:
    """A Core ML bundle, with its golden vectors: the app can check itself on a device. Whether there is one; where not,
    none of another network stays."""
    converter = ("convert/coreml", *GRAPHS)
    (WORK / "coreml").mkdir(exist_ok=True)
    target = MODELS / name
    shutil.rmtree(target, ignore_errors=True)
    folder = form(WORK / "coreml", "coreml", name, precision, checkpoint, converter)
    if folder is None:
        return False
    target.mkdir()
    for file in ("manifest.json", "golden.safetensors"):
        shutil.copy(folder / file, target / file)
    shutil.copytree(folder / "model.mlpackage", target / "model.mlpackage")
    return True


def detector(target: str, folder: Path) -> None:
    """YuNet for a target, and what the app must know of it."""
    from importlib import import_module

    from edgesr.convert.detector import SIGNATURES
    from edgesr.errors import EdgesrError
    from edgesr.faces.yunet import find_yunet

    convert = import_module(f"edgesr.convert.{target}.detector").convert_detector
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / ("detector.mlpackage" if target == "coreml" else "detector.tflite")
    state = digest(f"convert/{target}", "convert/detector.py")
    stamp = WORK / f"detector-{target}.stamp"
    if stamp.is_file() and stamp.read_text() == state and model.exists():
        return
    try:
        difference = convert(find_yunet(), model)
    except EdgesrError as error:
        print(f"ios: no detector: {error}", file=sys.stderr)
        sys.exit(3)
    files = [file for file in sorted(model.rglob("*")) if file.is_file()] if model.is_dir() else [model]
    described = {
        "network": "YuNet",
        "licence": "MIT",
        "signatures": SIGNATURES,
        "file": model.name,
        "sha256": {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
        "max_abs_error": round(difference, 6),
    }
    (folder / "detector.json").write_text(json.dumps(described) + "\n")
    stamp.write_text(state)


def test_data(checkpoints: dict[str, Path]) -> None:
    """The twins, what runs them, and what ``booth_vectors`` computes with them."""
    runtime.library()
    state = digest("convert", *GRAPHS, *checkpoints.values(), "ios_demo/tools/assets.py", *kept_work.VECTORS)
    stamp = WORK / "testdata.stamp"
    if stamp.is_file() and stamp.read_text() == state and TESTDATA.is_dir():
        print("assets: the test data have not changed")
        return
    # From here on twins and vectors may be of two networks, until all is made.
    stamp.unlink(missing_ok=True)
    TESTDATA.mkdir(exist_ok=True)
    converter = ("convert/tflite", *GRAPHS)
    twins = {}
    for name, precision in TWINS.items():
        shutil.rmtree(TESTDATA / "twins" / name, ignore_errors=True)
        if name not in checkpoints:
            forget(TESTDATA, precision, name)
            continue
        twins[name] = bundle(TESTDATA, "tflite", precision, checkpoints[name], converter)
        shutil.copytree(twins[name], TESTDATA / "twins" / name)
    detector("tflite", TESTDATA / "twins" / "detector")
    import booth_vectors

    booth_vectors.write(TESTDATA, twins)
    (TESTDATA / "enhanced.json").write_text(
        json.dumps({name: enhanced(name, folder, "small.jpg") for name, folder in twins.items()})
    )
    decoded(TESTDATA / "photos", TESTDATA / "decoded")
    stamp.write_text(state)
    print(f"assets: test data in {TESTDATA.relative_to(REPOSITORY)}")


def enhanced(name: str, twin: Path, photo: str) -> dict[str, Any]:
    """A whole photo as ``edgesr enhance`` makes it with a twin and the gallery of one portrait."""
    import edgesr
    from edgesr.enhance.run import Enhancer, Network, Photo
    from edgesr.faces.detection import FaceDetector
    from edgesr.gallery.format import read_gallery
    from edgesr.images.imaging import read_image

    network = Network(edgesr.load(twin), read_gallery(TESTDATA / f"python-{name}.gallery"))
    done = Enhancer([network], FaceDetector()).enhance(Photo(read_image(TESTDATA / "photos" / photo)))
    height, width = done.image.shape[:2]
    rgb = base64.b64encode(done.image.tobytes()).decode()
    return {"factor": done.factor, "size": [width, height], "rgb": rgb}


def decoded(photos: Path, folder: Path) -> None:
    """What each photo's file holds, by its length and CRC-32: size, EXIF orientation, and the pixels as stored.
    It is all that the tests' stand-in for ImageIO knows of JPEG."""
    from PIL import Image, UnidentifiedImageError

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in sorted(photos.iterdir()):
        content = path.read_bytes()
        name = f"{len(content)}-{zlib.crc32(content)}"
        try:
            with Image.open(path) as image:
                width, height = image.size
                orientation = image.getexif().get(0x0112, 1)
                small = image.convert("RGB")
                small.thumbnail((LARGEST, LARGEST))
        except UnidentifiedImageError:
            continue
        (folder / f"{name}.json").write_text(
            json.dumps({"width": width, "height": height, "orientation": orientation, "stored": list(small.size)})
        )
        (folder / f"{name}.rgb").write_bytes(small.tobytes())


if __name__ == "__main__":
    main()
