"""What a bundle is held against where PyTorch is not installed: the ONNX graphs that were shipped of its network."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgesr.bundle import Bundle
from edgesr.models.interface import Interface
from edgesr.runtime.base import Runtime
from edgesr.runtime.shipped import ShippedGraphs, graphs_of_weights

from .manifest_checks import agreement
from .parity import Check
from .precision import QUANTIZED

OF_THE_NETWORK = ("model", "name", "feature_space", "degradation", "features")
"""Keys of a manifest that are those of its network, in whatever precision."""


@dataclasses.dataclass(frozen=True)
class ShippedReference:
    """A shipped network's graphs beside a bundle of the same weights and sizes."""

    bundle: Bundle
    shipped: ShippedGraphs

    @property
    def interface(self) -> Interface:
        """What goes in and comes out, with the bundle's sizes."""
        return self.bundle.interface

    @property
    def same_files(self) -> bool:
        """Whether the bundle's graphs are the shipped files byte for byte: then they hold what those hold."""
        said, ours = ({g: m["sha256"].get(f) for g, f in m["files"].items()} for m in self._manifests)
        return said == ours

    def runtime(self) -> Runtime:
        """What the artifact must equal."""
        return self.shipped.runtime()

    def checks(self) -> list[Check]:
        """Whether the bundle's manifest is of this network."""
        said, ours = self._manifests
        checks = [agreement(key, agrees=said.get(key) == ours.get(key)) for key in OF_THE_NETWORK]
        return [*checks, agreement("quantization", agrees=said.get("quantization") == ours.get("quantization"))]

    @property
    def _manifests(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.bundle.manifest, self.shipped.manifest


def find_shipped_reference(bundle: Bundle) -> ShippedReference | None:
    """The shipped graphs of the weights that the manifest names, by their SHA-256, if they are of the bundle's sizes.

    None too for a network that was calibrated for this bundle alone: its steps are in no shipped graph.

    Raises:
        BundleError: a shipped file is damaged.
    """
    m = bundle.manifest
    shipped = graphs_of_weights(m["checkpoint_sha256"])
    if shipped is None or any(m.get(size) != shipped.manifest[size] for size in ("lr_size", "slots")):
        return None
    if (m["precision"] in QUANTIZED) != (shipped.manifest["precision"] in QUANTIZED):
        return None
    return ShippedReference(bundle, shipped)
