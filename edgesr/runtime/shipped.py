"""Shipped networks as ONNX graphs beside their weights: what computes them where PyTorch is not installed.

They lie in the checkpoint's folder below ``onnx``, with the manifest of the bundle that they were converted as; its
golden vectors, which would be as large as the graphs, are left out. ``tools/shipped_graphs.py`` makes them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edgesr.bundle_manifest import read_manifest
from edgesr.errors import BundleError, UnavailableError
from edgesr.models.architecture import NetworkConfig
from edgesr.models.description import (
    SHIPPED,
    Description,
    find_checkpoint,
    read_description,
    sha256_of,
    shipped_names,
)
from edgesr.process.extras import install_hint
from edgesr.runtime.base import Runtime
from edgesr.runtime.engines import open_engine

FOLDER, MANIFEST = "onnx", "manifest.json"
AGAIN = "install edgesr again"


@dataclasses.dataclass(frozen=True)
class ShippedGraphs:
    """The graphs of one network, whose files are what the manifest says they are."""

    folder: Path
    manifest: dict[str, Any]
    described: Description
    """What the checkpoint's ``config.json`` says of the network."""

    def runtime(self, threads: int | None = None) -> Runtime:
        """The graphs on ONNX Runtime; ``threads`` as ``edgesr.process.threads`` chooses where it is None."""
        return open_engine(
            "onnx", self.folder, self.manifest["files"], self.config.interface, self.manifest["tensors"], threads
        )

    @property
    def config(self) -> NetworkConfig:
        """The network's configuration, with the sizes that the graphs were made for."""
        return self.described.config.replace(lr_size=self.manifest["lr_size"], slots=self.manifest["slots"])


def names_with_graphs() -> list[str]:
    """The shipped networks that there are graphs of."""
    return [name for name in shipped_names() if (SHIPPED / name / FOLDER / MANIFEST).is_file()]


def shipped_graphs(name_or_path: str | Path) -> ShippedGraphs:
    """The graphs of a checkpoint.

    Raises:
        CheckpointError: there is no such checkpoint, or its description is damaged.
        UnavailableError: there are none of it, so that only PyTorch computes it.
        BundleError: a file is damaged.
    """
    checkpoint = find_checkpoint(name_or_path)
    folder = checkpoint / FOLDER
    if not (folder / MANIFEST).is_file():
        raise UnavailableError(
            f"{name_or_path} needs PyTorch, which is not installed; without it there are "
            f"{', '.join(names_with_graphs()) or 'no networks'}, and every converted bundle",
            install_hint("convert"),
        )
    manifest = read_manifest(folder / MANIFEST)
    for file in manifest["files"].values():
        if not (folder / file).is_file() or sha256_of(folder / file) != manifest["sha256"].get(file):
            raise BundleError(f"{folder / file} is not the file that was shipped", AGAIN)
    return ShippedGraphs(folder, manifest, read_description(checkpoint))


def graphs_of_weights(sha256: str) -> ShippedGraphs | None:
    """The graphs that were made of the weights with this SHA-256; None where no shipped ones were.

    Raises:
        BundleError: a file is damaged.
    """
    for name in names_with_graphs():
        if read_manifest(SHIPPED / name / FOLDER / MANIFEST)["checkpoint_sha256"] == sha256:
            return shipped_graphs(name)
    return None
