"""Would the sampler's weighted sum be quicker in int8 than in float, as ExecuTorch computes it?

Both forms look the same four rows of an int8 table up for every sample and weigh them by bilinear weights. Ours reads
the rows as floats, sums, and rounds once. The int8 form rounds the weights, every product and every sum, so that
XNNPACK multiplies and adds integers. One thread, in turns whose order is reversed every round, CPU time; the look-ups
alone are beside them. Errors are in steps of the table's scale, against float64.

    python benchmarks/weighted_sum.py [--rounds 60]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantized graphs
from torch import Tensor, nn

from edgesr.convert.executorch.lowering import lower
from edgesr.process.quiet import quiet

PIXELS, CHANNELS = 1024, 64
STEP, WEIGHT_STEP = 0.02, 1 / 255
SAMPLES = {"a part of a face": 4608, "a row of pixels": 512}
BURST = 5
"""Runs in one turn, after an untimed one."""


def rounded(x: Tensor, step: float, zero_point: int = 0) -> Tensor:
    levels = torch.ops.quantized_decomposed.quantize_per_tensor(x, step, zero_point, -128, 127, torch.int8)
    return read(levels, step, zero_point)


def read(levels: Tensor, step: float, zero_point: int = 0) -> Tensor:
    found: Tensor = torch.ops.quantized_decomposed.dequantize_per_tensor(
        levels, step, zero_point, -128, 127, torch.int8
    )
    return found


class InFloat(nn.Module):
    """Table [pixels, C] of int8, four indices [n] and four weights [n] -> [n, C]."""

    def forward(self, table: Tensor, indices: list[Tensor], weights: list[Tensor]) -> Tensor:
        terms = [read(torch.embedding(table, i), STEP) * w.unsqueeze(-1) for i, w in zip(indices, weights, strict=True)]
        return rounded(terms[0] + terms[1] + terms[2] + terms[3], STEP)


class InInt8(nn.Module):
    """The same, rounded wherever XNNPACK has to be given integers."""

    def forward(self, table: Tensor, indices: list[Tensor], weights: list[Tensor]) -> Tensor:
        total: Tensor | None = None
        for i, w in zip(indices, weights, strict=True):
            share = rounded(w.unsqueeze(-1), WEIGHT_STEP, -128)
            term = rounded(read(torch.embedding(table, i), STEP) * share, STEP)
            total = term if total is None else rounded(total + term, STEP)
        assert total is not None
        return total


class LookUps(nn.Module):
    """The four look-ups alone."""

    def forward(self, table: Tensor, indices: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, ...]:  # noqa: ARG002
        return tuple(torch.embedding(table, i) for i in indices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for title, samples in SAMPLES.items():
        inputs = case(samples)
        programs = {"float": InFloat(), "int8": InInt8(), "look-ups": LookUps()}
        show(f"{title}: {samples} samples of {CHANNELS} channels", programs, inputs, rounds)


def case(samples: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    torch.manual_seed(0)
    table = torch.randint(-127, 128, (PIXELS, CHANNELS), dtype=torch.int8)
    first = torch.randint(0, PIXELS - 40, (samples,))
    y, x = torch.rand(samples), torch.rand(samples)
    return table, [first + step for step in (0, 1, 32, 33)], [(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x]


def show(title: str, programs: dict[str, nn.Module], inputs: Any, rounds: int) -> None:
    from executorch.runtime import Runtime

    flat = [inputs[0], *inputs[1], *inputs[2]]
    files, loaded, methods = [], [], {}
    for name, program in programs.items():
        with quiet():
            files.append(bytes(lower({"run": torch.export.export(program, inputs)}, {}).to_executorch().buffer))
        loaded.append(Runtime.get().load_program(files[-1]))  # a method outlives neither
        methods[name] = loaded[-1].load_method("run")
    taken: dict[str, list[float]] = {name: [] for name in methods}
    for i in range(rounds):
        for name, method in list(methods.items())[:: 1 if i % 2 else -1]:
            method.execute(flat)
            started = time.process_time()
            for _ in range(BURST):
                method.execute(flat)
            taken[name].append((time.process_time() - started) / BURST * 1e3)
    table, indices, weights = inputs
    true = sum(read(table[i], STEP).double() * w[:, None].double() for i, w in zip(indices, weights, strict=True))
    print(title)
    for name, method in methods.items():
        r10, ratio, r90 = np.percentile(np.divide(taken[name], taken["float"]), [10, 50, 90])
        line = f"  {name:9} {np.median(taken[name]):6.3f} ms   {ratio:.2f} [{r10:.2f}, {r90:.2f}] of float"
        if name != "look-ups":
            error = (method.execute(flat)[0].double() - true) / STEP
            line += f"   error {error.square().mean().sqrt():.2f} steps (rms)"
        print(line)


if __name__ == "__main__":
    main()
