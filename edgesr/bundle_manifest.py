"""What ``manifest.json`` must say: read and checked to the last key we use, before anything of it is used."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path, PurePosixPath
from typing import Any

from edgesr.errors import BundleError, CheckpointError
from edgesr.files.reading import open_plain
from edgesr.models.architecture import NetworkConfig
from edgesr.models.interface import Interface
from edgesr.models.registry import FIRST, architecture_named
from edgesr.residency import residencies_from_dict

FORMAT_VERSION = 1
REQUIRED = {
    "name": str,
    "target": str,
    "precision": str,
    "lowering": str,
    "files": dict,
    "sha256": dict,
    "model": dict,
    "tensors": dict,
    "feature_space": str,
    "parity": dict,
    "checkpoint_sha256": str,
    "size_bytes": int,
}
MOST_BYTES = 16 << 20
"""The most bytes of a manifest; the largest we write, with every operator listed, has a few hundred kB."""
MOST_FILES = 1000
DTYPES = ("float32", "float16", "int8", "uint8", "int32")
AGAIN = "convert again"

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest that is what its format asks for.

    Raises:
        FileNotFoundError, NotADirectoryError: it is not there.
        BundleError: unreadable, of another version, or something in it is missing or of another kind.
    """
    try:
        with open_plain(path) as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        manifest = json.loads(content)
        json.dumps(manifest, ensure_ascii=False).encode()  # no halves of surrogate pairs: they break printing and paths
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"cannot read {path}: {str(error).encode('ascii', 'replace').decode()}", AGAIN) from error
    if not isinstance(manifest, dict) or manifest.get("format") != "edgesr-bundle":
        raise BundleError(f"{path} does not describe an edgesr bundle")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {manifest.get('format_version')!r:.40}",
            f"this edgesr reads version {FORMAT_VERSION}: update edgesr or convert again",
        )
    for key, kind in REQUIRED.items():
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"{path} has no proper {key!r}", AGAIN)
    try:
        interface = config_in(manifest).interface
    except CheckpointError as error:
        raise BundleError(f"{path} describes no network: {error.what}", AGAIN) from error
    _check_files(path, manifest)
    _check_tensors(path, manifest["tensors"], interface)
    _check_features(path, manifest.get("features"), interface)
    _check_residency(path, manifest)
    _check_quantization(path, manifest.get("quantization"))
    return manifest


def config_in(manifest: dict[str, Any]) -> NetworkConfig:
    """What a manifest says of its network.

    Raises:
        CheckpointError: an unknown architecture, or a configuration that is none of it.
    """
    config: NetworkConfig = architecture_named(manifest.get("architecture", FIRST)).config.from_dict(manifest["model"])
    return config


def _check_files(path: Path, manifest: dict[str, Any]) -> None:
    for key in ("sha256", "files"):
        if len(manifest[key]) > MOST_FILES:
            raise BundleError(f"{path} lists more than {MOST_FILES} files", AGAIN)
        for name, value in manifest[key].items():
            file = name if key == "sha256" else value
            if not isinstance(value, str) or not _is_file_name(file):
                raise BundleError(f"{path} has no proper {key!r}: {name!r:.60}", AGAIN)
            if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
                raise BundleError(f"{path} names a file outside the bundle: {file}", "do not use it")
            if key == "sha256" and not _SHA256.fullmatch(value):
                raise BundleError(f"{path} has no proper hash of {name}", AGAIN)


def _is_file_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name.encode()) <= 1000 and name.isprintable()


def _check_tensors(path: Path, tensors: dict[str, Any], interface: Interface) -> None:
    """Every tensor that is described has the number of values that the network's configuration asks for."""
    low, high = interface.lr_size, interface.hr_size
    sizes: dict[str, dict[str, tuple[int, ...]]] = {
        "exemplar": {"NCHW": (1, 3, high, high), "NHWC": (1, high, high, 3)},
        "lr": {"NCHW": (1, 3, low, low), "NHWC": (1, low, low, 3)},
        "sr": {"NCHW": (1, 3, high, high), "NHWC": (1, high, high, 3)},
        "valid": {"N": (interface.slots,)},
        "weights": {"NHW": (interface.slots, low, low)},
    }
    for graph, sides in tensors.items():
        n = 1 if graph == "encode" else interface.slots
        for name, shape in interface.kept.items():
            sizes[name] = {"NC": (n, *shape)} if len(shape) == 1 else {"NHWC": (n, *shape)}
            if len(shape) == 3:
                sizes[name]["NCHW"] = (n, shape[2], *shape[:2])
        good = graph in ("encode", "restore") and isinstance(sides, dict)
        if not good or not all(isinstance(sides.get(side), list) for side in ("inputs", "outputs")):
            raise BundleError(f"{path} has no proper tensors of {graph!r:.40}", AGAIN)
        for tensor in (*sides["inputs"], *sides["outputs"]):
            if not _is_tensor(tensor, sizes):
                raise BundleError(f"{path} describes no tensor of this network: {tensor!r:.120}", AGAIN)


def _is_tensor(tensor: Any, sizes: dict[str, dict[str, tuple[int, ...]]]) -> bool:
    if not isinstance(tensor, dict):
        return False
    name, layout = tensor.get("name"), tensor.get("layout")
    texts = (name, layout, tensor.get("file_name", name), tensor.get("dtype", "float32"))
    if not all(isinstance(text, str) for text in texts):
        return False
    expected = sizes.get(str(name), {}).get(str(layout))
    return expected is not None and tensor.get("shape") == list(expected) and texts[3] in DTYPES


def _check_features(path: Path, features: Any, interface: Interface) -> None:
    """Bundles of before galleries say nothing of how features are stored; what is said must fit the network."""
    if features is None:
        return
    parts = features.get("parts") if isinstance(features, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise BundleError(f"{path} has no proper 'features'", AGAIN)
    for key, kept in (("maps", interface.feature_maps), ("codes", interface.codes)):
        # Bundles of before networks of several maps say nothing of them: they have one, whose parts are looked at.
        if (said := features.get(key)) is not None and said != [one.to_list() for one in kept]:
            raise BundleError(f"{path} has features of other {key} than its network: {said!r:.120}", AGAIN)
    channels = [(part.get("name"), part.get("channels")) for part in parts]
    scales = [part.get("int8_scale") for part in parts]
    if channels != list(interface.parts.items()) or not all(map(_is_scale, scales)):
        raise BundleError(f"{path} has features of other parts than its network: {channels!r:.80}", AGAIN)


def _check_residency(path: Path, manifest: dict[str, Any]) -> None:
    try:
        graphs = residencies_from_dict(manifest.get("residency")).keys()
    except ValueError as error:
        raise BundleError(f"{path} has no proper 'residency': {error}", AGAIN) from error
    if not graphs <= {"encode", "restore"}:
        raise BundleError(f"{path} has the residency of other graphs than its own", AGAIN)


def _check_quantization(path: Path, said: Any) -> None:
    """What an int8 bundle says of how its network came about; others say nothing."""
    if said is None:
        return
    recipe = said.get("recipe") if isinstance(said, dict) else None
    texts = (said.get("method"), said.get("float_name"), recipe.get("name")) if isinstance(recipe, dict) else (None,)
    if not all(isinstance(text, str) for text in texts):
        raise BundleError(f"{path} has no proper 'quantization'", AGAIN)


def _is_scale(value: Any) -> bool:
    """A step of int8 features, or None where the network has none."""
    return value is None or (isinstance(value, float) and math.isfinite(value) and 2.0**-40 <= value <= 2.0**40)
