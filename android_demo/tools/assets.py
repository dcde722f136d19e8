#!/usr/bin/env python3
"""Makes what the app and its tests need from edgesr: models and detector as assets, and vectors that Python computed.

    .venv/bin/python android_demo/tools/assets.py [--network NAME-or-folder]

Needs edgesr with its TFLite environment. Nothing is done where neither the checkpoints nor the code have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
sys.path.insert(0, str(REPOSITORY / "tools"))
import kept_work  # noqa: E402
from kept_work import NETWORK, digest, form, forms  # noqa: E402

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
    "android_demo/tools/assets.py",
    *kept_work.VECTORS,
)
"""What all of it depends on beside the network's checkpoints."""

PRECISIONS = {"float": "fp16", "int8": "int8"}
"""Of each of the app's two networks, its precision in TFLite."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default=NETWORK, help=f"a shipped name or a checkpoint's folder; now {NETWORK}")
    network = parser.parse_args().network
    kept_work.prepare()
    checkpoints = forms(network)
    stamp = ROOT / ".work" / "assets.stamp"
    state = digest(*DEPENDS, *checkpoints.values())
    if stamp.is_file() and stamp.read_text() == state and TESTDATA.is_dir() and MODELS.is_dir():
        print("assets: nothing has changed")
        return
    # From here on models and vectors may be of two networks, until all is made.
    stamp.unlink(missing_ok=True)
    MODELS.mkdir(parents=True, exist_ok=True)
    TESTDATA.mkdir(exist_ok=True)
    bundles = {}
    for name, precision in PRECISIONS.items():
        target = MODELS / name
        shutil.rmtree(target, ignore_errors=True)
        folder = form(TESTDATA, "tflite", name, precision, checkpoints.get(name), CONVERTER)
        if folder is None:
            continue
        bundles[name] = folder
        target.mkdir()
        for file in ("manifest.json", "model.tflite"):
            shutil.copy(folder / file, target / file)
    detector()
    import booth_vectors

    booth_vectors.write(TESTDATA, bundles)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(state)
    made = f"{', '.join(sorted(bundles))} of {checkpoints['float'].name} and the detector"
    print(f"assets: {made} in {MODELS.relative_to(REPOSITORY)}")


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
