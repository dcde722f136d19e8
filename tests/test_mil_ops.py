"""The evaluator's MIL operations against independent references: NumPy, or PyTorch's own where it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.convert.coreml.mil.ops import OPERATIONS

RANDOM = np.random.default_rng(0)
MAP = torch.from_numpy(RANDOM.random((2, 4, 6, 6), np.float32))
KERNEL = torch.from_numpy(RANDOM.random((8, 2, 3, 3), np.float32))
BIAS = torch.from_numpy(RANDOM.random(8, np.float32))
MATRIX = torch.from_numpy(RANDOM.random((5, 6), np.float32))
# Inside, on pixels, on the border and beyond it on every side.
GRID = torch.from_numpy((RANDOM.random((2, 7, 5, 2), np.float32) - 0.5) * 3)
GRID[0, 0] = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.2, -1.0], [-1.5, 0.0], [1.0, 1.2]])
LEVELS = torch.from_numpy(RANDOM.integers(-128, 128, (2, 4, 6, 6)).astype(np.int8))
STEPS = torch.tensor([0.1, 0.2, 0.3, 0.4])


def ints(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def number(value: float) -> Tensor:
    return torch.tensor(value)


def resampled(
    padding: str, corners: bool, coordinates: Tensor = GRID, mode: str = "minus_one_to_one"
) -> dict[str, Any]:
    return {
        "x": MAP,
        "coordinates": coordinates,
        "sampling_mode": "bilinear",
        "padding_mode": padding,
        "padding_value": number(0.0),
        "coordinates_mode": mode if mode == "unnormalized" else f"normalized_{mode}",
        "align_corners": torch.tensor(corners),
    }


def convolved(**changes: Any) -> dict[str, Any]:
    plain = {"strides": ints(1, 1), "dilations": ints(1, 1), "groups": number(2), "pad_type": "valid"}
    return {"x": MAP, "weight": KERNEL, "bias": BIAS} | plain | changes


def loop_convolution(x: Tensor, stride: tuple[int, int], pad: tuple[int, int, int, int], dilation: int) -> Tensor:
    """Grouped convolution with KERNEL and BIAS from its definition, in float64."""
    top, bottom, left, right = pad
    padded = np.pad(x.double().numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)))
    kernel = KERNEL.double().numpy()
    rows = (padded.shape[2] - 2 * dilation - 1) // stride[0] + 1
    columns = (padded.shape[3] - 2 * dilation - 1) // stride[1] + 1
    out = np.zeros((len(x), 8, rows, columns))
    for o, i, j in np.ndindex(8, rows, columns):
        y, x0, first = i * stride[0], j * stride[1], (o // 4) * 2
        window = padded[
            :, first : first + 2, y : y + 2 * dilation + 1 : dilation, x0 : x0 + 2 * dilation + 1 : dilation
        ]
        out[:, o, i, j] = (window * kernel[o]).sum((1, 2, 3)) + float(BIAS[o])
    return torch.from_numpy(out)


def padded(mode: str, widths: list[tuple[int, int]], **options: Any) -> Tensor:
    return torch.from_numpy(np.pad(MAP.numpy(), [(0, 0)] * (4 - len(widths)) + widths, mode, **options))  # type: ignore[call-overload]


def grid_sample(padding: str, corners: bool) -> Tensor:
    return F.grid_sample(MAP, GRID, mode="bilinear", padding_mode=padding, align_corners=corners)


Case = tuple[str, str, dict[str, Any], Callable[[], Tensor | npt.NDArray[Any]]]
TABLE: list[Case] = [
    ("resample", "border, corners", resampled("border", True), lambda: grid_sample("border", True)),
    ("resample", "border, edges", resampled("border", False), lambda: grid_sample("border", False)),
    ("resample", "zeros, corners", resampled("constant", True), lambda: grid_sample("zeros", True)),
    ("resample", "zeros, edges", resampled("constant", False), lambda: grid_sample("zeros", False)),
    (
        "resample",
        "zero to one",
        resampled("border", True, (GRID + 1) / 2, "zero_to_one"),
        lambda: grid_sample("border", True),
    ),
    (
        "resample",
        "pixels",
        resampled("border", True, (GRID + 1) * 2.5, "unnormalized"),
        lambda: grid_sample("border", True),
    ),
    (
        "resample",
        "another padding value",
        resampled("constant", True) | {"x": MAP - 3, "padding_value": number(-3.0)},
        lambda: grid_sample("zeros", True) - 3,
    ),
    ("conv", "valid", convolved(), lambda: loop_convolution(MAP, (1, 1), (0, 0, 0, 0), 1)),
    (
        "conv",
        "unequal padding and strides",
        convolved(pad_type="custom", pad=ints(2, 1, 0, 3), strides=ints(2, 3)),
        lambda: loop_convolution(MAP, (2, 3), (2, 1, 0, 3), 1),
    ),
    (
        "conv",
        "dilated",
        convolved(pad_type="custom", pad=ints(2, 2, 2, 2), dilations=ints(2, 2)),
        lambda: loop_convolution(MAP, (1, 1), (2, 2, 2, 2), 2),
    ),
    (
        "max_pool",
        "",
        {
            "x": MAP,
            "kernel_sizes": ints(2, 2),
            "strides": ints(2, 2),
            "pad_type": "valid",
            "ceil_mode": torch.tensor(False),
        },
        lambda: MAP.numpy().reshape(2, 4, 3, 2, 3, 2).max((3, 5)),
    ),
    (
        "upsample_nearest_neighbor",
        "",
        {"x": MAP, "scale_factor_height": number(2.0), "scale_factor_width": number(3.0)},
        lambda: MAP.numpy().repeat(2, 2).repeat(3, 3),
    ),
    ("linear", "", {"x": MAP, "weight": MATRIX}, lambda: MAP.numpy() @ MATRIX.numpy().T),
    (
        "matmul",
        "second transposed",
        {"x": MAP, "y": MATRIX, "transpose_x": torch.tensor(False), "transpose_y": torch.tensor(True)},
        lambda: MAP.numpy() @ MATRIX.numpy().T,
    ),
    (
        "reduce_sum",
        "",
        {"x": MAP, "axes": ints(1), "keep_dims": torch.tensor(True)},
        lambda: MAP.numpy().sum(1, keepdims=True),
    ),
    ("reduce_mean", "all", {"x": MAP, "keep_dims": torch.tensor(False)}, lambda: np.array(MAP.numpy().mean())),
    (
        "gather",
        "rows",
        {
            "x": MAP[0, 0],
            "indices": torch.tensor([[5, 0], [2, 2]], dtype=torch.uint16),
            "axis": number(0),
            "batch_dims": number(0),
            "validate_indices": torch.tensor(False),
        },
        lambda: MAP[0, 0].numpy()[np.array([[5, 0], [2, 2]])],
    ),
    (
        "gather",
        "last axis",
        {
            "x": MAP,
            "indices": ints(3, 1),
            "axis": number(-1),
            "batch_dims": number(0),
            "validate_indices": torch.tensor(False),
        },
        lambda: MAP.numpy()[..., [3, 1]],
    ),
    (
        "pad",
        "constant",
        {"x": MAP, "pad": ints(1, 2, 0, 3), "mode": "constant", "constant_val": number(7.0)},
        lambda: padded("constant", [(1, 2), (0, 3)], constant_values=7),
    ),
    (
        "pad",
        "reflect",
        {"x": MAP, "pad": ints(1, 2, 0, 3), "mode": "reflect", "constant_val": number(0.0)},
        lambda: padded("reflect", [(1, 2), (0, 3)]),
    ),
    (
        "pad",
        "replicate",
        {"x": MAP, "pad": ints(0, 0, 1, 0, 2, 2), "mode": "replicate", "constant_val": number(0.0)},
        lambda: padded("edge", [(0, 0), (1, 0), (2, 2)]),
    ),
    (
        "slice_by_index",
        "strides and masks",
        {
            "x": MAP,
            "begin": ints(1, 1, 2, -3),
            "end": ints(2, 0, 3, 0),
            "stride": ints(1, 2, 1, 1),
            "end_mask": torch.tensor([False, True, False, True]),
            "begin_mask": torch.tensor([True, False, False, False]),
            "squeeze_mask": torch.tensor([False, False, True, False]),
        },
        lambda: MAP.numpy()[:2, 1::2, 2, -3:],
    ),
    ("reshape", "0 counts from the right", {"x": MAP, "shape": ints(-1, 0)}, lambda: MAP.numpy().reshape(-1, 6)),
    ("transpose", "", {"x": MAP, "perm": ints(0, 2, 3, 1)}, lambda: MAP.numpy().transpose(0, 2, 3, 1)),
    (
        "concat",
        "",
        {"values": [MAP, -MAP], "axis": number(-1), "interleave": torch.tensor(False)},
        lambda: np.concatenate([MAP, -MAP], -1),
    ),
    (
        "concat",
        "interleaved",
        {"values": [MAP, -MAP], "axis": number(1), "interleave": torch.tensor(True)},
        lambda: np.stack([MAP, -MAP], 2).reshape(2, 8, 6, 6),
    ),
    ("expand_dims", "", {"x": MATRIX, "axes": ints(0, -1)}, lambda: MATRIX.numpy()[None, :, :, None]),
    ("squeeze", "", {"x": MATRIX[None, :, None], "axes": ints(0, 2)}, lambda: MATRIX),
    ("tile", "", {"x": MATRIX, "reps": ints(2, 1)}, lambda: np.tile(MATRIX.numpy(), (2, 1))),
    (
        "pixel_shuffle",
        "",
        {"x": MAP, "upscale_factor": number(2)},
        lambda: MAP.numpy().reshape(2, 1, 2, 2, 6, 6).transpose(0, 1, 4, 2, 5, 3).reshape(2, 1, 12, 12),
    ),
    (
        "pixel_unshuffle",
        "",
        {"x": MAP, "downscale_factor": number(2)},
        lambda: MAP.numpy().reshape(2, 4, 3, 2, 3, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 16, 3, 3),
    ),
    ("cast", "towards zero", {"x": torch.tensor([1.7, -1.7]), "dtype": "int32"}, lambda: np.array([1, -1], np.int32)),
    ("floor", "", {"x": torch.tensor([1.7, -1.7])}, lambda: np.array([1, -2], np.float32)),
    (
        "clip",
        "",
        {"x": MAP, "alpha": number(0.25), "beta": number(0.5)},
        lambda: np.clip(MAP.numpy(), np.float32(0.25), np.float32(0.5)),
    ),
    (
        "select",
        "",
        {"cond": MAP > 0.5, "a": MAP, "b": -MAP},
        lambda: np.where(MAP.numpy() > 0.5, MAP.numpy(), -MAP.numpy()),
    ),
    (
        "quantize",
        "saturates",
        {"input": torch.tensor([-9.0, -0.26, 0.24, 9.0]), "scale": number(0.5), "output_dtype": "uint8"},
        lambda: np.array([0, 0, 0, 18], np.uint8),
    ),
    (
        "quantize",
        "zero point",
        {
            "input": MAP,
            "scale": number(0.004),
            "zero_point": torch.tensor(-128, dtype=torch.int8),
            "output_dtype": "int8",
        },
        lambda: np.clip(np.round(MAP.numpy() / np.float32(0.004)) - 128, -128, 127).astype(np.int8),
    ),
    (
        "dequantize",
        "per channel",
        {"input": LEVELS, "scale": STEPS, "zero_point": ints(0, 1, 2, 3).to(torch.int8), "axis": number(1)},
        lambda: (LEVELS.numpy() - np.arange(4.0)[:, None, None]) * STEPS.double().numpy()[:, None, None],
    ),
    (
        "constexpr_affine_dequantize",
        "",
        {"quantized_data": LEVELS, "scale": STEPS, "zero_point": ints(0, 1, 2, 3).to(torch.int8), "axis": number(1)},
        lambda: (LEVELS.numpy() - np.arange(4.0)[:, None, None]) * STEPS.double().numpy()[:, None, None],
    ),
    (
        "constexpr_blockwise_shift_scale",
        "blocks of two channels",
        {"data": LEVELS, "scale": torch.tensor([0.5, 2.0]).reshape(1, 2, 1, 1)},
        lambda: LEVELS.numpy() * np.array([0.5, 0.5, 2.0, 2.0])[:, None, None],
    ),
]


@pytest.mark.parametrize(
    ("name", "case", "inputs", "wanted"), TABLE, ids=[f"{row[0]} {row[1]}".strip() for row in TABLE]
)
def test_operation(name: str, case: str, inputs: dict[str, Any], wanted: Callable[[], Any]) -> None:  # noqa: ARG001
    got = OPERATIONS[name](**inputs)
    assert isinstance(got, Tensor)
    torch.testing.assert_close(got, torch.as_tensor(wanted()), check_dtype=False, atol=2e-5, rtol=1e-6)


def test_split() -> None:
    parts = OPERATIONS["split"](x=MAP, axis=number(1), split_sizes=ints(1, 3))
    assert [part.shape[1] for part in parts] == [1, 3]
    halves = OPERATIONS["split"](x=MAP, axis=number(-1), num_splits=number(2))
    assert torch.equal(halves[1], MAP[..., 3:])


def test_float16_convolution_accumulates_in_float32_and_rounds_once() -> None:
    inputs = convolved(x=MAP.half(), weight=KERNEL.half(), bias=BIAS.half())
    exact = F.conv2d(MAP.half().double(), KERNEL.half().double(), BIAS.half().double(), groups=2)
    got = OPERATIONS["conv"](**inputs)
    assert isinstance(got, Tensor)
    assert got.dtype == torch.float16
    spacing = torch.nextafter(got, torch.tensor(torch.inf).half()) - got
    assert ((got - exact).abs() <= spacing.double()).all()


def test_float16_arithmetic_is_rounded_after_each_operation() -> None:
    big, small = torch.tensor(2048.0).half(), torch.tensor(1.0).half()
    total = OPERATIONS["add"](x=OPERATIONS["add"](x=big, y=small), y=small)
    assert total == 2048  # in longer arithmetic 2050


@pytest.mark.parametrize("index", [-1, 6])
def test_an_index_out_of_range_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match="gather from 6 with indices"):
        OPERATIONS["gather"](
            x=MAP[0, 0],
            indices=ints(index),
            axis=number(0),
            batch_dims=number(0),
            validate_indices=torch.tensor(False),
        )


def test_operands_of_different_types_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"float32 and torch\.float16"):
        OPERATIONS["mul"](x=MAP, y=MAP.half())
