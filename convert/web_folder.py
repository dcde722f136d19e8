"""What lies beside the networks in a web bundle: page, detector, and ``booth.json``, which the page reads first."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr import __version__
from edgesr.booth import site
from edgesr.booth.server import compressed
from edgesr.bundle import MANIFEST, hashes
from edgesr.errors import InputOutputError
from edgesr.yunet import YUNET, find_yunet, is_genuine

from .target import Report

if TYPE_CHECKING:
    from .pipeline import Proven

BOOTH, FORMAT, FORMAT_VERSION = "booth.json", "edgesr-booth", 1
DETECTOR = "detector/face_detection_yunet.onnx"


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


def fill(folder: Path, forms: Mapping[str, Proven], default: str, report: Report) -> dict[str, Any]:
    """Put page, detector and ``booth.json`` into a folder that holds ``models``; returns what ``booth.json`` says."""
    page = site.site_folder()
    names = site.site_files(page)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page / name, folder / name)
    (folder / DETECTOR).parent.mkdir()
    shutil.copyfile(detector_file(report), folder / DETECTOR)
    booth = describe(folder, forms, default, names)
    (folder / BOOTH).write_text(json.dumps(booth, indent=2) + "\n")
    return booth


def describe(folder: Path, forms: Mapping[str, Proven], default: str, page: list[str]) -> dict[str, Any]:
    """What ``booth.json`` says (docs/web.md) of a folder that holds everything else."""
    sha256 = hashes(folder)
    models = {key: _model(folder, key, form) for key, form in forms.items()}
    fetched = [
        *(model[role] for model in models.values() for role in ("manifest", "encode", "restore")),
        DETECTOR,
        *site.WASM,
        *(webgpu := site.webgpu_files(page)),
    ]
    plan = forms[default].plan
    first = sorted(
        [*site.first_visit(page), DETECTOR, *(models[default][role] for role in ("manifest", "encode", "restore"))]
    )
    booth: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "build_id": build_id({name: sha256[name] for name in (*page, *fetched) if Path(name).name != MANIFEST}),
        "edgesr": __version__,
        "name": (plan.quantization and plan.quantization.float_name) or plan.checkpoint.name,
        "feature_space": plan.checkpoint.feature_space,
        "scale": plan.config.scale,
        "lr_size": plan.config.lr_size,
        "slots": plan.config.slots,
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
        "sha256": {name: sha256[name] for name in fetched},
        "first_visit": [*first, BOOTH],
    }
    sizes = [len(compressed((folder / name).read_bytes())) for name in first]
    own = len(compressed(json.dumps(booth, indent=2).encode()))
    return {**booth, "first_visit_bytes": sum(sizes) + own}


def build_id(sha256: Mapping[str, str]) -> str:
    """Of what the page may fetch, and the edgesr that wrote it; conversions of the same weights have the same."""
    return hashlib.sha256(json.dumps([__version__, sha256], sort_keys=True).encode()).hexdigest()[:16]


def _model(folder: Path, key: str, form: Proven) -> dict[str, Any]:
    files = form.conversion.files
    return {
        "precision": form.plan.precision,
        "manifest": f"models/{key}/{MANIFEST}",
        **files,
        "bytes": sum((folder / file).stat().st_size for file in files.values()),
    }
