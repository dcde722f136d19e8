"""What the report says about layers: what each really holds, what it costs, and which spoil which faces."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from edgesr.data.faces import eval_splits, read_eval_list
from edgesr.deployment.graphs import GRAPHS, deployed_graphs
from edgesr.errors import InputOutputError, UnavailableError
from edgesr.evaluation.metrics import psnr
from edgesr.files.atomic import file_aside
from edgesr.files.reading import read_json
from edgesr.images.imaging import Pixels, to_pixels, to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.registry import architecture_of
from edgesr.quantize.scheme import LayerSensitivity, Quantization

from .rows import Span
from .subject import ReportFace, spread

if TYPE_CHECKING:
    from torch.fx import GraphModule

QUANTILES = (0.001, 0.01, 0.5, 0.99, 0.999)
SAMPLED = 4096
"""Values looked at of each layer's output on each face."""
HINT = "edgesr quantize --search --json prints one"
Track = Callable[[Sequence[Any], str], Iterator[Any]]


# What layers hold


@dataclasses.dataclass(frozen=True)
class LayerRange:
    """What a convolution's weights and float outputs hold: ``min``, ``max`` and quantiles ``p0.1`` ... ``p99.9``."""

    layer: str
    weights: dict[str, float]
    channel_spread: float
    """Widest over narrowest channel of the weights."""
    activations: dict[str, float]
    """The convolution's own outputs, before a ReLU."""
    int8: Span | None
    """What its int8 output covers; None where it stays in float."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """|offset| in LR pixels against its bound."""

    bound: float
    quantiles: dict[str, float]
    """``p50`` ... ``p100``."""
    histogram: tuple[float, ...]
    """Shares in equal parts of [0, bound]."""
    near_bound: float
    """Share within 1 % of the bound: where this is more than a trace, the bound is too tight."""


@dataclasses.dataclass(frozen=True)
class Offsets(Distribution):
    """Of all offsets, on ``faces`` with one exemplar each."""

    faces: int
    parts: dict[str, Distribution] = dataclasses.field(default_factory=dict)
    """The same of each part, where offsets are a sum (HIME-large: ``flow``, ``residual``)."""


@torch.inference_mode()
def layer_ranges(
    checkpoint: Checkpoint, faces: Sequence[ReportFace], points: Mapping[str, Sequence[float]] | None = None
) -> list[LayerRange]:
    """Ranges of every convolution on ``faces``, in the order in which they run.

    ``points`` are a quantization's: name to [scale, zero point].
    """
    graphs = deployed_graphs(checkpoint.model, "grid_sample")
    seen: dict[str, list[Tensor]] = {}
    weights: dict[str, Tensor] = {}
    extremes: dict[str, Span] = {}
    random = torch.Generator().manual_seed(0)

    def watch(name: str, convolution: nn.Conv2d) -> None:
        weights[name] = convolution.weight.detach()

        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            low, high = extremes.get(name, (math.inf, -math.inf))
            extremes[name] = min(low, float(output.min())), max(high, float(output.max()))
            flat = output.flatten()
            seen.setdefault(name, []).append(flat[torch.randint(len(flat), (SAMPLED,), generator=random)])

        convolution.register_forward_hook(hook)

    for graph_name, graph in (("encode", graphs.encode), ("restore", graphs.restore)):
        for path, module in graph.named_modules():
            if isinstance(module, nn.Conv2d):
                watch(f"{graph_name}.{path}", module)
    for face in faces:
        photos = [_nchw([photo]) for photo in face.exemplars]
        graphs.restore(*graphs.restorer_inputs(_nchw([face.lr]), photos, graphs.encode))
    return [
        LayerRange(
            layer=name,
            weights=_summary(weights[name].flatten(), (float(weights[name].min()), float(weights[name].max()))),
            channel_spread=_channel_spread(weights[name]),
            activations=_summary(torch.cat(samples), extremes[name]),
            int8=_covered(points or {}, name),
        )
        for name, samples in seen.items()
    ]


@torch.inference_mode()
def offsets(checkpoint: Checkpoint, faces: Sequence[ReportFace]) -> Offsets | None:
    """Offsets on ``faces``, each aligned with its first exemplar, against the bound; None without either."""
    able = [face for face in faces if face.exemplars]
    architecture = architecture_of(checkpoint.model.config)
    if not able or not architecture.offsets:
        return None
    features = checkpoint.model.encode(_nchw([face.exemplars[0] for face in able]))
    found = architecture.report_offsets(checkpoint.model, _nchw([face.lr for face in able]), features)
    parts = {name: Distribution(**_distribution(part)) for name, part in found.get("parts", {}).items()}
    return Offsets(**_distribution(found), faces=len(able), parts=parts)


def _distribution(found: dict[str, Any]) -> dict[str, Any]:
    fields = {field.name: found[field.name] for field in dataclasses.fields(Distribution)}
    return {**fields, "histogram": tuple(found["histogram"])}


def _nchw(photos: Sequence[Pixels]) -> Tensor:
    return torch.stack([torch.from_numpy(to_unit(photo)).permute(2, 0, 1) for photo in photos]).contiguous()


def _summary(values: Tensor, ends: Span) -> dict[str, float]:
    found = np.quantile(values.numpy(), QUANTILES)
    quantiles = {f"p{100 * q:g}": float(v) for q, v in zip(QUANTILES, found, strict=True)}
    return {"min": ends[0], "max": ends[1], **quantiles}


def _channel_spread(weight: Tensor) -> float:
    ranges = weight.abs().flatten(1).amax(1)
    return float(ranges.max() / ranges.min().clamp(min=1e-12))


def _covered(points: Mapping[str, Sequence[float]], layer: str) -> Span | None:
    if f"{layer}:out" not in points:
        return None
    scale, zero_point = points[f"{layer}:out"]
    return scale * (-128 - zero_point), scale * (127 - zero_point)


# What layers cost


def read_sensitivity(path: Path) -> list[LayerSensitivity]:
    """Layer sensitivities from a JSON file: a list of them, or an object that holds it as
    ``sensitivity`` or, as ``edgesr quantize --search --json`` prints it, ``layers``.

    Raises:
        InputOutputError: it cannot be read, or a field is missing or no number.
    """
    found = read_json(path, HINT)
    rows = found.get("sensitivity", found.get("layers")) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not rows:
        raise InputOutputError(f"{path} holds no layer sensitivities", HINT)
    return [_sensitivity(path, i, row) for i, row in enumerate(rows)]


def _sensitivity(path: Path, index: int, row: Any) -> LayerSensitivity:
    fields = {field.name: field.default for field in dataclasses.fields(LayerSensitivity)}
    for name, default in fields.items():
        if default is dataclasses.MISSING and (not isinstance(row, dict) or name not in row):
            raise InputOutputError(f"{path}: row {index} has no {name}", HINT)
    for name in ("only_loss_db", "spared_gain_db"):
        if isinstance(row[name], bool) or not isinstance(row[name], int | float):
            raise InputOutputError(f"{path}: {name} of {row['layer']} is {row[name]!r}, not a number", HINT)
    given = {name: row.get(name, default) for name, default in fields.items()}
    if given["sqnr_db"] is None:  # undefined of a block, and JSON has no nan
        given["sqnr_db"] = math.nan
    return LayerSensitivity(**given)


def sensitivity_of(
    checkpoint: Checkpoint, data: Path, calibration: Path, count: int, work: Path, track: Track, split: str = "val"
) -> list[LayerSensitivity]:
    """Sensitivity of every layer of the float network on ``count`` faces of ``split``; kept in ``work``.

    Raises:
        UnavailableError: torchao is not installed, or the folder has no such split.
    """
    kept = work / f"sensitivity-{checkpoint.sha256[:16]}-{split}-{count}.json"
    with contextlib.suppress(InputOutputError):
        return read_sensitivity(kept)
    try:
        from edgesr.quantize.ptq import calibrate, calibration_faces
        from edgesr.quantize.recipe import EVERYTHING
        from edgesr.quantize.sensitivity import measure
    except ImportError as error:
        raise UnavailableError(f"it needs {error.name}", "pip install 'edgesr[executorch]'") from error
    if split not in eval_splits(data / "eval_list.csv"):
        raise UnavailableError(f"{data} has no split {split}, and choices are not made on others")
    config = checkpoint.model.config
    faces = calibration_faces(calibration, "train", config.hr_size, config.slots)
    quantization = calibrate(checkpoint, faces, recipe=EVERYTHING, track=lambda items: track(items, "calibrating"))
    pairs = spread(read_eval_list(data, split, config.hr_size), count)
    found = measure(checkpoint, quantization, pairs, track=lambda items: track(items, "sensitivity"))
    rows = [{**dataclasses.asdict(row), "sqnr_db": None if math.isnan(row.sqnr_db) else row.sqnr_db} for row in found]
    with file_aside(kept) as aside:
        aside.write_text(json.dumps(rows, indent=1) + "\n")
    return found


# Which layers spoil which faces


@dataclasses.dataclass(frozen=True)
class Blame:
    """PSNR in dB that a face wins back where this layer alone is spared."""

    layer: str
    gain_db: float


class SparedNetwork:
    """A quantized network in PyTorch, of which one layer at a time is let through in float.

    Raises:
        ImportError: torchao is not installed.
    """

    def __init__(self, checkpoint: Checkpoint, quantization: Quantization) -> None:
        from edgesr.quantize.encoded import KeptEncoder
        from edgesr.quantize.points import Points
        from edgesr.quantize.quantizer import prepared

        graphs = deployed_graphs(checkpoint.model, "grid_sample")
        self.graphs = graphs
        self.points = Points({})
        self.modules: dict[str, GraphModule] = {
            name: prepared(graphs, name, quantization.recipe, self.points) for name in GRAPHS
        }
        self.points.set(quantization.points)
        self.encode = KeptEncoder(self.modules["encode"])

    @property
    def layers(self) -> list[str]:
        """Those in int8 that have a scale of their own, in the order in which they run."""
        names = [name.rsplit(":", 1)[0] for name in self.points.activations if not name.startswith("features.")]
        return list(dict.fromkeys(names))

    @torch.inference_mode()
    def run(self, faces: Sequence[ReportFace], rounded: bool) -> None:
        """Both graphs on every face, with everything in int8 that the recipe has so, or with nothing; for hooks."""
        self.points.enable(rounded)
        for face in faces:
            photos = [_nchw([photo]) for photo in face.exemplars]
            inputs = self.graphs.restorer_inputs(_nchw([face.lr]), photos, self.encode.anew)
            self.modules["restore"](*inputs)

    @torch.inference_mode()
    def psnr(self, face: ReportFace, spare: str | None = None) -> float:
        """PSNR in dB of the face, with everything in int8 that the recipe has so, or with a layer spared."""
        self.points.enable(True)
        if spare is not None:
            if spare in self.points.weights:
                self.points.weights[spare].enabled = False
            for end in ("in", "out"):
                if f"{spare}:{end}" in self.points.activations:
                    self.points.activations[f"{spare}:{end}"].enabled = False
        photos = [_nchw([photo]) for photo in face.exemplars]
        sr, _ = self.modules["restore"](*self.graphs.restorer_inputs(_nchw([face.lr]), photos, self.encode))
        return psnr(to_pixels(sr[0].permute(1, 2, 0).numpy()), face.truth)


def blame(
    network: SparedNetwork,
    faces: Sequence[ReportFace],
    count: int = 3,
    track: Callable[[Sequence[str]], Iterator[str]] = iter,
) -> dict[str, tuple[Blame, ...]]:
    """For each face's key the ``count`` layers whose sparing gains most on it."""
    before = {face.key: network.psnr(face) for face in faces}
    gains: dict[str, list[tuple[float, str]]] = {face.key: [] for face in faces}
    for layer in track(network.layers):
        for face in faces:
            gains[face.key].append((network.psnr(face, spare=layer) - before[face.key], layer))
    return {
        key: tuple(Blame(layer, gain) for gain, layer in sorted(found, reverse=True)[:count])
        for key, found in gains.items()
    }
