"""What a network is shown that first learns to find its way: faces and copies whose warp is known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from edgesr.data.batches import BatchSampler, Curriculum, lit, toned
from edgesr.data.faces import FaceSet
from edgesr.data.optics import flow_of, similarity
from edgesr.data.samples import sample_faces


@pytest.fixture(scope="module")
def sharp() -> FaceSet:
    """The sample people at 64 px, two photos each."""
    photos = [photo for face in sample_faces(64) for photo in (face.target, face.exemplar)]
    images = torch.stack([torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in photos])
    return FaceSet(images, torch.arange(6).repeat_interleave(2), list("abcdef"))


def sampler(faces: FaceSet, degradation: str = "bicubic") -> BatchSampler:
    return BatchSampler(faces, 4, 12, Curriculum(), 0, torch.device("cpu"), degradation)


def moved(image: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The image [B, C, n, n] read at p + flow(p)."""
    n = image.shape[-1]
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    at = (torch.stack((x, y)) + flow) * (2 / (n - 1)) - 1
    return F.grid_sample(image, at.permute(0, 2, 3, 1), align_corners=True)


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.0), (0.0, 1.0), (-2.0, 3.0)])
def test_the_flow_of_a_shift_is_the_shift(right: float, down: float) -> None:
    """An image read 2 pixels to the right of where it was shows everything 2 pixels to the left."""
    size = 8
    shift = torch.tensor([[right, down]]) * (2 / size)
    flow = flow_of(similarity(torch.ones(1), torch.zeros(1), shift), size)
    torch.testing.assert_close(flow, torch.tensor([-right, -down])[None, :, None, None].expand(1, 2, size, size))


def test_a_copy_read_along_its_flow_is_the_face_again(sharp: FaceSet) -> None:
    faces = sharp.images.float() / 255
    theta = similarity(torch.full((12,), 1.05), torch.full((12,), 0.1), torch.full((12, 2), 0.05))
    copies = F.grid_sample(faces, F.affine_grid(theta, list(faces.shape), align_corners=False), align_corners=False)
    inner = (..., slice(10, -10), slice(10, -10))
    error, unmoved = ((one - faces)[inner].abs().mean() for one in (moved(copies, flow_of(theta, 64)), copies))
    assert error < 0.25 * unmoved


def test_half_of_the_light_is_full_and_the_rest_a_fifth_at_least() -> None:
    white, draw = torch.ones(64, 3, 32, 32), torch.rand(64, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    at = lit(white, draw)[:, :, (0, 0, -1, -1), (0, -1, 0, -1)]  # the corners, which lie on the draw's places
    assert 0.2 <= at.min() < 0.25
    assert 0.4 < float((at == 1).float().mean()) < 0.6


def test_half_of_the_tones_stay_the_rest_are_brighter_or_much_darker_and_a_quarter_negative() -> None:
    grey, draw = torch.full((400, 3, 2, 2), 0.5), torch.rand(400, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    tones = toned(grey, draw)[:, 0, 0, 0]
    negative = draw[:, 1, 0, 0] < 0.25
    assert 0.4 < float((tones == 0.5).float().mean()) < 0.6
    assert 0.5**4 <= tones[~negative].min() < 0.07
    assert 0.68 < tones[~negative].max() <= 0.5**0.5
    ends = torch.tensor([0.0, 1.0]).expand(400, 3, 1, 2)
    turned = toned(ends, draw)
    assert torch.equal(turned[~negative], ends[~negative])
    assert torch.equal(turned[negative], 1 - ends[negative])
    assert 0.2 < float(negative.float().mean()) < 0.3


def test_known_warps_are_each_steps_own_and_the_same_again(sharp: FaceSet) -> None:
    warps, again, other = (sampler(sharp).known_warps(step) for step in (3, 3, 4))
    assert [tuple(t.shape) for t in (warps.lr, warps.exemplars, warps.flow)] == [
        (12, 3, 16, 16),
        (12, 3, 64, 64),
        (12, 2, 16, 16),
    ]
    assert torch.equal(warps.flow, again.flow)
    assert torch.equal(warps.exemplars, again.exemplars)
    assert not torch.equal(warps.flow, other.flow)
    assert 0.2 < warps.flow.abs().mean() < 3


@pytest.mark.parametrize("degradation", ["bicubic", "phone"])
def test_processes_together_are_shown_what_one_alone_would(sharp: FaceSet, degradation: str) -> None:
    one = sampler(sharp, degradation)
    whole, parts = one.known_warps(2), [one.known_warps(2, rank, 3) for rank in range(3)]
    for name in ("lr", "exemplars", "flow"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts])), name


def test_faces_cut_amiss_leave_no_warp_known(sharp: FaceSet) -> None:
    aligned, misaligned = (sampler(sharp, name).known_warps(2) for name in ("phone-2", "phone-2-misaligned"))
    assert torch.equal(aligned.lr, misaligned.lr)
