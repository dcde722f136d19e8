"""The discriminator: VGG-style, as ESRGAN's (Wang et al. 2018)."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from edgesr.errors import UsageError

SMALLEST = 4
"""Side of the last feature map, which the linear layers see whole."""


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """Size of the discriminator; the defaults are ESRGAN's, for 128 px."""

    size: int = 128
    """Side of the square HR face in pixels: 4 times a power of two."""
    channels: int = 64
    """Width of the first layers; it doubles with each halving of the image, up to 8 times."""
    hidden: int = 100
    """Width between the two linear layers."""
    batch_norm: bool = True
    """Off for a gradient penalty, which is each face's own: batch norm would mix it with the others'."""

    def __post_init__(self) -> None:
        halvings = self.size // SMALLEST
        if halvings < 2 or SMALLEST * halvings != self.size or halvings & (halvings - 1):
            raise UsageError(f"the discriminator's size is {self.size}", "it must be 8, 16, 32, 64, 128, 256, ...")
        if self.channels < 1 or self.hidden < 1:
            raise UsageError("the discriminator has no channels", "channels and hidden must be 1 or more")


class Discriminator(nn.Module):
    """C of Eq. 13: [N, 3, S, S] in [0, 1] -> [N], before any sigmoid.

    Batch norm always uses the batch's own statistics: the network only ever judges batches in training, and
    without running statistics it has no state besides its weights (nothing to resume, or to share across processes).
    """

    def __init__(self, config: DiscriminatorConfig = DiscriminatorConfig()) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [nn.Conv2d(3, config.channels, 3, padding=1), nn.LeakyReLU(0.2)]
        width, size = config.channels, config.size
        while size > SMALLEST:
            wider = width if size == config.size else min(2 * width, 8 * config.channels)
            if size < config.size:
                layers += _block(width, wider, kernel=3, stride=1, norm=config.batch_norm)
            layers += _block(wider, wider, kernel=4, stride=2, norm=config.batch_norm)
            width, size = wider, size // 2
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.Linear(width * SMALLEST**2, config.hidden), nn.LeakyReLU(0.2), nn.Linear(config.hidden, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=0.2)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-2:] != (self.config.size, self.config.size):
            raise UsageError(
                f"the discriminator for {self.config.size} px was given {images.shape[-1]}x{images.shape[-2]} pixels",
                "build it for the size of the HR faces",
            )
        return self.judge(self.features(images).flatten(1)).squeeze(1)


def _block(channels_in: int, channels_out: int, kernel: int, stride: int, norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=1, bias=not norm)
    between = [nn.BatchNorm2d(channels_out, track_running_stats=False)] if norm else []
    return [conv, *between, nn.LeakyReLU(0.2)]
