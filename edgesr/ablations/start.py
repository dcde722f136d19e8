"""What the rows of an ablation start from: trained weights, of which each row takes over what all rows have.

A row that starts from the network of another row starts ahead of the rest. So where rows are of different networks,
each takes over the tensors that all of them have by the same name and of the same shape, and what is a row's own stays
as its seed makes it. Rows of one network take over all weights.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from edgesr.errors import UsageError
from edgesr.models import Checkpoint
from edgesr.models.architecture import NetworkConfig
from edgesr.models.registry import architecture_of
from edgesr.training.setup import initial_weights

if TYPE_CHECKING:
    from edgesr.ablations.definitions import Row

WITHOUT = 1
"""Length of the slot probabilities of a network that is trained without exemplars."""


@dataclasses.dataclass(frozen=True)
class Start:
    """Weights, and which of them every row takes over."""

    checkpoint: Checkpoint
    shared: frozenset[str] | None
    """Names of the tensors that all rows have; None where all rows are of one network, and take over everything."""

    @classmethod
    def of(cls, checkpoint: Checkpoint, rows: Sequence[Row]) -> Start:
        """What ``rows``, all of those that are compared, can start from.

        Raises:
            UsageError: the checkpoint is of another network, so that it lacks a tensor that all rows have; or they
                have none in common.
        """
        networks = list({_told_apart(row.network): row.network for row in rows}.values())
        if len(networks) == 1:
            return cls(checkpoint, None)
        shapes = [_shapes(network) for network in networks]
        common = {name for name, shape in shapes[0].items() if all(other.get(name) == shape for other in shapes)}
        given = {name: tensor.shape for name, tensor in checkpoint.model.state_dict().items()}
        lacking = sorted(name for name in common if given.get(name) != shapes[0][name])
        if lacking or not common:
            what = f"{checkpoint.name} has no {lacking[0]} of their shape" if lacking else "no tensor is in all of them"
            raise UsageError(
                f"the rows cannot share a start: {what}",
                "--init takes a network of the rows' own scale and widths (docs/ablations.md says how to train one)",
            )
        return cls(checkpoint, frozenset(common))

    def weights(self, row: Row) -> dict[str, Tensor]:
        """The whole state that a row starts from.

        Raises:
            UsageError: the checkpoint is of another network than the rows.
        """
        if self.shared is None:
            return initial_weights(self.checkpoint, row.network)
        given = self.checkpoint.model.state_dict()
        own = _fresh(row.network, row.training.seed)
        return {name: given[name].clone() if name in self.shared else tensor for name, tensor in own.items()}

    @property
    def identity(self) -> str:
        """What runs must agree on: the weights, and which tensors of them were taken over."""
        if self.shared is None:
            return self.checkpoint.sha256
        names = "\n".join(sorted(self.shared))
        return f"{self.checkpoint.sha256}/{hashlib.sha256(names.encode()).hexdigest()[:16]}"

    @property
    def tensors(self) -> int:
        """How many tensors every row takes over; 0 where that is all."""
        return len(self.shared or ())

    @property
    def parameters(self) -> int:
        """How many numbers those hold."""
        given = self.checkpoint.model.state_dict()
        return sum(given[name].numel() for name in self.shared or ())

    def told(self) -> list[str]:
        """What the rows have in common, and whether that favours some of them."""
        if self.shared is None:
            return [f"every row starts from all weights of {self.checkpoint.name}"]
        lines = [
            f"every row takes over {self.tensors} tensors ({self.parameters:,} parameters) of {self.checkpoint.name},"
            " those that all rows have; the rest starts at random"
        ]
        trained: dict[str, Any] = self.checkpoint.training.get("train_config", {})
        if len(trained.get("curriculum", {}).get("slot_probabilities", ())) != WITHOUT:
            lines.append(
                f"note: {self.checkpoint.name} was trained with exemplars, which favours rows of its own network; "
                "edgesr train --slot-probabilities 1 makes a start that favours none"
            )
        return lines


def _told_apart(network: NetworkConfig) -> tuple[str, str]:
    """What two configurations share whose weights are the same."""
    architecture = architecture_of(network)
    fields = {name: value for name, value in network.to_dict().items() if name not in architecture.free}
    return architecture.name, repr(sorted(fields.items()))


def _shapes(network: NetworkConfig) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in _fresh(network, 0).items()}


def _fresh(network: NetworkConfig, seed: int) -> dict[str, Tensor]:
    """The state that ``Trainer`` gives a network at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state: dict[str, Tensor] = architecture_of(network).build(network).state_dict()
    return state
