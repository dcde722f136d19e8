"""Our lowering to XNNPACK writes what ExecuTorch's own does, for networks with and without what it leaves out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

pytest.importorskip("executorch")

from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

from edgesr.convert.executorch import lowering
from edgesr.convert.executorch.lowering import lower


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x, x, x)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions and a product": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)),
    "an activation that XNNPACK takes whole": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Hardswish()),
    "bilinear upsampling": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    ),
    "attention": Attention,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_is_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    program = torch.export.export(network, (torch.rand(1, 3, 8, 8),))
    theirs = to_edge_transform_and_lower(
        {"run": program},
        partitioner={"run": [XnnpackPartitioner()]},
        constant_methods={"side": 8},
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    ours = lower({"run": program}, {"side": 8})
    assert bytes(ours.to_executorch().buffer) == bytes(theirs.to_executorch().buffer)


def test_patterns_that_nothing_can_match_are_not_looked_for_in_this_thread() -> None:
    def found() -> list[int]:
        return [len(bilinear_2d.get_graphs_dict()), len(sdpa.get_graphs())]

    everywhere = found()
    assert min(everywhere) > 0
    with lowering._without_patterns():
        assert found() == [0, 0]
        other: list[list[int]] = []
        thread = threading.Thread(target=lambda: other.append(found()))
        thread.start()
        thread.join()
        assert other == [everywhere]
    assert found() == everywhere
