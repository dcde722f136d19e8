"""What lies beside the networks in a web bundle: page, detector, and ``booth.json``, which the page reads first."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgesr.booth import site
from edgesr.booth.served import BOOTH, DETECTOR
from edgesr.booth.server import compressed
from edgesr.bundle import MANIFEST
from edgesr.bundle_manifest import read_manifest
from edgesr.errors import BundleError, InputOutputError
from edgesr.faces.yunet import YUNET, find_yunet, is_genuine
from edgesr.models.description import sha256_of
from edgesr.release import __version__

from ..target import Report

FORMAT, FORMAT_VERSION = "edgesr-booth", 1


def detector_file(report: Report) -> Path:
    """YuNet's file: the package's, or the one that the environment variable names.

    Raises:
        UnavailableError: the file that the variable names is not there.
        InputOutputError: the package's file is damaged.
    """
    path = find_yunet()
    if not is_genuine(path):
        if path == YUNET:
            raise InputOutputError(f"{path} is not the detector that edgesr knows", "install edgesr again")
        report(f"{path} is not the YuNet that edgesr was measured with; it is used all the same")
    return path


def fill(folder: Path, default: str, report: Report) -> dict[str, Any]:
    """Put page, detector and ``booth.json`` into a folder that holds ``models``; returns what ``booth.json`` says."""
    page = site.site_folder()
    for name in site.site_files(page):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page / name, folder / name)
    (folder / DETECTOR).parent.mkdir()
    shutil.copyfile(detector_file(report), folder / DETECTOR)
    booth = describe(folder, default)
    (folder / BOOTH).write_text(json.dumps(booth, indent=2) + "\n")
    return booth


def describe(folder: Path, default: str) -> dict[str, Any]:
    """What ``booth.json`` says (docs/web.md) of a folder that holds models and detector, with the installed page.

    ``default`` is the key of the network to start with.

    Raises:
        BundleError: a network's manifest cannot be read, or there is none by that key.
        UnavailableError: the page is not built.
    """
    page = site.site_folder()
    keys = sorted(path.parent.name for path in (folder / "models").glob(f"*/{MANIFEST}"))
    if default not in keys:
        raise BundleError(f"{folder} has no models/{default}", "convert again")
    manifests = {key: read_manifest(folder / "models" / key / MANIFEST) for key in (default, *keys)}
    models = {key: _model(folder, key, manifest) for key, manifest in manifests.items()}
    names = site.site_files(page)
    data = [DETECTOR, *(model[role] for model in models.values() for role in ("manifest", "encode", "restore"))]
    runtime = [*site.WASM, *(webgpu := site.webgpu_files(names))]
    sha256 = {name: sha256_of(folder / name) for name in data} | {name: sha256_of(page / name) for name in names}
    plain = {name: value for name, value in sha256.items() if Path(name).name != MANIFEST}
    first = sorted(
        [*site.first_visit(names), DETECTOR, *(models[default][role] for role in ("manifest", "encode", "restore"))]
    )
    said = manifests[default]
    booth: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "build_id": build_id({name: plain[name] for name in sorted(plain)}),
        "edgesr": __version__,
        "name": (said.get("quantization") or {}).get("float_name") or said["name"],
        "feature_space": said["feature_space"],
        "scale": said["model"]["scale"],
        "lr_size": said["model"]["lr_size"],
        "slots": said["model"]["slots"],
        "default_precision": default,
        "models": models,
        "detector": {
            "file": DETECTOR,
            "bytes": (folder / DETECTOR).stat().st_size,
            "sha256": sha256[DETECTOR],
            "name": "YuNet",
            "licence": "MIT",
        },
        "runtime": {
            "name": "onnxruntime-web",
            "version": site.runtime_version(),
            "folder": site.RUNTIME_FOLDER,
            "wasm": list(site.WASM),
            "webgpu": webgpu,
        },
        "sha256": {name: sha256[name] for name in (*data, *runtime)},
        "first_visit": [*first, BOOTH],
    }
    places = {name: (page if name in names else folder) / name for name in first}
    sizes = [len(compressed(path.read_bytes())) for path in places.values()]
    own = len(compressed(json.dumps(booth, indent=2).encode()))
    return {**booth, "first_visit_bytes": sum(sizes) + own}


def build_id(sha256: Mapping[str, str]) -> str:
    """A hash of what the page may fetch and of edgesr's version; conversions of the same weights have the same."""
    return hashlib.sha256(json.dumps([__version__, sha256], sort_keys=True).encode()).hexdigest()[:16]


def _model(folder: Path, key: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    files = {role: f"models/{key}/{file}" for role, file in manifest["files"].items()}
    return {
        "precision": manifest["precision"],
        "manifest": f"models/{key}/{MANIFEST}",
        **files,
        "bytes": sum((folder / file).stat().st_size for file in files.values()),
    }
