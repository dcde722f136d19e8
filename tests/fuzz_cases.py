"""What the fuzzer reads: for each kind of file damaged inputs of ours, and what must hold of those that are taken."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy
from galleries import gallery, of_two_networks
from make_galleries import OLD
from mutations import damage, damaged_json, damaged_safetensors
from PIL import Image

from edgesr.bundle import GOLDEN, MANIFEST, golden_names, hashes, open_bundle
from edgesr.gallery.format import decode_gallery, encode_gallery, read_gallery
from edgesr.models.hime.config import HIMEConfig

Case = Callable[[random.Random], None]
"""Reads one damaged input; raises ``EdgesrError`` or returns, anything else is a finding."""


class Wrong(Exception):  # noqa: N818 (a finding)
    """A reader took something that is not what it must be."""


def gallery_case(folder: Path) -> Case:
    kinds = [gallery(1, 2), gallery(3, dtype="fp16"), gallery(4, 5, names=True, embedded=True), gallery()]
    originals = [b"".join(encode_gallery(one)) for one in (*kinds, of_two_networks(6, 7, 8))]
    # Version 1 had no hash of its content: whatever of it is read must go there and back.
    old = [path.read_bytes() for path in sorted(OLD.glob("*.gallery")) if path.stat().st_size < MOST_OLD]
    path = folder / "a.gallery"

    def case(rng: random.Random) -> None:
        original = rng.choice(rng.choice((originals, old)))
        content = damaged_safetensors(original, rng)
        if rng.random() < 0.1:
            path.write_bytes(content)
            read = read_gallery(path)
        else:
            read = decode_gallery(content)
        again = decode_gallery(b"".join(encode_gallery(read)))
        if original in originals and content != original:
            raise Wrong("a gallery with changed bytes was taken")
        floats = read.floats()
        if len(again) != len(read) or not np.isfinite(floats).all() or floats.nbytes > 8 * len(content):
            raise Wrong("what was read cannot be written and read again")

    return case


def small_bundle(folder: Path) -> Path:
    """A bundle whose model is never loaded, with golden vectors."""
    from conftest import TINY

    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "model.pte").write_bytes(b"model" * 100)
    vectors = {name: np.full((1, 2, 2), i, np.float32) for i, name in enumerate(golden_names(HIMEConfig().interface))}
    safetensors.numpy.save_file(vectors, bundle / GOLDEN)
    spec = {"name": "exemplar", "file_name": "x", "shape": [1, 3, 32, 32], "layout": "NCHW", "dtype": "float32"}
    parts = [{"name": "f_ref", "channels": 8, "int8_scale": 0.1}, {"name": "g_ref", "channels": 8, "int8_scale": 0.1}]
    manifest = {
        "format": "edgesr-bundle",
        "format_version": 1,
        "target": "executorch",
        "precision": "fp32",
        "lowering": "rows",
        "files": {"model": "model.pte"},
        "sha256": hashes(bundle),
        "model": TINY.to_dict(),
        "tensors": {g: {"inputs": [spec], "outputs": [spec]} for g in ("encode", "restore")},
        "features": {"stored_layout": "NHWC", "shape": [8, 8, 16], "parts": parts},
        "feature_space": "tiny-0a1b2c3d4e5f",
        "parity": {"checks": []},
        "checkpoint_sha256": "0" * 64,
    }
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    return bundle


def use(folder: Path) -> None:
    """What every command does with a bundle before its runtime sees the model."""
    bundle = open_bundle(folder)
    sizes = bundle.config.slots, bundle.config.lr_size, bundle.interface.feature_maps[0].channels
    scales = bundle.feature_scales
    texts = bundle.feature_space, bundle.manifest["target"]
    good = all(isinstance(n, int) for n in sizes) and all(isinstance(t, str) for t in texts)
    if not good or not all(isinstance(step, float) and step > 0 for step in scales.values()):
        raise Wrong(f"a manifest says {sizes}, {texts}, {scales}")
    bundle.golden()


def manifest_case(folder: Path) -> Case:
    bundle = small_bundle(folder)
    path = bundle / MANIFEST
    original = path.read_bytes()

    def case(rng: random.Random) -> None:
        path.write_bytes(damaged_json(original, rng) if rng.random() < 0.7 else damage(original, rng))
        use(bundle)

    return case


def bundle_case(folder: Path) -> Case:
    bundle = small_bundle(folder)
    manifest = json.loads((bundle / MANIFEST).read_text())
    originals = {name: (bundle / name).read_bytes() for name in manifest["sha256"]}

    def case(rng: random.Random) -> None:
        for name, content in originals.items():
            (bundle / name).write_bytes(content)
        (bundle / MANIFEST).write_text(json.dumps(manifest))
        name = rng.choice(list(originals))
        changed = damaged_safetensors(originals[name], rng) if name == GOLDEN else damage(originals[name], rng)
        (bundle / name).write_bytes(changed)
        if name == GOLDEN and rng.random() < 0.8:  # with its right hash, so that it is read
            sha256 = manifest["sha256"] | {name: hashlib.sha256(changed).hexdigest()}
            (bundle / MANIFEST).write_text(json.dumps(manifest | {"sha256": sha256}))
            use(bundle)
        elif changed != originals[name]:
            use(bundle)
            raise Wrong(f"a changed {name} was not noticed")

    return case


def checkpoint_case(folder: Path) -> Case:
    import torch
    from conftest import TINY, lively

    from edgesr.models.checkpoint import CONFIG, WEIGHTS, load_checkpoint, save_checkpoint

    save_checkpoint(folder / "tiny", "tiny", lively(TINY), training={}, feature_scales={"f_ref": 0.1, "g_ref": 0.1})
    config, weights = folder / "tiny" / CONFIG, folder / "tiny" / WEIGHTS
    originals = config.read_bytes(), weights.read_bytes()

    def case(rng: random.Random) -> None:
        config.write_bytes(originals[0])
        weights.write_bytes(originals[1])
        if rng.random() < 0.5:
            config.write_bytes(damaged_json(originals[0], rng) if rng.random() < 0.7 else damage(originals[0], rng))
        else:
            weights.write_bytes(damaged_safetensors(originals[1], rng))
        loaded = load_checkpoint(folder / "tiny", quantized=True)
        finite = all(torch.isfinite(value).all() for value in loaded.model.state_dict().values())
        if not finite or not all(0 < step < float("inf") for step in loaded.feature_scales.values()):
            raise Wrong(f"a checkpoint has scales {loaded.feature_scales}, or weights that are not finite")

    return case


def tiny_photos() -> dict[str, bytes]:
    """A photo of 48x36 pixels in each format that is read, with metadata where the format takes them."""
    from PIL import ImageCms
    from pillow_heif import register_heif_opener

    register_heif_opener()
    y, x = np.mgrid[0:36, 0:48]
    pixels = Image.fromarray(np.stack([x * 5, y * 7, (x + y) * 3], axis=-1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x013B], exif[0x9C9B] = 6, "J\u00fcrgen".encode(), "title".encode("utf-16-le")
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "comment".encode("utf-16-le")
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    common = {"exif": exif.tobytes(), "icc_profile": profile}
    saved = {
        "jpg": ("JPEG", pixels, {**common, "dpi": (300, 300), "comment": b"a comment"}),
        "png": ("PNG", pixels, {**common, "dpi": (300, 300)}),
        "p.png": ("PNG", pixels.convert("P"), {"transparency": 3}),
        "l.png": ("PNG", pixels.convert("L"), {}),
        "16.png": ("PNG", Image.fromarray((x * 900).astype(np.uint16)), {}),
        "webp": ("WEBP", pixels, common),
        "lossless.webp": ("WEBP", pixels.convert("RGBA"), {"lossless": True}),
        "tif": ("TIFF", pixels, {"dpi": (600, 600), "icc_profile": profile}),
        "deflate.tif": ("TIFF", pixels, {"compression": "tiff_deflate"}),
        "cmyk.tif": ("TIFF", pixels.convert("CMYK"), {}),
        "bmp": ("BMP", pixels, {}),
        "heic": ("HEIF", pixels, {"exif": exif.tobytes()}),
        "avif": ("AVIF", pixels, {"exif": exif.tobytes()}),
    }
    photos = {}
    for name, (kind, image, options) in saved.items():
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        photos[name] = stream.getvalue()
    return photos


def photo_case(folder: Path) -> Case:
    """Photos as ``enhance`` takes them: what is read can be written in every format, and read again."""
    from edgesr.enhance.photo import decode_photo
    from edgesr.enhance.write import KINDS, write_photo

    originals = tiny_photos()
    written = sorted(KINDS)

    def case(rng: random.Random) -> None:
        name = rng.choice(list(originals))
        photo = decode_photo(folder / name, damage(originals[name], rng))
        if photo.pixels.size == 0 or photo.pixels.size > 200_000_000:
            raise Wrong(f"a photo of {photo.pixels.shape}")
        if max(photo.size) <= 512 and rng.random() < 0.3:
            output = folder / f"out{rng.choice(written)}"
            write_photo(photo, output)
            again = decode_photo(output, output.read_bytes())
            if again.size != photo.size:
                raise Wrong(f"written with {photo.size}, read again with {again.size}")

    return case


def crop_case(folder: Path) -> Case:
    """Photos as galleries and training read them."""
    from edgesr.images.imaging import read_reduced

    originals = tiny_photos()

    def case(rng: random.Random) -> None:
        name = rng.choice(list(originals))
        pixels, _ = read_reduced(folder / name, damage(originals[name], rng), rng.choice((None, 16)))
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise Wrong(f"a photo came as {pixels.dtype} {pixels.shape}")

    return case


MOST_OLD = 20_000
"""Bytes of a sample of version 1 that is small enough to damage often."""
RECIPE = b"""name = "mine"
[[rule]]
layers = "restore.aggregation.*"
precision = "float"
why = "small"
[[rule]]
layers = "encode.*"
precision = "int8"
"""
EVAL_LIST = b"""split,target,ref1,ref2
val,val/ann/01.png,val/ann/02.png,val/ann/03.png
test,test/bob/01.png,test/bob/02.png,
"""
DEVICE = {
    "format": "edgesr-device-results",
    "format_version": 1,
    "device": "a phone",
    "os": "14",
    "results": [{"runtime": "TFLite", "precision": "int8", "graph": "restore", "ms_median": 9.0, "runs": 50}],
}


def text_case(folder: Path) -> Case:
    """Recipes, evaluation lists, device results and configurations."""
    from conftest import TINY

    from edgesr.benchmarking.device_results import read_device_results
    from edgesr.data.faces import eval_splits, read_eval_list
    from edgesr.quantize.recipe import read_recipe
    from edgesr.training.setup import network_config

    deep = [b"[" * 100_000, b'{"a":' * 100_000, b"a = " + b"[" * 100_000, b"a." * 50_000 + b"b = 1"]
    network = json.dumps(TINY.to_dict()).encode()
    recipe = json.dumps({"name": "mine", "rules": [{"layers": "encode.*", "precision": "int8"}]}).encode()

    def lists(path: Path) -> None:
        for split in (*eval_splits(path), "val"):
            read_eval_list(folder, split, 128, path)

    readers: list[tuple[str, bytes, Callable[[Path], object]]] = [
        ("recipe.toml", RECIPE, read_recipe),
        ("recipe.json", recipe, read_recipe),
        ("list.csv", EVAL_LIST, lists),
        ("device.json", json.dumps(DEVICE).encode(), read_device_results),
        ("network.json", network, lambda path: network_config(str(path))),
    ]

    def case(rng: random.Random) -> None:
        name, original, read = rng.choice(readers)
        if rng.random() < 0.02:
            content = rng.choice(deep)
        elif name.endswith(".json") and rng.random() < 0.6:
            content = damaged_json(original, rng)
        else:
            content = damage(original, rng)
        (folder / name).write_bytes(content)
        read(folder / name)

    return case


CASES = {
    "gallery": gallery_case,
    "manifest": manifest_case,
    "bundle": bundle_case,
    "checkpoint": checkpoint_case,
    "photo": photo_case,
    "crop": crop_case,
    "text": text_case,
}
PHOTOS = ("photo", "crop")
"""Readers of images."""
