"""Which layer costs the picture what: each alone in int8, each alone spared, and the noise of each.

Measured in PyTorch by switching fake quantization on and off in one prepared graph: no conversion, seconds a layer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule

from edgesr.data.faces import EvalPair
from edgesr.deployment.graphs import GRAPHS, deployed_graphs
from edgesr.errors import UsageError
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr_unit
from edgesr.images.imaging import Pixels, read_image, to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.models.network import Kept
from edgesr.runtime.base import Array

from .encoded import KeptEncoder
from .layers import Layer, exported, feature_tensors, find_layers
from .points import Point, Points
from .quantizer import prepared
from .recipe import EVERYTHING
from .scheme import LayerSensitivity, Quantization

Track = Callable[[Sequence[str]], Iterator[str]]


@dataclasses.dataclass(frozen=True)
class Face:
    """What one face is restored from, as the graphs take it, and the original."""

    lr: Tensor
    exemplars: tuple[Tensor, ...]
    truth: Array


class Bench:
    """Both prepared graphs with every layer quantizable, some faces, and the PSNR of any set of layers in int8."""

    def __init__(self, checkpoint: Checkpoint, quantization: Quantization, pairs: Sequence[EvalPair]) -> None:
        """``quantization`` has scales for every layer: ``calibrate(..., recipe=EVERYTHING)``.

        Raises:
            UsageError: it has not.
        """
        graphs = deployed_graphs(checkpoint.model, "grid_sample")
        self.graphs, self.interface, self.degradation = graphs, graphs.interface, checkpoint.degradation
        self.points = Points({})
        self.modules: dict[str, GraphModule] = {}
        self.layers: list[Layer] = []
        self.owned: dict[str, list[Point]] = {}
        for name in GRAPHS:
            module = exported(getattr(graphs, name), graphs.inputs(name))
            layers, features = find_layers(module, name), feature_tensors(module, name, graphs.interface)
            self.layers += layers
            stored = {layer.name: features[layer.output] for layer in layers if layer.output in features}
            self.modules[name] = prepared(graphs, name, EVERYTHING, self.points)
            known = self.points.activations
            for layer in layers:
                ends = (f"{layer.name}:in", stored.get(layer.name, f"{layer.name}:out"))
                self.owned[layer.name] = [known[end] for end in ends if end in known]
        if missing := set(self.points.activations) - set(quantization.points):
            raise UsageError(f"there is no scale for {min(missing)}", "calibrate with every layer in int8")
        self.points.set(quantization.points)
        self.encode = KeptEncoder(self.modules["encode"])
        self.faces = [self._read(pair) for pair in pairs]

    @property
    def names(self) -> list[str]:
        """The names of all layers, the encoder's first."""
        return [layer.name for layer in self.layers]

    def quantize(self, layers: Collection[str]) -> None:
        """These layers in int8 (weights, output, and what it takes from no layer), the others in float."""
        self.points.enable(False)
        for name in layers:
            if name in self.points.weights:
                self.points.weights[name].enabled = True
            for point in self.owned[name]:
                point.enabled = True

    def psnr(self, layers: Collection[str]) -> float:
        """Mean PSNR in dB over the faces with these layers in int8; not rounded to 8 bits, which would hide a layer."""
        return self.heard(layers)[0]

    def outputs(self, layers: Collection[str]) -> dict[str, list[Tensor]]:
        """Output of every layer on every face with these layers in int8, after rounding where it is."""
        return self.heard(layers, self.names)[1]

    def heard(self, layers: Collection[str], names: Collection[str] = ()) -> tuple[float, dict[str, list[Tensor]]]:
        """``psnr``, and on the way the outputs of the layers in ``names``."""
        seen: dict[str, list[Tensor]] = {name: [] for name in names}
        handles = [
            self.owned[name][-1].register_forward_hook(lambda module, args, out, name=name: seen[name].append(out))
            for name in names
        ]
        # What is to be heard of an encoder must run; else features are those of before, where nothing of it changes.
        encoder: Callable[[Tensor], Kept] = self.encode
        if any(name.startswith("encode.") for name in names):
            encoder = self.encode.anew
        self.quantize(layers)
        found = [psnr_unit(self._restore(face, encoder).clip(0, 1), face.truth) for face in self.faces]
        for handle in handles:
            handle.remove()
        return float(np.mean(found)), seen

    @torch.no_grad()
    def _restore(self, face: Face, encode: Callable[[Tensor], Kept] | None = None) -> Array:
        inputs = self.graphs.restorer_inputs(face.lr, face.exemplars, encode or self.encode)
        sr, _ = self.modules["restore"](*inputs)
        image: Array = sr[0].permute(1, 2, 0).numpy()
        return image

    def _read(self, pair: EvalPair) -> Face:
        truth = read_image(pair.target)
        photos = [read_image(path) for path in pair.exemplars[: self.interface.slots]]
        lr = degrade(truth, self.interface.scale, self.degradation, f"{pair.person}/{pair.target.name}")
        return Face(_nchw(lr), tuple(map(_nchw, photos)), to_unit(truth))


def measure(
    checkpoint: Checkpoint,
    quantization: Quantization,
    pairs: Sequence[EvalPair],
    *,
    track: Track = iter,
) -> list[LayerSensitivity]:
    """Every layer's row, in the order in which they run, and behind them a row for each residual block.

    ``quantization`` comes from ``calibrate(..., recipe=EVERYTHING)``, so that it has every layer's scales; ``pairs``
    are a few faces of the split that choices are made on.
    """
    bench = Bench(checkpoint, quantization, pairs)
    names = bench.names
    wanted = bench.outputs(())
    float_psnr, int8_psnr = bench.psnr(()), bench.psnr(names)  # features of both are kept for the restorer's layers
    weights = {name: point.range for name, point in bench.points.weights.items()}
    ranges = {
        name: (min(float(t.min()) for t in seen), max(float(t.max()) for t in seen)) for name, seen in wanted.items()
    }
    rows = []
    groups = {name: [name] for name in names} | blocks(names)
    for name in track(list(groups)):
        members = groups[name]
        layer = next(layer for layer in bench.layers if layer.name == members[-1])
        kind = layer.kind if name in ranges else "block"
        only, seen = bench.heard(members, members if kind != "block" else ())
        rows.append(
            LayerSensitivity(
                graph=name.split(".")[0],
                layer=name,
                kind=kind,
                macs=sum(member.macs for member in bench.layers if member.name in members),
                only_loss_db=float_psnr - only,
                spared_gain_db=bench.psnr([other for other in names if other not in members]) - int8_psnr,
                sqnr_db=math.nan if kind == "block" else _sqnr(wanted[name], seen[name]),
                weight_range=weights.get(name),
                activation_range=ranges[members[-1]],
            )
        )
    return rows


def blocks(names: Sequence[str]) -> dict[str, list[str]]:
    """Residual blocks by what their layers' names begin with."""
    found: dict[str, list[str]] = {}
    for name in names:
        path, _, last = name.rpartition(".")
        if ".blocks." in name and last in ("conv1", "conv2", "add"):
            found.setdefault(path, []).append(name)
    return found


def _sqnr(wanted: list[Tensor], got: list[Tensor]) -> float:
    """Power of a layer's float output over that of its own rounding, in dB."""
    signal = sum(float(w.square().sum()) for w in wanted)
    noise = sum(float((w - g).square().sum()) for w, g in zip(wanted, got, strict=True))
    return 10 * math.log10(signal / noise) if noise else math.inf


def _nchw(image: Pixels) -> Tensor:
    return torch.from_numpy(to_unit(image)).permute(2, 0, 1)[None].contiguous()
