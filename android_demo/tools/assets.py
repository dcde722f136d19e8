#!/usr/bin/env python3
"""Makes what the app and its tests need from edgesr: models and detector as assets, and vectors that Python computed.

Needs edgesr with its TFLite environment. Nothing is done where neither the checkpoints nor the code have changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
MODELS = ROOT / "app" / "src" / "main" / "assets" / "models"
TESTDATA = ROOT / "testdata"
CHECKPOINTS = REPOSITORY / "edgesr" / "checkpoints"
NETWORK = "hime-small-x4"
CONVERTER = (
    "convert/tflite.py",
    "convert/tflite_worker.py",
    "edgesr/deployment/graphs.py",
    "edgesr/deployment/rewrites.py",
    "edgesr/deployment/lowerings.py",
    "edgesr/models",
)
"""What a bundle depends on beside its checkpoint."""

VECTORS = (
    "docs/alignment.md",
    "edgesr/alignment.py",
    "edgesr/detection.py",
    "edgesr/imaging.py",
    "edgesr/data/samples.py",
    "edgesr/enhance",
    "edgesr/gallery",
    "edgesr/samples",
    "tests/data/galleries",
)
"""What the vectors that Kotlin is tested against are computed from."""

NEIGHBOUR = REPOSITORY.parent / "shared" / "weights" / "face_detection_yunet.onnx"
"""Where a copy of the detector may lie beside the checkout; the tests of edgesr look there, too."""


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "EDGESR_YUNET" not in os.environ and NEIGHBOUR.is_file():
        os.environ["EDGESR_YUNET"] = str(NEIGHBOUR)
    stamp = ROOT / ".work" / "assets.stamp"
    state = digest()
    if stamp.is_file() and stamp.read_text() == state and TESTDATA.is_dir() and MODELS.is_dir():
        print("assets: nothing has changed")
        return
    MODELS.mkdir(parents=True, exist_ok=True)
    TESTDATA.mkdir(exist_ok=True)
    bundles = {"float": bundle("fp16", NETWORK)}
    if (CHECKPOINTS / f"{NETWORK}-int8").is_dir():
        bundles["int8"] = bundle("int8", f"{NETWORK}-int8")
    else:
        shutil.rmtree(MODELS / "int8", ignore_errors=True)
    for name, folder in bundles.items():
        target = MODELS / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for file in ("manifest.json", "model.tflite"):
            shutil.copy(folder / file, target / file)
    detector()
    vectors(bundles)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest())
    print(f"assets: {', '.join(sorted(bundles))} and the detector in {MODELS.relative_to(REPOSITORY)}")


def bundle(precision: str, checkpoint: str) -> Path:
    """A bundle converted and verified by edgesr; kept until its checkpoint or the converter changes."""
    folder = TESTDATA / f"bundle-{precision}"
    stamp, state = TESTDATA / f"bundle-{precision}.stamp", digest(*CONVERTER, f"edgesr/checkpoints/{checkpoint}")
    if not (stamp.is_file() and stamp.read_text() == state and folder.is_dir()):
        command = [sys.executable, "-m", "edgesr.cli", "convert", "--target", "tflite", "--precision", precision]
        subprocess.run(
            [*command, "--checkpoint", checkpoint, "--output", folder, "--force"], check=True, cwd=REPOSITORY
        )
        stamp.write_text(state)
    return folder


def detector() -> None:
    """YuNet as ``detector.tflite``, and what the app must know of it."""
    from edgesr.convert.detector import SIGNATURES, convert_detector
    from edgesr.detection import FaceDetector, open_detector
    from edgesr.errors import EdgesrError

    folder = MODELS / "detector"
    folder.mkdir(exist_ok=True)
    model = folder / "detector.tflite"
    state = digest("convert/detector.py", "convert/tflite_worker.py")
    stamp = TESTDATA / "detector.stamp"
    if stamp.is_file() and stamp.read_text() == state and model.is_file():
        return
    try:
        found = open_detector()
        if not isinstance(found, FaceDetector):
            raise EdgesrError("the face detector YuNet is missing")
        difference = convert_detector(found.path, model)
    except EdgesrError as error:
        print(f"android: no detector: {error}", file=sys.stderr)
        sys.exit(3)
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    described = {"network": "YuNet", "licence": "MIT", "signatures": SIGNATURES, "sha256": sha256}
    (folder / "detector.json").write_text(json.dumps({**described, "max_abs_error": round(difference, 6)}) + "\n")
    stamp.write_text(state)


def vectors(bundles: dict[str, Path]) -> None:
    """Photos, and what Python makes of them."""
    sys.path.insert(0, str(ROOT / "tools"))
    import testdata

    testdata.write(TESTDATA, bundles)


def digest(*parts: str) -> str:
    """Of the code and the checkpoints that assets are made from."""
    result = hashlib.sha256()
    listed = parts or (
        *CONVERTER,
        "convert/detector.py",
        f"edgesr/checkpoints/{NETWORK}",
        f"edgesr/checkpoints/{NETWORK}-int8",
        "android_demo/tools/assets.py",
        "android_demo/tools/testdata.py",
        *VECTORS,
    )
    for part in listed:
        path = REPOSITORY / part
        if not path.exists() and not part.endswith("-int8"):  # the one that need not be there
            raise SystemExit(f"{part} is not there: the list of what assets depend on is out of date")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                result.update(str(file.relative_to(REPOSITORY)).encode() + file.read_bytes())
    return result.hexdigest()


if __name__ == "__main__":
    main()
