"""VGG and AlexNet as feature extractors, and a reader of their weights in the layouts they are passed around in.

Layers are numbered as in torchvision's ``features``, which is also what the files' tensors are called after.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from edgesr.errors import InputOutputError, UsageError
from edgesr.models.checkpoint import read_tensors

Architecture = Literal["alexnet", "vgg16", "vgg19"]
Layers = dict[str, Callable[[], nn.Module]]

# torchvision and timm: features.28.weight. lpips: net.slice5.28.weight. A bare nn.Sequential: 28.weight.
_TENSOR = re.compile(r"(?:^|\.)(?:(?:features|slice\d+)\.|^)(\d+)\.(weight|bias)$")
_PICKLES = {".pth", ".pt", ".bin", ".ckpt", ".pkl"}


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int, padding: int) -> Callable[[], nn.Module]:
    return lambda: nn.Conv2d(channels_in, channels_out, kernel, stride, padding)


def _pool(kernel: int) -> Callable[[], nn.Module]:
    return lambda: nn.MaxPool2d(kernel, stride=2)


def _vgg(convolutions: Sequence[int]) -> Layers:
    """``convolutions`` in each of the five blocks (Simonyan and Zisserman 2015, Table 1)."""
    layers: Layers = {}
    channels = 3
    for block, (count, width) in enumerate(zip(convolutions, (64, 128, 256, 512, 512), strict=True), start=1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = _conv(channels, width, 3, 1, 1)
            layers[f"relu{block}_{i}"] = nn.ReLU  # not in place: a loss may look at what stands before it
            channels = width
        layers[f"pool{block}"] = _pool(2)
    return layers


def _alexnet() -> Layers:
    return {
        "conv1": _conv(3, 64, 11, 4, 2),
        "relu1": nn.ReLU,
        "pool1": _pool(3),
        "conv2": _conv(64, 192, 5, 1, 2),
        "relu2": nn.ReLU,
        "pool2": _pool(3),
        "conv3": _conv(192, 384, 3, 1, 1),
        "relu3": nn.ReLU,
        "conv4": _conv(384, 256, 3, 1, 1),
        "relu4": nn.ReLU,
        "conv5": _conv(256, 256, 3, 1, 1),
        "relu5": nn.ReLU,
    }


ARCHITECTURES: dict[Architecture, Layers] = {
    "alexnet": _alexnet(),
    "vgg16": _vgg((2, 2, 3, 3, 3)),
    "vgg19": _vgg((2, 2, 4, 4, 4)),
}


class Backbone(nn.Module):
    """The first layers of an ImageNet classifier, up to the last of ``layers``, frozen.

    Raises:
        UsageError: a layer that the architecture does not have.
    """

    def __init__(self, architecture: Architecture, layers: Sequence[str]) -> None:
        super().__init__()
        table = ARCHITECTURES[architecture]
        names = list(table)
        unknown = [name for name in layers if name not in table]
        if unknown or not layers:
            raise UsageError(
                f"{architecture} has no layer {unknown[0]!r}" if unknown else f"no layer of {architecture} is named",
                f"its layers: {', '.join(names)}",
            )
        depth = 1 + max(names.index(name) for name in layers)
        self.architecture = architecture
        self.taps = {names.index(name): name for name in layers}
        self.features = nn.Sequential(*[table[name]() for name in names[:depth]])
        self.requires_grad_(False)

    @classmethod
    def load(cls, architecture: Architecture, layers: Sequence[str], path: Path) -> Backbone:
        """Load weights from a safetensors file of torchvision's, timm's or lpips's layout; what lies deeper is ignored.

        Raises:
            InputOutputError: missing, damaged, a pickle, or weights of another network.
        """
        with torch.device("meta"):
            backbone = cls(architecture, layers)
        backbone.features.load_state_dict(_features(path, backbone), assign=True)
        return backbone.requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images [N, 3, H, W] -> each named layer's output [N, C, h, w]."""
        outputs = {}
        for i, layer in enumerate(self.features):
            images = layer(images)
            if i in self.taps:
                outputs[self.taps[i]] = images
        return outputs


def read_weights(path: Path, what: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file of ``what``.

    Raises:
        InputOutputError: missing, damaged, or a pickle.
    """
    if path.suffix.lower() in _PICKLES:
        raise InputOutputError(
            f"{path} is a pickle, and pickled weights are never loaded",
            "turn it into safetensors once: docs/losses.md has the line for it",
        )
    if not path.is_file():
        raise InputOutputError(f"no {what} weights at {path}", "docs/losses.md says which files fit")
    return read_tensors(path)


def _features(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """The state of ``backbone.features`` from a file."""
    name, depth = backbone.architecture, len(backbone.features)
    found = {}
    for key, tensor in read_weights(path, name).items():
        match = _TENSOR.search(key)
        if match and int(match[1]) < depth:
            found[f"{match[1]}.{match[2]}"] = tensor.float()
    expected = {key: tuple(tensor.shape) for key, tensor in backbone.features.state_dict().items()}
    for key in sorted(expected.keys() | found.keys(), key=lambda k: int(k.split(".")[0])):
        shape = tuple(found[key].shape) if key in found else None
        if shape != expected.get(key):
            raise InputOutputError(
                f"{path} does not hold {name}: features.{key} is {_size(shape)} where it should be "
                f"{_size(expected.get(key))}",
                f"take {name} without batch normalisation, with tensors called features.N.weight",
            )
        if not torch.isfinite(found[key]).all():
            raise InputOutputError(f"{path} holds values that are not finite in features.{key}")
    return found


def _size(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape))
