"""A network whose scale is halved computes what the whole one computes on enlarged maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from conftest import TINY, lively

from edgesr.models.hime.halving import halve_scale


def test_halved_network_is_the_whole_one_on_enlarged_maps() -> None:
    whole = lively(TINY.replace(scale=8))
    torch.nn.init.normal_(whole.reconstructor.up2.bias)
    half = halve_scale(whole)
    assert (half.config.scale, half.config.lr_size, half.config.hr_size) == (4, 16, 64)
    photo, fused = torch.rand(2, 3, 64, 64), torch.randn(2, TINY.lr_channels, 16, 16)
    extractor = whole.exemplar_extractor
    enlarged = extractor.unshuffle(F.interpolate(extractor.mono(photo), scale_factor=2, mode="nearest"))
    wanted = extractor.blocks(F.relu(extractor.conv(enlarged)))
    torch.testing.assert_close(half.exemplar_extractor(photo), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        half.reconstructor(fused), F.avg_pool2d(whole.reconstructor(fused), 2), atol=1e-5, rtol=0
    )
