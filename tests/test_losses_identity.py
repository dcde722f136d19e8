"""The identity loss on an ONNX embedder, made for the test or real."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from edgesr.data.samples import sample_faces
from edgesr.errors import UsageError
from edgesr.faces.arcface import ARCFACE_BOX

pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'edgesr[onnx]'")
pytest.importorskip("onnxruntime", reason="the judge is ONNX Runtime: pip install 'edgesr[onnx]'")

import onnx
import onnxruntime
from onnx import helper
from onnx_graphs import embedder, graph, reference

from edgesr.training.losses import EmbedderInput, FaceEmbedder, IdentityLoss
from edgesr.training.losses.identity import resampling_matrix
from edgesr.training.onnx_torch import OnnxModule


@pytest.mark.parametrize(("size", "target"), [(128, 112), (256, 112), (40, 16)])
@pytest.mark.parametrize("box", [(0.118, 0.12, 0.765), (0.0, 0.0, 1.0)])
def test_the_crop_is_pillows(size: int, target: int, box: tuple[float, float, float]) -> None:
    image = np.random.default_rng(0).random((size, size), np.float32)
    left, top, side = (size * share for share in box)
    edges = (left, top, min(left + side, size), min(top + side, size))
    expected = np.asarray(Image.fromarray(image).resize((target, target), Image.Resampling.BILINEAR, box=edges))
    columns, rows = resampling_matrix(size, *box, target)
    np.testing.assert_allclose((rows @ torch.from_numpy(image) @ columns.T).numpy(), expected, atol=1e-5)


def test_the_box_is_arcfaces_template_aligned_by_our_rule() -> None:
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    eyes, mouth = template[:2].mean(0), template[3:].mean(0)
    down = mouth - eyes
    half = max(2.0 * np.linalg.norm(template[1] - template[0]), 1.8 * np.linalg.norm(down))
    left, top = 0.5 - (eyes + 0.1 * down) / (2 * half)
    assert (ARCFACE_BOX.left, ARCFACE_BOX.top) == pytest.approx((left, top), abs=1e-5)
    assert ARCFACE_BOX.side == pytest.approx(112 / (2 * half), abs=1e-5)


@pytest.mark.parametrize("fixed", [False, True], ids=["any batch", "a batch of 1 in its Reshape"])
@pytest.mark.parametrize("bgr", [False, True])
def test_identity_loss_is_one_minus_the_cosine_of_embeddings(tmp_path: Path, fixed: bool, bgr: bool) -> None:
    model = embedder(1, (1, -1)) if fixed else embedder()
    onnx.save(model, tmp_path / "embedder.onnx")
    network = FaceEmbedder.load(tmp_path / "embedder.onnx", EmbedderInput(bgr=bgr))
    assert network.batches != fixed
    sr, hr = torch.rand(2, 3, 3, 32, 32)
    columns, rows = resampling_matrix(32, ARCFACE_BOX.left, ARCFACE_BOX.top, ARCFACE_BOX.side, 16)

    def embedding(face: Tensor) -> Any:
        pixels = (rows @ face @ columns.T) * 255
        return reference(model, ((pixels.flip(0) if bgr else pixels) - 127.5)[None] / 127.5)[0][0]

    cosines = [
        float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for a, b in [(embedding(one), embedding(other)) for one, other in zip(sr, hr, strict=True)]
    ]
    loss = IdentityLoss(network)
    assert float(loss(sr, hr)) == pytest.approx(1 - np.mean(cosines), abs=1e-4)
    assert float(loss(hr, hr)) == pytest.approx(0, abs=1e-5)
    loss(sr.requires_grad_(True), hr).backward()
    assert sr.grad is not None
    assert sr.grad.abs().sum() > 0


def test_maps_on_the_way_to_the_embedding_are_compared() -> None:
    """By hand: the graph's maps are those of 16 and 8 pixels, halved twice."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Abs", ["half"], ["last of 8"]),
        helper.make_node("AveragePool", ["last of 8"], ["quarter"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["quarter"], ["y"]),
    ]
    network = FaceEmbedder(OnnxModule(graph(nodes, ("N", 3, 16, 16), {})), EmbedderInput(mean=0, std=1))
    assert network.map_names == ("last of 8", "quarter")
    loss = IdentityLoss(network)
    hr = torch.full((1, 3, 32, 32), 0.5)
    found, wanted, apart = loss.embed_with_maps(1.5 * hr, hr)
    torch.testing.assert_close(apart, torch.tensor(0.5))
    torch.testing.assert_close((found, wanted), loss.embed(1.5 * hr, hr))


def test_a_face_may_resemble_somebody_else_as_much_as_the_truth_does() -> None:
    """By hand: embeddings are the faces' mean colours."""

    class Means(torch.nn.Module):
        def forward(self, faces: Tensor) -> Tensor:
            return F.normalize(faces.mean((2, 3)), dim=1)

    def faces(*colours: tuple[float, float, float]) -> Tensor:
        return torch.tensor(colours)[:, :, None, None].expand(-1, 3, 4, 4).clone()

    loss = IdentityLoss(Means())
    red, green, blue = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    yellow = (1.0, 1.0, 0.0)
    sr = faces(yellow, yellow).requires_grad_(True)
    exemplars = torch.stack([faces(green, blue), faces(green, red)])
    found, wanted = loss.embed(sr, faces(red, red))
    nobody = torch.zeros(2, 2, dtype=torch.bool)
    assert loss.impostor(found, wanted, exemplars, nobody) == 0
    foreign = torch.tensor([[True, True], [False, True]])
    # Yellow is nearer to green than red is, by cos 45°; to blue no nearer; to red, the truth itself, less near.
    got = loss.impostor(found, wanted, exemplars, foreign)
    assert float(got.detach()) == pytest.approx(0.5**0.5 / 4)
    got.backward()
    assert sr.grad is not None
    assert sr.grad[0].abs().sum() > 0
    assert sr.grad[1].abs().sum() == 0


def test_an_embedder_of_channels_last_images_works() -> None:
    model = graph([helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0)], ("N", 8, 8, 3), {})
    network = FaceEmbedder(OnnxModule(model))
    assert network(torch.rand(2, 3, 16, 16)).shape == (2, 3)


@pytest.mark.parametrize("shape", [("N", 3, 16, 12), ("N", 3), ("N", 1, 16, 16), ("N", 3, "H", "W")])
def test_a_network_that_takes_no_faces_is_refused(shape: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="one square RGB image"):
        FaceEmbedder(OnnxModule(graph([helper.make_node("Relu", ["x"], ["y"])], shape, {})))


def test_faces_that_are_not_square_are_refused() -> None:
    with pytest.raises(UsageError, match="16x12"):
        FaceEmbedder(OnnxModule(embedder()))(torch.rand(1, 3, 12, 16))


@pytest.fixture(scope="module")
def mobilefacenet() -> Path:
    given = os.environ.get("EDGESR_FACES")
    faces = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "faces"
    path = faces.parent / "weights" / "face_embedding_mobilefacenet.onnx"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {path.parent}: set EDGESR_FACES to the folder of faces beside it")
    return path


def test_a_real_embedder_does_what_onnx_runtime_does(mobilefacenet: Path) -> None:
    x = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    model = onnx.load(mobilefacenet)
    (name,) = [value.name for value in model.graph.input]
    session = onnxruntime.InferenceSession(mobilefacenet, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {name: x.numpy()})
    found = OnnxModule.load(mobilefacenet)(x)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-3, atol=1e-4)


def test_a_real_embedder_knows_people_by_their_aligned_faces(mobilefacenet: Path) -> None:
    network = FaceEmbedder.load(mobilefacenet).requires_grad_(False)
    people = sample_faces(128)

    def embeddings(photos: Sequence[Any]) -> Tensor:
        return network(torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255)

    similarity = embeddings([p.target for p in people]) @ embeddings([p.exemplar for p in people]).T
    same = similarity.diagonal()
    others = similarity[~torch.eye(len(people), dtype=torch.bool)]
    assert same.min() > others.max() + 0.1


def test_the_identity_loss_on_a_real_embedder_pulls_towards_the_person(mobilefacenet: Path) -> None:
    loss = IdentityLoss(FaceEmbedder.load(mobilefacenet))
    face = sample_faces(64)[0]
    hr = torch.from_numpy(face.target).permute(2, 0, 1)[None].float() / 255
    sr = nn.functional.avg_pool2d(hr, 5, 1, 2).requires_grad_(True)
    before = loss(sr, hr)
    before.backward()
    assert sr.grad is not None
    assert loss(sr.detach() - 0.003 * sr.grad.sign(), hr) < before
