"""What a network says of its inputs and outputs is what its encoder gives and its restorer takes."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from edgesr.models.hime.config import PRESETS, HIMEConfig
from edgesr.models.interface import Code, FeatureMap, Interface

CHANNELS = {"hime-edge-x4": 96}
"""Of a stored exemplar where it is not 128."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_networks_interface_is_what_its_configuration_says(name: str) -> None:
    config = PRESETS[name]
    interface = config.interface
    assert (interface.scale, interface.lr_size, interface.slots) == (config.scale, config.lr_size, config.slots)
    assert interface.hr_size == config.hr_size
    assert [(m.name, m.channels, m.size) for m in interface.feature_maps] == [
        ("features", CHANNELS.get(name, 128), config.lr_size)
    ]
    assert interface.parts == config.feature_parts
    assert interface.codes == ()


def test_the_encoder_returns_maps_of_these_sizes() -> None:
    import torch

    from edgesr.models.hime.network import HIME

    config = HIMEConfig(lr_size=8, lr_blocks=1, exemplar_blocks=1, reconstruction_blocks=1, exemplar_channels=8)
    side = config.interface.hr_size
    (features,) = config.interface.feature_maps
    encoded = HIME(config).encode(torch.zeros(1, 3, side, side))
    assert tuple(encoded.shape[-3:]) == (features.channels, features.size, features.size)


def test_a_map_without_parts_is_one_part() -> None:
    interface = Interface(4, 32, 3, (FeatureMap("deep", 8, 32), FeatureMap("fine", 4, 64)), (Code("style", 16),))
    assert interface.parts == {"deep": 8, "fine": 4}


def test_parts_that_are_not_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="8 channels"):
        FeatureMap("deep", 8, 32, (("a", 4), ("b", 3)))


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["hime-small-x4"].interface.scale = 2  # type: ignore[misc]


def test_it_needs_no_pytorch() -> None:
    import subprocess

    code = "import sys, edgesr.models.interface; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("codes", [(), (Code("style", 16),)])
def test_it_goes_to_json_and_back(codes: tuple[Code, ...]) -> None:
    import json

    interface = Interface(4, 32, 3, (FeatureMap("deep", 8, 32, (("a", 5), ("b", 3))), FeatureMap("fine", 4, 64)), codes)
    assert Interface.from_dict(json.loads(json.dumps(interface.to_dict()))) == interface


def test_one_map_is_the_tensor_features_and_several_are_told_by_their_names() -> None:
    deep, fine, style = FeatureMap("deep", 8, 32), FeatureMap("fine", 4, 64), Code("style", 16)
    assert Interface(4, 32, 3, (deep,)).kept == {"features": (32, 32, 8)}
    assert Interface(4, 32, 3, (deep, fine), (style,)).kept == {
        "features_deep": (32, 32, 8),
        "features_fine": (64, 64, 4),
        "features_style": (16,),
    }
