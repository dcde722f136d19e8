"""Bundles to tamper with, converted once, and the hashes redone as whoever tampers would."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from int8_networks import network

from edgesr.bundle import MANIFEST, hashes
from edgesr.convert import reference
from edgesr.convert.pipeline import convert, make_graphs, plan
from edgesr.convert.plan import Plan
from edgesr.convert.verification import Verification
from edgesr.convert.verify import verify
from edgesr.deployment.graphs import Graphs
from edgesr.models import save_checkpoint


@dataclasses.dataclass(frozen=True)
class Made:
    """A checkpoint and bundles of it by target and precision, converted once for all of pytest's workers."""

    once: Callable[[str, Callable[[Path], object]], Path]

    @property
    def root(self) -> Path:
        return self.once("made", make)

    @property
    def float(self) -> Path:
        return self.root / "tiny"

    @property
    def int8(self) -> Path:
        return self.root / "tiny-int8"

    def checkpoint(self, precision: str) -> Path:
        return self.int8 if precision == "int8-ptq" else self.float

    def bundle(self, target: str, precision: str) -> Path:
        source = self.checkpoint(precision)

        def make_bundle(folder: Path) -> None:
            convert(plan(target, checkpoint=source, precision=precision, output=folder))

        return self.once(f"made-{target}-{precision}", make_bundle)

    def copy(self, target: str, precision: str, to: Path) -> Path:
        return Path(shutil.copytree(self.bundle(target, precision), to / "bundle"))


def make(root: Path) -> None:
    """A tiny float network and its int8 form as checkpoints."""
    checkpoint, quantization = network()
    scales, space = checkpoint.feature_scales, checkpoint.feature_space
    save_checkpoint(root / "tiny", "tiny", checkpoint.model, training={}, feature_scales=scales, feature_space=space)
    save_checkpoint(
        root / "tiny-int8",
        "tiny-int8",
        checkpoint.model,
        training={},
        feature_scales=scales,
        feature_space=space,
        quantization=quantization.to_dict(),
    )


_graphs: dict[str, Graphs] = {}


def graphs_once(plan: Plan) -> Graphs:
    """What a bundle is compared with, exported once for all that is changed in copies of it."""
    quantization = plan.quantization and plan.quantization.to_dict()
    what = (
        plan.checkpoint.sha256,
        plan.target.name,
        plan.precision,
        plan.lowering,
        plan.config.to_dict(),
        quantization,
    )
    key = json.dumps(what, sort_keys=True)
    if key not in _graphs:
        _graphs[key] = make_graphs(plan)
    return _graphs[key]


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and give every file the hash that it has."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    before, manifest["sha256"] = manifest["sha256"], hashes(folder)
    if manifest["sha256"] != before:
        held = [n for n in manifest["sha256"] if any(n.split("/")[0] == f for f in manifest["files"].values())]
        manifest["size_bytes"] = sum((folder / name).stat().st_size for name in held)
    change(manifest)
    path.write_text(json.dumps(manifest))


def refused(folder: Path, checkpoint: Path, named: str) -> Verification:
    """Assert that a check by this name fails, and that no other answer than no is given."""
    edit(folder, lambda manifest: None)
    with mock.patch.object(reference, "make_graphs", graphs_once):
        result = verify(folder, checkpoint)
    assert (result.ok, result.exit_code) == (False, 1)
    assert any(name.startswith(named) for name in result.failed), result.failed
    return result
