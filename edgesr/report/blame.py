"""Which layers spoil which faces: the artifact's own quantization, each layer spared in turn, face by face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.fx import GraphModule

from edgesr.deployment.graphs import GRAPH_INPUTS, deployed_graphs
from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import Pixels, to_pixels, to_unit
from edgesr.models.checkpoint import Checkpoint
from edgesr.quantize.encoded import KeptEncoder
from edgesr.quantize.points import Points
from edgesr.quantize.quantizer import prepared
from edgesr.quantize.scheme import Quantization

from .faces import ReportFace

Track = Callable[[Sequence[str]], Iterator[str]]


class SparedNetwork:
    """A quantized network in PyTorch, of which one layer at a time is let through in float."""

    def __init__(self, checkpoint: Checkpoint, quantization: Quantization) -> None:
        graphs = deployed_graphs(checkpoint.model, "grid_sample")
        self.config, self.shapes = graphs.config, graphs.shapes
        self.points = Points({})
        self.modules: dict[str, GraphModule] = {
            name: prepared(getattr(graphs, name), name, graphs.inputs(name), quantization.recipe, self.points)
            for name in GRAPH_INPUTS
        }
        self.points.set(quantization.points)
        self.encode = KeptEncoder(self.modules["encode"])

    @property
    def layers(self) -> list[str]:
        """Those in int8 that have a scale of their own, in the order in which they run."""
        names = [name.rsplit(":", 1)[0] for name in self.points.activations if not name.startswith("features.")]
        return list(dict.fromkeys(names))

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
        features, valid = torch.zeros(self.shapes["features"]), torch.zeros(self.config.slots)
        for i, photo in enumerate(face.exemplars):
            features[i], valid[i] = self.encode(_nchw(photo)), 1.0
        sr, _ = self.modules["restore"](_nchw(face.lr), features, valid)
        return psnr(to_pixels(sr[0].permute(1, 2, 0).numpy()), face.truth)


def blame(
    network: SparedNetwork, faces: Sequence[ReportFace], count: int = 3, track: Track = iter
) -> dict[str, list[dict[str, Any]]]:
    """For each face's key the ``count`` layers whose sparing gains most on it, as ``layer`` and ``gain_db``."""
    before = {face.key: network.psnr(face) for face in faces}
    gains: dict[str, list[tuple[float, str]]] = {face.key: [] for face in faces}
    for layer in track(network.layers):
        for face in faces:
            gains[face.key].append((network.psnr(face, spare=layer) - before[face.key], layer))
    return {
        key: [{"layer": layer, "gain_db": gain} for gain, layer in sorted(found, reverse=True)[:count]]
        for key, found in gains.items()
    }


def _nchw(photo: Pixels) -> torch.Tensor:
    return torch.from_numpy(to_unit(photo)).permute(2, 0, 1)[None].contiguous()
