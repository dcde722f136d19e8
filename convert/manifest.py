"""``manifest.json``: what a bundle holds and how an app must feed it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.bundle import FORMAT_VERSION, MANIFEST, hashes
from edgesr.models.interface import Interface
from edgesr.models.registry import architecture_of
from edgesr.quantize.scheme import Quantization
from edgesr.residency import residencies_to_dict
from edgesr.versions import installed_versions

from .parity import Parity
from .precision import Precision
from .target import Conversion, Target

if TYPE_CHECKING:
    from edgesr.deployment.graphs import Graphs
    from edgesr.models import Checkpoint


def write_manifest(
    folder: Path,
    checkpoint: Checkpoint,
    target: Target,
    precision: Precision,
    graphs: Graphs,
    conversion: Conversion,
    parity: Parity,
    seconds: float,
    quantization: Quantization | None = None,
    int8_convs: dict[str, dict[str, int]] | None = None,
    further: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the manifest of the files that lie in ``folder``, with ``further`` keys of its target, and return it."""
    config, interface = graphs.config, graphs.interface
    sha256 = hashes(folder)
    artifact = [f for f in sha256 if any(f == name or f.startswith(f"{name}/") for name in conversion.files.values())]
    manifest = {
        "format": "edgesr-bundle",
        "format_version": FORMAT_VERSION,
        "name": checkpoint.name,
        "target": target.name,
        "precision": precision,
        "precision_got": conversion.computes_in,
        "lowering": graphs.lowering,
        "size_bytes": sum((folder / f).stat().st_size for f in artifact),
        "seconds": round(seconds, 2),
        "parity": parity.to_dict(),
        "delegation": conversion.delegation,
        "residency": residencies_to_dict(conversion.residency),
        "files": conversion.files,
        "sha256": sha256,
        "scale": interface.scale,
        "lr_size": interface.lr_size,
        "slots": interface.slots,
        "architecture": architecture_of(config).name,
        "model": config.to_dict(),
        "tensors": conversion.tensors,
        "value_ranges": value_ranges(interface),
        "pre_processing": PRE_PROCESSING,
        "post_processing": POST_PROCESSING,
        "features": describe_features(checkpoint, interface),
        "feature_space": checkpoint.feature_space,
        "degradation": checkpoint.degradation,
        "arithmetic": conversion.arithmetic,
        "operators": conversion.operators,
        "int8_convs": int8_convs or {},
        "checkpoint_sha256": checkpoint.sha256,
        "quantization": quantization.to_dict() if quantization else None,
        "golden": "golden.safetensors",
        "toolchain": conversion.toolchain,
        "tools": installed_versions(),
        **conversion.further,
        **(further or {}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def value_ranges(interface: Interface) -> dict[str, str]:
    """What each tensor of both graphs holds."""
    return {
        "exemplar": "RGB in [0, 1]",
        "lr": "RGB in [0, 1]",
        **dict.fromkeys(interface.kept, "any real number"),
        "valid": "1 where the slot holds an exemplar, 0 where it is empty",
        "sr": "RGB, nominally [0, 1]; clamp",
        "weights": "[0, 1]; 0 in an empty slot",
    }


PRE_PROCESSING = [
    "align the face by eyes and mouth corners as CelebA-HQ does",
    "exemplar: crop at hr_size; lr: crop at lr_size",
    "divide 8-bit RGB by 255",
    "features of empty slots: zeros",
]
POST_PROCESSING = ["clamp sr to [0, 1]", "multiply by 255 and round"]


def describe_features(checkpoint: Checkpoint, interface: Interface) -> dict[str, Any]:
    """How features are stored, the same for every target: layout, maps and codes, int8 steps of the maps' parts.

    ``maps`` and ``codes`` are those of a gallery's section. ``shape`` of a network's one map is for apps that know no
    more.
    """
    shapes = [list(shape) for shape in interface.kept.values()]
    return {
        "stored_layout": "NHWC",
        **({"shape": shapes[0]} if len(shapes) == 1 else {}),
        "maps": [one.to_list() for one in interface.feature_maps],
        "codes": [one.to_list() for one in interface.codes],
        "parts": [
            {"name": name, "channels": channels, "int8_scale": checkpoint.feature_scales.get(name)}
            for name, channels in interface.parts.items()
        ],
    }
