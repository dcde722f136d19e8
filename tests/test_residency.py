"""Where operators run: the record adds up, is read with every field checked, and counts partitions as LiteRT does."""

from __future__ import annotations

from typing import Any

import pytest

from edgesr.residency import Node, Residency, reside, residencies_from_dict, residencies_to_dict

GOOD = {"backend": "XNNPACK", "nodes": 7, "of": 9, "partitions": 2, "left": {"GATHER": 2}, "source": "file"}


def test_a_record_comes_back_from_the_manifest_that_it_was_written_to() -> None:
    found = {"restore": (Residency("XNNPACK", 7, 9, 2, {"GATHER": 2}), Residency("GPU", 9, 9, 1, {}, "rules"))}
    assert residencies_from_dict(residencies_to_dict(found)) == found
    assert residencies_to_dict(found)["restore"][0] == GOOD


def test_bundles_of_before_say_nothing() -> None:
    assert residencies_from_dict(None) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 8},
        {"nodes": "7"},
        {"nodes": True, "of": 3, "partitions": 1},
        {"of": -1},
        {"partitions": 8},
        {"partitions": 0},
        {"left": {"GATHER": 1.5}},
        {"left": [2]},
        {"left": {"": 2}},
        {"backend": None},
        {"backend": "X\n"},
        {"source": "guess"},
    ],
    ids=str,
)
def test_what_does_not_add_up_is_refused(wrong: dict[str, Any]) -> None:
    Residency.from_dict(GOOD)
    with pytest.raises(ValueError, match="residency"):
        Residency.from_dict(GOOD | wrong)


def test_partitions_are_counted_as_litert_makes_them() -> None:
    """A chain that leaves the backend once has two; what does not depend on the operator left goes with the first."""
    chain = [Node("CONV", True), Node("GATHER", False, [0]), Node("CONV", True, [1])]
    assert reside("GPU", chain, "rules") == Residency("GPU", 2, 3, 2, {"GATHER": 1}, "rules")
    beside = [Node("GATHER", False), Node("CONV", True), Node("CONV", True, [1]), Node("ADD", True, [0, 2])]
    assert reside("GPU", beside, "rules").partitions == 2
    assert reside("GPU", [Node("CONV", True), Node("ADD", True, [0])], "rules").partitions == 1
    assert reside("GPU", [Node("GATHER", False)], "rules").partitions == 0


def test_nodes_that_wait_for_each_other_are_no_graph() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        reside("GPU", [Node("A", True, [1]), Node("B", False, [0])], "rules")
