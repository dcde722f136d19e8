#!/usr/bin/env python3
"""Makes what the app and its tests need from edgesr: models and detector as assets, and vectors that Python computed.

Needs edgesr with its TFLite environment. Nothing is done where neither the checkpoints nor the code have changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
sys.path.insert(0, str(REPOSITORY / "tools"))
import kept_work  # noqa: E402
from kept_work import CHECKPOINTS, INT8, NETWORK, bundle, digest  # noqa: E402

MODELS = ROOT / "app" / "src" / "main" / "assets" / "models"
TESTDATA = ROOT / "testdata"
CONVERTER = (
    "convert/tflite",
    "edgesr/deployment/graphs.py",
    "edgesr/layers",
    "edgesr/models",
)
"""What a bundle depends on beside its checkpoint."""

DEPENDS = (
    *CONVERTER,
    "convert/detector.py",
    f"edgesr/checkpoints/{NETWORK}",
    f"edgesr/checkpoints/{INT8}",
    "android_demo/tools/assets.py",
    *kept_work.VECTORS,
)
"""What all of it depends on."""


def main() -> None:
    kept_work.prepare()
    stamp = ROOT / ".work" / "assets.stamp"
    state = digest(*DEPENDS)
    if stamp.is_file() and stamp.read_text() == state and TESTDATA.is_dir() and MODELS.is_dir():
        print("assets: nothing has changed")
        return
    MODELS.mkdir(parents=True, exist_ok=True)
    TESTDATA.mkdir(exist_ok=True)
    bundles = {"float": bundle(TESTDATA, "tflite", "fp16", NETWORK, CONVERTER)}
    if (CHECKPOINTS / INT8).is_dir():
        bundles["int8"] = bundle(TESTDATA, "tflite", "int8", INT8, CONVERTER)
    else:
        shutil.rmtree(MODELS / "int8", ignore_errors=True)
    for name, folder in bundles.items():
        target = MODELS / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for file in ("manifest.json", "model.tflite"):
            shutil.copy(folder / file, target / file)
    detector()
    import booth_vectors

    booth_vectors.write(TESTDATA, bundles)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(state)
    print(f"assets: {', '.join(sorted(bundles))} and the detector in {MODELS.relative_to(REPOSITORY)}")


def detector() -> None:
    """YuNet as ``detector.tflite``, and what the app must know of it."""
    from edgesr.convert.detector import SIGNATURES
    from edgesr.convert.tflite.detector import convert_detector
    from edgesr.errors import EdgesrError
    from edgesr.faces.yunet import find_yunet

    folder = MODELS / "detector"
    folder.mkdir(exist_ok=True)
    model = folder / "detector.tflite"
    state = digest("convert/tflite", "convert/detector.py")
    stamp = TESTDATA / "detector.stamp"
    if stamp.is_file() and stamp.read_text() == state and model.is_file():
        return
    try:
        difference = convert_detector(find_yunet(), model)
    except EdgesrError as error:
        print(f"android: no detector: {error}", file=sys.stderr)
        sys.exit(3)
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    described = {"network": "YuNet", "licence": "MIT", "signatures": SIGNATURES, "sha256": sha256}
    (folder / "detector.json").write_text(json.dumps({**described, "max_abs_error": round(difference, 6)}) + "\n")
    stamp.write_text(state)


if __name__ == "__main__":
    main()
