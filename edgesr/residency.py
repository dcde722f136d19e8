"""Where a graph's operators run: those that a backend takes, and those that it leaves to the CPU."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

Source = Literal["file", "compiler", "rules"]
"""How it is known: the artifact's own file holds the partitions; the backend's compiler said so when it took the graph;
or rules were applied to the graph (a published list of operators, where there is one); no device has confirmed it."""
MOST_NODES = 1_000_000
MOST_KINDS = 1000


@dataclasses.dataclass(frozen=True)
class Residency:
    """One graph on one backend."""

    backend: str
    """For readers: ``XNNPACK``, ``Hexagon v75``."""
    nodes: int
    """Operators that it takes."""
    of: int
    """Operators that the graph has."""
    partitions: int
    """Stretches that it computes at once; between two of them the tensors go through the CPU."""
    left: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Operators that the CPU computes, by type with their count."""
    source: Source = "file"

    def __post_init__(self) -> None:
        counts = (self.nodes, self.of, self.partitions, *self.left.values())
        if not all(type(count) is int and 0 <= count <= MOST_NODES for count in counts):
            raise ValueError(f"residency on {self.backend} has a count that is none: {counts!r:.120}")
        if self.nodes + sum(self.left.values()) != self.of or self.partitions > self.nodes:
            raise ValueError(f"residency on {self.backend} does not add up")
        if (self.nodes > 0) != (self.partitions > 0):
            raise ValueError(f"residency on {self.backend} has nodes without a partition, or one without nodes")

    @classmethod
    def from_dict(cls, fields: Any) -> Residency:
        """Raises ValueError: a field is missing or impossible."""
        if not isinstance(fields, dict):
            raise ValueError("residency is no object")
        given: dict[str, Any] = dict.fromkeys(("backend", "nodes", "of", "partitions", "left", "source")) | fields
        backend, left, source = (given[name] for name in ("backend", "left", "source"))
        texts = [backend, *left] if isinstance(left, dict) and len(left) <= MOST_KINDS else []
        if not texts or not all(isinstance(one, str) and 0 < len(one) <= 200 and one.isprintable() for one in texts):
            raise ValueError("residency has no proper backend, or no proper list of what is left")
        if source not in get_args(Source):
            raise ValueError(f"residency is known from {source!r:.40}")
        return cls(backend, given["nodes"], given["of"], given["partitions"], left, source)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"left": dict(sorted(self.left.items()))}

    @property
    def whole(self) -> bool:
        """Whether nothing is left to the CPU."""
        return self.nodes == self.of

    @property
    def share(self) -> float:
        """Of the graph's operators, in [0, 1]."""
        return self.nodes / self.of if self.of else 1.0

    def __str__(self) -> str:
        parts = f"{self.partitions} partition{'' if self.partitions == 1 else 's'}"
        said = f"{self.backend}: {self.nodes} of {self.of} operators in {parts}"
        left = ", ".join(f"{count} {name}" for name, count in sorted(self.left.items()))
        by_rule = " (by rules)" if self.source == "rules" else ""
        return said + (f"; left: {left}" if left else "") + by_rule


Residencies = Mapping[str, Sequence[Residency]]
"""By graph, a backend each."""


@dataclasses.dataclass(frozen=True)
class Node:
    """An operator of a graph, for ``reside``."""

    kind: str
    taken: bool
    """Whether the backend takes it."""
    reads: Collection[int] = ()
    """The places of the nodes whose outputs it reads."""


def reside(backend: str, nodes: Sequence[Node], source: Source) -> Residency:
    """Count what a backend takes of a graph, whose nodes stand in an order in which they can run.

    Partitions are counted as LiteRT makes them (``PartitionGraphIntoIndependentNodeSubsets``): all that can run of one
    side runs before the other side's turn comes.
    """
    left = collections.Counter(node.kind for node in nodes if not node.taken)
    waiting, done = list(range(len(nodes))), set[int]()
    partitions, turn, idle = 0, True, 0
    while waiting:
        before = len(waiting)
        for place in tuple(waiting):
            if nodes[place].taken is turn and done.issuperset(nodes[place].reads):
                done.add(place)
                waiting.remove(place)
        moved = len(waiting) < before
        partitions += turn and moved
        turn, idle = not turn, 0 if moved else idle + 1
        if idle == 2:
            raise ValueError(f"a graph for {backend} has nodes that wait for each other")
    return Residency(backend, len(nodes) - left.total(), len(nodes), partitions, dict(left), source)


def residencies_to_dict(found: Residencies) -> dict[str, list[dict[str, Any]]]:
    """As a manifest has them."""
    return {graph: [one.to_dict() for one in ones] for graph, ones in found.items()}


def residencies_from_dict(said: Any) -> dict[str, tuple[Residency, ...]]:
    """What a manifest says; nothing where it was written before this was asked.

    Raises:
        ValueError: it is something else.
    """
    if said is None:
        return {}
    if not isinstance(said, dict) or not all(isinstance(ones, list) and len(ones) <= 100 for ones in said.values()):
        raise ValueError("residency is no list of backends for each graph")
    return {str(graph): tuple(map(Residency.from_dict, ones)) for graph, ones in said.items()}
