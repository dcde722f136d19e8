"""Damages of a float network, each with the module that departs by it."""

from __future__ import annotations

from collections.abc import Callable

from edgesr.deployment.graphs import Graphs


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
