"""Would the sampler's weighted sum be quicker in another form, in int8 above all, as ExecuTorch computes it?

Every form looks the same four rows of an int8 table up for every sample, 16 channels of one offset group each, and
weighs them bilinearly. Ours reads the rows as floats, sums, and rounds once. The int8 form rounds the weights, every
product and every sum, so that XNNPACK multiplies and adds integers. The others compute what ours does: with weights
that a product spreads over the channels, so that nothing is broadcast; or in two steps, along x and then y. The sum
without weights and the look-ups alone are beside them. One thread, in turns whose order is reversed every round, CPU
time. Errors are in steps of the table's scale, against float64.

    python benchmarks/weighted_sum.py [--rounds 60]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantized graphs
from torch import Tensor, nn

from edgesr.convert.executorch.lowering import lower
from edgesr.process.quiet import quiet

ROWS, CHANNELS = 4096, 16
STEP, WEIGHT_STEP = 0.02, 1 / 255
SAMPLES = (18432, 2048)
"""A part of a face as the restorer takes it, and less."""
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


class Form(nn.Module):
    """Table [rows, C] of int8, four indices [n], and y and x within the four [n] -> [n, C]."""

    exact = True
    """Whether it gives the weighted sum."""

    def rows(self, table: Tensor, indices: Sequence[Tensor]) -> list[Tensor]:
        return [read(torch.embedding(table, i), STEP) for i in indices]

    def shares(self, y: Tensor, x: Tensor) -> list[Tensor]:
        """The weights [n, 1]."""
        y, x = y.unsqueeze(-1), x.unsqueeze(-1)
        return [(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x]


class InFloat(Form):
    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
        a, b, c, d = (row * w for row, w in zip(self.rows(table, indices), self.shares(y, x), strict=True))
        return rounded(a + b + c + d, STEP)


class InInt8(Form):
    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
        shares = (rounded(w, WEIGHT_STEP, -128) for w in self.shares(y, x))
        a, b, c, d = (rounded(row * w, STEP) for row, w in zip(self.rows(table, indices), shares, strict=True))
        return rounded(rounded(rounded(a + b, STEP) + c, STEP) + d, STEP)


class Spread(Form):
    def __init__(self) -> None:
        super().__init__()
        self.ones = nn.Buffer(torch.ones(CHANNELS, 1))

    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
        shares = (nn.functional.linear(w, self.ones) for w in self.shares(y, x))
        a, b, c, d = (row * w for row, w in zip(self.rows(table, indices), shares, strict=True))
        return rounded(a + b + c + d, STEP)


class InTwoSteps(Form):
    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> Tensor:
        a, b, c, d = self.rows(table, indices)
        top, bottom = (left + (right - left) * x.unsqueeze(-1) for left, right in ((a, b), (c, d)))
        return rounded(top + (bottom - top) * y.unsqueeze(-1), STEP)


class WithoutWeights(Form):
    exact = False

    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> Tensor:  # noqa: ARG002
        a, b, c, d = self.rows(table, indices)
        return rounded(a + b + c + d, STEP)


class LookUps(Form):
    exact = False

    def forward(self, table: Tensor, indices: list[Tensor], y: Tensor, x: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002
        return tuple(torch.embedding(table, i) for i in indices)


FORMS: dict[str, type[Form]] = {
    "float": InFloat,
    "int8": InInt8,
    "spread": Spread,
    "two steps": InTwoSteps,
    "no weights": WithoutWeights,
    "look-ups": LookUps,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for samples in SAMPLES:
        show(samples, rounds)


def show(samples: int, rounds: int) -> None:
    from executorch.runtime import Runtime

    torch.manual_seed(0)
    table = torch.randint(-127, 128, (ROWS, CHANNELS), dtype=torch.int8)
    first = torch.randint(0, ROWS - 40, (samples,))
    indices, y, x = [first + step for step in (0, 1, 32, 33)], torch.rand(samples), torch.rand(samples)
    flat, files, loaded, methods = [table, *indices, y, x], [], [], {}
    for name, form in FORMS.items():
        with quiet():
            program = torch.export.export(form(), (table, indices, y, x))
            files.append(bytes(lower({"run": program}, {}).to_executorch().buffer))
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
    rows, shares = Form().rows(table, indices), Form().shares(y.double(), x.double())
    true = sum(row.double() * w for row, w in zip(rows, shares, strict=True))
    print(f"{samples} samples of {CHANNELS} channels")
    for name, method in methods.items():
        r10, ratio, r90 = np.percentile(np.divide(taken[name], taken["float"]), [10, 50, 90])
        line = f"  {name:10} {np.median(taken[name]):6.3f} ms   {ratio:.2f} [{r10:.2f}, {r90:.2f}] of float"
        if FORMS[name].exact:
            error = (method.execute(flat)[0].double() - true) / STEP
            line += f"   error {error.square().mean().sqrt():.2f} steps (rms)"
        print(line)


if __name__ == "__main__":
    main()
