"""The network that a bundle was made of: found by the SHA-256 that its manifest names, never by a name."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

from edgesr.bundle import Bundle
from edgesr.deployment.graphs import Graphs
from edgesr.errors import CheckpointError, EdgesrError
from edgesr.models import Checkpoint, load_checkpoint
from edgesr.models.architecture import NetworkConfig
from edgesr.models.checkpoint import SHIPPED, WEIGHTS, sha256_of, shipped_names
from edgesr.models.interface import Interface
from edgesr.quantize.scheme import Quantization
from edgesr.runtime.base import Runtime

from .manifest_checks import network_checks, quantization_check, sized_config
from .parity import Check
from .pipeline import make_graphs
from .plan import Plan
from .precision import QUANTIZED
from .quantized import quantization_for, reference_runtime
from .targets import target_named


@dataclasses.dataclass(frozen=True)
class Reference:
    """A checkpoint beside the bundle that was made of it."""

    bundle: Bundle
    checkpoint: Checkpoint
    expected: Quantization | None
    """The checkpoint's own quantization for the bundle's target; None of a float one."""

    @property
    def config(self) -> NetworkConfig:
        """The network's, with the bundle's sizes."""
        return sized_config(self.bundle, self.checkpoint)

    @property
    def quantization(self) -> Quantization | None:
        """What the bundle's graphs are quantized by: the checkpoint's, or what it was calibrated with."""
        stored = self.bundle.manifest.get("quantization")
        if self.bundle.manifest["precision"] not in QUANTIZED:
            return None
        return self.expected or Quantization.from_dict(stored or {})

    @property
    def interface(self) -> Interface:
        """What goes in and comes out, with the bundle's sizes."""
        return self.config.interface

    @functools.cached_property
    def graphs(self) -> Graphs:
        """The graphs that the artifact was converted of."""
        return make_graphs(self.plan)

    def runtime(self) -> Runtime:
        """What the artifact must equal."""
        return reference_runtime(self.checkpoint, self.interface, self.quantization, self.graphs)

    def checks(self) -> list[Check]:
        """Whether the bundle's manifest is of this network."""
        checks = list(network_checks(self.bundle, self.checkpoint))
        try:
            checks.append(quantization_check(self.bundle, self.checkpoint, self.expected))
            if self.quantization and all(check.ok for check in checks) and not self._has_its_points():
                checks[-1] = dataclasses.replace(checks[-1], ok=False, value=0.0)
        except (EdgesrError, KeyError, TypeError, AttributeError):  # the manifest's, which may be anything
            checks.append(Check("manifest: quantization", False, 0.0, 1.0))
        return checks

    def _has_its_points(self) -> bool:
        """Whether the points are those that the network's graphs have, none more and none less."""
        try:
            return bool(self.graphs)
        except CheckpointError:
            return False

    @property
    def plan(self) -> Plan:
        """The conversion that would make the bundle."""
        m = self.bundle.manifest
        return Plan(
            self.checkpoint,
            target_named(m["target"]),
            m["precision"],
            m["lowering"],
            self.config,
            self.bundle.folder,
            self.quantization,
        )


def find_reference(bundle: Bundle, checkpoint: str | Path | None) -> Reference | None:
    """The network the bundle was made from, if it is here: given, shipped, or shipped as the given one's int8 form.

    Raises:
        CheckpointError: a checkpoint is given, and the bundle was made neither from it nor from its int8 form.
    """
    given = load_checkpoint(checkpoint, quantized=True) if checkpoint else None
    for candidate in _candidates(bundle, given):
        made_of = (candidate.quantization or {}).get("float_sha256")
        if given is None or candidate is given or made_of == given.sha256:
            own = Quantization.from_dict(candidate.quantization) if candidate.quantization else None
            return Reference(
                bundle, candidate, quantization_for(target_named(bundle.manifest["target"]), candidate, own)
            )
    if given:
        raise CheckpointError(
            f"{bundle.folder} was not made from {checkpoint}", "its SHA-256 is not the one in the manifest"
        )
    return None


def _candidates(bundle: Bundle, given: Checkpoint | None) -> Iterator[Checkpoint]:
    wanted = bundle.manifest["checkpoint_sha256"]
    if given is not None and given.sha256 == wanted:
        yield given
    for name in shipped_names():
        weights = SHIPPED / name / WEIGHTS
        if weights.is_file() and sha256_of(weights) == wanted:
            yield load_checkpoint(name, quantized=True)
