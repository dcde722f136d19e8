#!/usr/bin/env python3
"""Makes what the page's tests are compared with: photos, ONNX bundles, and what Python makes of them.

    .venv/bin/python web_demo/tools/vectors.py [FOLDER]

into web_demo/testdata unless told otherwise. Nothing is done where neither the checkpoints nor the code have changed.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT.parent / "tools"))
import kept_work  # noqa: E402
import network_vectors  # noqa: E402
from kept_work import CHECKPOINTS, INT8, NETWORK, bundle, digest  # noqa: E402

CONVERTER = (
    "convert/onnx/conversion.py",
    "convert/onnx/int8.py",
    "convert/int8.py",
    "edgesr/deployment",
    "edgesr/layers",
    "edgesr/models",
)
"""What a bundle depends on beside its checkpoint."""

DEPENDS = (
    *CONVERTER,
    f"edgesr/checkpoints/{NETWORK}",
    f"edgesr/checkpoints/{INT8}",
    "edgesr/quantize",
    "web_demo/tools/vectors.py",
    *network_vectors.DEPENDS,
    *kept_work.VECTORS,
)
"""What all of it depends on."""


def main(folder: Path) -> None:
    kept_work.prepare()
    folder.mkdir(parents=True, exist_ok=True)
    stamp, state = folder / "vectors.stamp", digest(*DEPENDS)
    if stamp.is_file() and stamp.read_text() == state:
        say(f"vectors: nothing has changed in {folder}")
        return
    stamp.unlink(missing_ok=True)
    bundles = {"fp32": bundle(folder, "onnx", "fp32", CHECKPOINTS / NETWORK, CONVERTER)}
    if (CHECKPOINTS / INT8).is_dir():
        bundles["int8"] = bundle(folder, "onnx", "int8", CHECKPOINTS / INT8, CONVERTER)
    import booth_vectors

    from edgesr.faces.yunet import find_yunet

    booth_vectors.write(folder, bundles)
    network_vectors.write(folder / "networks")
    shutil.copy(find_yunet(), folder / "detector.onnx")
    (folder / "web.json").write_text(json.dumps(web(folder, bundles)))
    stamp.write_text(state)
    say(f"vectors: photos, and what Python makes of them with {', '.join(sorted(bundles))}, in {folder}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def web(folder: Path, bundles: dict[str, Path]) -> dict[str, Any]:
    """What the TypeScript core does beyond the Kotlin core; and photos as pixels, since tests there decode no JPEG."""
    import numpy as np

    from edgesr.faces.detection import FaceDetector
    from edgesr.images.imaging import read_image

    noise = np.random.default_rng(5).integers(0, 256, (47, 61, 3), np.uint8)
    photos = [p for p in sorted((folder / "photos").glob("*.jpg")) if p.name == "no-face.jpg" or p.name[:3] != "no-"]
    detector = FaceDetector()
    return {
        "photos": {p.name: picture(read_image(p)) for p in photos},
        "resized": resized(noise),
        "found": {name: found(folder / "photos" / name, detector) for name in ("small.jpg", "ten.jpg", "no-face.jpg")},
        "features": features(),
        "enhanced": {name: enhanced(folder, name, bundles[name], detector) for name in bundles},
    }


def picture(pixels: Any) -> dict[str, Any]:
    """uint8 [H, W, 3] as base64."""
    return {"size": [pixels.shape[1], pixels.shape[0]], "rgb": base64.b64encode(pixels.tobytes()).decode()}


def resized(noise: Any) -> dict[str, Any]:
    """What scaling gives that must be the same to the byte: noise has every value and every difference."""
    import cv2
    import numpy as np
    from PIL import Image

    def bicubic(width: int, height: int) -> Any:
        return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))

    def area(image: Any, width: int, height: int) -> Any:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    even = np.ascontiguousarray(noise[:36, :60])
    return {
        "noise": picture(noise),
        "bicubic": [picture(bicubic(*size)) for size in ((32, 32), (16, 40), (90, 100), (61, 20))],
        "area": [picture(area(noise, *size)) for size in ((23, 31), (60, 46), (7, 9))],
        "even": picture(even),
        "area_of_even": [picture(area(even, *size)) for size in ((30, 18), (20, 12), (15, 9), (10, 6))],
        "cubic": [picture(cv2.resize(noise, (122, 94), interpolation=cv2.INTER_CUBIC))],
    }


def found(path: Path, detector: Any) -> list[dict[str, Any]]:
    """All faces of a photo, the tiny ones too."""
    from edgesr.enhance.faces import find_faces
    from edgesr.images.imaging import read_image

    faces = find_faces(read_image(path), detector)
    return [{"box": list(f.box), "landmarks": f.landmarks.tolist(), "score": f.score} for f in faces]


def features() -> dict[str, Any]:
    """Numbers of every size, and how they are stored."""
    import numpy as np

    from edgesr.gallery.format import pack_features

    random = np.random.default_rng(6)
    values = (random.normal(0, 1, (4, 4, 8)) * 10.0 ** random.uniform(-6, 6, (4, 4, 8))).astype(np.float32)
    parts, steps = {"f_ref": 5, "g_ref": 3}, {"f_ref": 0.0056983, "g_ref": 0.25}
    return {
        "values": [float(v) for v in values.reshape(-1)],
        "parts": list(parts.items()),
        "steps": [float(np.float32(step)) for step in steps.values()],
        "int8": base64.b64encode(pack_features(values, "int8", parts, steps).tobytes()).decode(),
        "fp16": base64.b64encode(pack_features(values, "fp16", parts, None).astype("<f2").tobytes()).decode(),
    }


def enhanced(folder: Path, name: str, bundle_folder: Path, detector: Any) -> dict[str, Any]:
    """The small photo as ``edgesr enhance`` makes it, and every step on the way of its one face."""
    import numpy as np

    import edgesr
    from edgesr.enhance.detail import keep_own_detail, signal
    from edgesr.enhance.faces import find_faces, lr_crop, native_crop
    from edgesr.enhance.heatmap import overlay
    from edgesr.enhance.run import Enhancer, Network, Photo
    from edgesr.faces.alignment import transform
    from edgesr.gallery.format import read_gallery
    from edgesr.images.imaging import read_image, resize_bicubic

    model = edgesr.load(bundle_folder)
    gallery = read_gallery(folder / f"python-{name}.gallery")
    rgb = read_image(folder / "photos" / "small.jpg")
    (face,) = find_faces(rgb, detector)
    native = native_crop(rgb, face)
    lr = lr_crop(native, model.config.lr_size)
    landmarks = transform(face.alignment.crop_from_photo(model.config.lr_size), face.landmarks)
    chosen = model.choose(lr, gallery, landmarks=landmarks)
    sr, weights = model.restore(lr, gallery.floats(chosen))
    noisy = np.random.default_rng(7).integers(0, 256, (45, 45, 3), np.uint8) // 32 + resize_bicubic(native, 45, 45) // 2
    whole = Enhancer([Network(model, gallery)], detector).enhance(Photo(rgb.copy()), [face])
    return {
        "landmarks": face.landmarks.tolist(),
        "native": picture(native),
        "lr": picture(lr),
        "sr": picture(sr),
        "chosen": chosen,
        "signal": signal(native, model.config.lr_size),
        "detailed": picture(keep_own_detail(sr, native, model.config.lr_size)),
        "noisy": {
            "native": picture(noisy),
            "signal": signal(noisy, model.config.lr_size),
            "detailed": picture(keep_own_detail(sr, noisy, model.config.lr_size)),
        },
        "weights": weights[0].reshape(-1).astype(float).tolist(),
        "heatmap": picture(overlay(sr, weights[0], 3)),
        "factor": whole.factor,
        "photo": picture(whole.photo.rgb()),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "testdata")
