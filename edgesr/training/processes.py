"""One process, or those that ``torchrun`` started: the same program in each, gradients averaged by DDP."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from edgesr.errors import UsageError


def is_lead() -> bool:
    """Whether this process is the one that talks and writes; known before there is a Fabric."""
    return not torch.distributed.is_torchelastic_launched() or os.environ.get("RANK", "0") == "0"


def make_fabric(precision: Any) -> Fabric:
    """A Fabric on the best device there is, or on as many as ``torchrun`` says, on one node or several."""
    processes = int(os.environ.get("WORLD_SIZE", "1")) if torch.distributed.is_torchelastic_launched() else 1
    if processes == 1:
        return Fabric(accelerator="auto", devices=1, precision=precision)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    fabric = Fabric(
        accelerator="auto",
        devices=here,
        num_nodes=processes // here,
        # A batch without exemplars leaves the parts of the network that look at them without gradients.
        strategy=DDPStrategy(find_unused_parameters=True),
        precision=precision,
    )
    fabric.launch()
    return fabric


def average_gradients(fabric: Fabric, module: nn.Module) -> None:
    """Average the gradients of a module outside DDP over all processes, in one exchange."""
    if fabric.world_size == 1:
        return
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    mean = fabric.all_reduce(torch.cat([g.flatten() for g in gradients]), reduce_op="mean")
    assert isinstance(mean, torch.Tensor)
    for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def any_process(fabric: Fabric, flag: bool) -> bool:
    """Whether it holds in one of them: clocks differ, and all must leave a loop at the same step."""
    if fabric.world_size == 1:
        return flag
    count = fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="sum")
    return bool(count)


def check_same_step(fabric: Fabric, step: int) -> None:
    """Raises UsageError where some process did not find the state that others resumed from."""
    if fabric.world_size == 1:
        return
    steps = fabric.all_gather(torch.tensor(step, device=fabric.device))
    assert isinstance(steps, torch.Tensor)
    if bool((steps != step).any()):
        raise UsageError(
            f"the processes would go on from steps {sorted(set(steps.flatten().tolist()))}",
            "the run folder must lie where every node sees it",
        )
