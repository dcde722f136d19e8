"""A shift that is known is found to half a pixel by the flow of the shipped HIME-large."""

from __future__ import annotations

import pytest
import torch
from large import LARGE, large
from torch import Tensor

from edgesr.data.degradation import lr_faces
from edgesr.data.samples import sample_faces
from edgesr.models import load_checkpoint
from edgesr.models.hime_large.known_shifts import errors, shifted
from edgesr.models.hime_large.network import HIMELarge

TRAINED = "hime-large-x4-photo"


def photos(size: int) -> Tensor:
    """The London samples: nobody of them was trained on."""
    hr = torch.stack([torch.from_numpy(face.target.copy()).permute(2, 0, 1) for face in sample_faces(size)])
    return hr.float() / 255


@pytest.fixture(scope="module")
def trained() -> HIMELarge:
    model = load_checkpoint(TRAINED).model.eval()
    assert isinstance(model, HIMELarge)
    return model


def error_of(model: HIMELarge, shift: float, degradation: str) -> Tensor:
    """Of each sample, on the face: behind it is a wall of one colour, which shows no shift."""
    hr = photos(model.config.hr_size)
    lr = lr_faces(hr, model.config.scale, degradation, torch.Generator().manual_seed(0))
    return errors(model, hr, lr, shift, border=model.config.lr_size // 4)


@pytest.mark.parametrize("degradation", ["bicubic", "phone-2"])
@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_a_known_shift_is_found_to_half_a_pixel_whoevers_face_it_is(
    trained: HIMELarge, shift: float, degradation: str
) -> None:
    """Of the six samples two are dark faces before a bright wall, of which few were trained on."""
    # A flow of nothing errs by the shift: half a pixel, too, where that is the shift.
    assert float(error_of(trained, shift, degradation).max()) < min(0.5, 0.8 * shift)


def test_a_flow_of_nothing_errs_by_the_shift() -> None:
    model, hr = large(), photos(LARGE.hr_size)
    for level in model.rfa.flow.spynet.levels:
        level.convs[-1].weight.zero_()  # type: ignore[union-attr, index]
        level.convs[-1].bias.zero_()  # type: ignore[union-attr, index]
    lr = lr_faces(hr, LARGE.scale, "bicubic", torch.Generator())
    torch.testing.assert_close(errors(model, hr, lr, 1.0), torch.ones(len(hr)))


@pytest.mark.parametrize(("shift", "dy", "dx"), [((1.0, 0.0), 0, 1), ((0.0, -1.0), -1, 0)])
def test_a_shifted_photo_shows_at_p_plus_the_shift_what_it_showed_at_p(
    shift: tuple[float, float], dy: int, dx: int
) -> None:
    hr = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    moved = shifted(hr, 4, shift).roll((-4 * dy, -4 * dx), (2, 3))
    torch.testing.assert_close(moved[..., 6:18, 6:18], hr[..., 6:18, 6:18], rtol=0, atol=1e-3)
