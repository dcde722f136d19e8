"""Damages of a float network, each with the module that departs by it, and the search for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgesr.convert import locate
from edgesr.deployment.graphs import GraphName, Graphs


def scale_kernel(graphs: Graphs) -> None:
    """One 3x3 kernel of one layer, scaled by 1.1."""
    graphs.restore.alignment.hidden.weight[0] *= 1.1


def swap_channels(graphs: Graphs) -> None:
    """Two output channels of one layer, swapped."""
    conv = graphs.restore.reconstructor.blocks[0].conv2
    for parameter in (conv.weight, conv.bias):
        parameter[:2] = parameter[[1, 0]].clone()


def drop_offset(graphs: Graphs) -> None:
    """The vertical offset, dropped."""
    graphs.restore.alignment.offset_y.weight.zero_()
    graphs.restore.alignment.offset_y.bias.zero_()


def scale_encoder_kernel(graphs: Graphs) -> None:
    graphs.encode.exemplar_extractor.blocks[0].conv1.weight[0] *= 1.1


DAMAGES: dict[Callable[[Graphs], None], str] = {
    scale_kernel: "restore.alignment.hidden",
    swap_channels: "restore.reconstructor.blocks.0.conv2",
    drop_offset: "restore.alignment.offset_y",
    scale_encoder_kernel: "encode.exemplar_extractor.blocks.0.conv1",
}


def search_around(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for a departing module looks at this stage and its two neighbours alone: each prefix that it converts
    takes as long as a conversion. test_locate has the whole search."""
    stages = locate.stages

    def around(graphs: Graphs, graph: GraphName) -> list[str]:
        names = stages(graphs, graph)
        at = names.index(module.removeprefix(f"{graph}.")) if module.startswith(f"{graph}.") else 0
        return names[max(0, at - 1) : at + 2]

    monkeypatch.setattr(locate, "stages", around)
