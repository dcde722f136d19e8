"""ONNX graphs in PyTorch: what ONNX Runtime computes, with gradients; and the identity loss on top."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError, UnavailableError, UsageError

pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'edgesr[onnx]'")
pytest.importorskip("onnxruntime", reason="the judge is ONNX Runtime: pip install 'edgesr[onnx]'")

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgesr.training.losses import EmbedderInput, FaceEmbedder, IdentityLoss
from edgesr.training.losses.identity import ARCFACE_BOX, resampling_matrix
from edgesr.training.onnx_torch import OnnxModule

RANDOM = np.random.default_rng(0)


def weights(*shape: int, positive: bool = False) -> Any:
    values = RANDOM.standard_normal(shape).astype(np.float32) * 0.3
    return np.abs(values) + 0.1 if positive else values


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def graph(
    nodes: Sequence[Any],
    shape: Sequence[int | str | None],
    constants: dict[str, Any],
    opset: int = 17,
    outputs: int = 1,
) -> Any:
    """A model from x to y (and y1, ...)."""
    names = ["y", *[f"y{i}" for i in range(1, outputs)]]
    made = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def reference(model: Any, x: Tensor) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.numpy()})


def outputs_of(module: OnnxModule, x: Tensor) -> tuple[Tensor, ...]:
    made = module(x)
    return made if isinstance(made, tuple) else (made,)


W = weights(4, 3, 3, 3)
IMAGE = (2, 3, 7, 8)
ROWS = (3, 5)

# operator, shape of x, further inputs, attributes[, opset]
CASES: list[tuple[Any, ...]] = [
    ("Conv", IMAGE, [W], {}),
    ("Conv", IMAGE, [W, weights(4)], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ("Conv", IMAGE, [W], {"pads": [0, 1, 2, 0], "dilations": [2, 1]}),
    ("Conv", IMAGE, [W], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", IMAGE, [W], {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ("Conv", IMAGE, [W], {"auto_pad": "VALID"}),
    ("Conv", (2, 4, 6, 6), [weights(8, 2, 3, 3)], {"group": 2}),
    ("Conv", (2, 3, 9), [weights(5, 3, 3)], {"strides": [2]}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", IMAGE, [], {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER"}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", IMAGE, [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("GlobalAveragePool", IMAGE, [], {}),
    ("BatchNormalization", IMAGE, [weights(3), weights(3), weights(3), weights(3, positive=True)], {"epsilon": 2e-5}),
    ("BatchNormalization", ROWS, [weights(5), weights(5), weights(5), weights(5, positive=True)], {}),
    ("InstanceNormalization", IMAGE, [weights(3), weights(3)], {}),
    ("LpNormalization", ROWS, [], {"axis": 1}),
    ("PRelu", IMAGE, [weights(3, 1, 1)], {}),
    ("PRelu", ROWS, [weights(5)], {}),
    ("Gemm", ROWS, [weights(4, 5), weights(4)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", ROWS, [weights(3, 4)], {"transA": 1}),
    ("MatMul", (2, 3, 5), [weights(5, 4)], {}),
    ("Softmax", IMAGE, [], {"axis": 1}),
    ("Softmax", IMAGE, [], {"axis": 2}, 11),
    ("Add", IMAGE, [weights(3, 1, 1)], {}),
    ("Sub", IMAGE, [weights(1)], {}),
    ("Mul", IMAGE, [np.float32(0.0078125)], {}),
    ("Div", IMAGE, [weights(8, positive=True)], {}),
    ("Pow", ROWS, [np.float32(2)], {}),
    ("Max", ROWS, [weights(5), weights(3, 1)], {}),
    ("Min", ROWS, [weights(5)], {}),
    ("Sum", ROWS, [weights(3, 5), weights(3, 5)], {}),
    ("Relu", ROWS, [], {}),
    ("LeakyRelu", ROWS, [], {"alpha": 0.1}),
    ("Elu", ROWS, [], {"alpha": 0.7}),
    ("Sigmoid", ROWS, [], {}),
    ("HardSigmoid", ROWS, [], {"alpha": 0.5}),
    ("HardSwish", ROWS, [], {}),
    ("Tanh", ROWS, [], {}),
    ("Softplus", ROWS, [], {}),
    ("Erf", ROWS, [], {}),
    ("Exp", ROWS, [], {}),
    ("Neg", ROWS, [], {}),
    ("Abs", ROWS, [], {}),
    ("Clip", ROWS, [np.float32(-0.2), np.float32(0.5)], {}),
    ("Clip", ROWS, [None, np.float32(0.5)], {}),
    ("Clip", ROWS, [], {"min": 0.0, "max": 0.4}, 9),
    ("Identity", ROWS, [], {}),
    ("Dropout", ROWS, [], {}),
    ("Cast", ROWS, [], {"to": TensorProto.FLOAT}),
    ("Reshape", IMAGE, [ints(0, -1)], {}),
    ("Reshape", IMAGE, [ints(2, 8, 21)], {}),
    ("Flatten", IMAGE, [], {}),
    ("Flatten", IMAGE, [], {"axis": 2}),
    ("Flatten", IMAGE, [], {"axis": 0}),
    ("Transpose", IMAGE, [], {"perm": [0, 2, 3, 1]}),
    ("Transpose", ROWS, [], {}),
    ("Squeeze", (2, 1, 3, 1), [ints(3)], {}),
    ("Squeeze", (2, 1, 3, 1), [], {"axes": [1, 3]}, 11),
    ("Squeeze", (2, 1, 3, 1), [], {}),
    ("Unsqueeze", ROWS, [ints(0, -1)], {}),
    ("Unsqueeze", ROWS, [], {"axes": [1]}, 11),
    ("Concat", ROWS, [weights(2, 5)], {"axis": 0}),
    ("Gather", IMAGE, [ints(2, -1)], {"axis": 1}),
    ("Gather", IMAGE, [np.array(1, np.int64)], {"axis": -1}),
    ("Slice", IMAGE, [ints(1, -5), ints(2**31, -1), ints(2, 3), ints(1, 2)], {}),
    ("Slice", IMAGE, [], {"starts": [1], "ends": [3], "axes": [1]}, 9),
    ("Pad", ROWS, [ints(1, 0, 0, 2), np.float32(0.5)], {}),
    ("Expand", (3, 1), [ints(2, 1, 4)], {}),
    ("ReduceMean", IMAGE, [], {"axes": [2, 3], "keepdims": 0}),
    ("ReduceMean", IMAGE, [ints(-1)], {}, 18),
    ("ReduceSum", IMAGE, [ints(1)], {}),
    ("ReduceSum", IMAGE, [], {"noop_with_empty_axes": 1}),
    ("ReduceL2", ROWS, [], {"axes": [1]}),
    ("ReduceMax", ROWS, [], {"axes": [1]}),
    ("ReduceSumSquare", ROWS, [], {}),
]


@pytest.mark.parametrize(
    ("operator", "shape", "inputs", "attributes", "opset"),
    [(*case, 17)[:5] for case in CASES],
    ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)],
)
def test_an_operator_does_what_onnx_runtime_does(
    operator: str, shape: tuple[int, ...], inputs: list[Any], attributes: dict[str, Any], opset: int
) -> None:
    constants = {f"c{i}": np.asarray(value) for i, value in enumerate(inputs) if value is not None}
    names = ["x", *["" if value is None else f"c{i}" for i, value in enumerate(inputs)]]
    model = graph([helper.make_node(operator, names, ["y"], **attributes)], shape, constants, opset)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    y = OnnxModule(model)(x)
    assert isinstance(y, Tensor)
    (expected,) = reference(model, x)
    assert tuple(y.shape) == expected.shape
    torch.testing.assert_close(y, torch.from_numpy(expected), rtol=1e-5, atol=1e-5)


def test_split_has_several_outputs() -> None:
    nodes = [helper.make_node("Split", ["x", "sizes"], ["y", "y1"], axis=1)]
    model = graph(nodes, (2, 5), {"sizes": ints(2, 3)}, outputs=2)
    x = torch.randn(2, 5)
    for found, expected in zip(outputs_of(OnnxModule(model), x), reference(model, x), strict=True):
        assert torch.equal(found, torch.from_numpy(expected))


def embedder(batch: int | str = "N", last: Sequence[int] = (0, -1), size: int = 16) -> Any:
    """A small face embedder in the style of MobileFaceNet, with shape arithmetic as exporters leave it."""
    constants = {
        "mean": np.float32(0.1),
        "std": np.float32(0.5),
        "w0": weights(8, 3, 3, 3),
        "scale": weights(8, positive=True),
        "shift": weights(8),
        "average": weights(8),
        "variance": weights(8, positive=True),
        "slope": weights(8, 1, 1, positive=True),
        "w1": weights(8, 1, 3, 3),
        "b1": weights(8),
        "zero": np.array(0, np.int64),
        "rest": ints(-1),
        "axis": ints(0),
        "last": ints(*last),
        "w2": weights(6, 8 * (size // 2) ** 2) * 0.2,
        "b2": weights(6),
        "two": np.float32(2),
        "half": np.float32(0.25),
    }
    make = helper.make_node
    nodes = [
        make("Sub", ["x", "mean"], ["x1"]),
        make("Div", ["x1", "std"], ["x2"]),
        make("Conv", ["x2", "w0"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        make("BatchNormalization", ["a", "scale", "shift", "average", "variance"], ["a.1"]),
        make("PRelu", ["a.1", "slope"], ["b"]),
        make("Mul", ["two", "half"], ["one half"]),  # of constants alone
        make("Conv", ["b", "w1", "b1"], ["c"], pads=[1, 1, 1, 1], group=8),
        make("Mul", ["c", "one half"], ["c2"]),
        make("Add", ["c2", "b"], ["d"]),
        make("Relu", ["d"], ["e"]),
        make("Shape", ["e"], ["sizes"]),
        make("Gather", ["sizes", "zero"], ["n"], axis=0),
        make("Unsqueeze", ["n", "axis"], ["n1"]),
        make("Concat", ["n1", "rest"], ["flat"], axis=0),
        make("Reshape", ["e", "flat" if last[0] == 0 else "last"], ["f"]),
        make("Dropout", ["f"], ["g", "mask"]),
        make("Gemm", ["g", "w2", "b2"], ["h"], transB=1),
        make("LpNormalization", ["h"], ["y"], axis=1),
    ]
    return graph(nodes, (batch, 3, size, size), constants)


def test_a_whole_network_does_what_onnx_runtime_does() -> None:
    model = embedder()
    x = torch.randn(3, 3, 16, 16)
    module = OnnxModule(model)
    torch.testing.assert_close(module(x), torch.from_numpy(reference(model, x)[0]), rtol=1e-4, atol=1e-5)
    assert module.inputs == ("x",)
    assert module.input_shapes == ((None, 3, 16, 16),)
    assert not list(module.parameters())


def test_gradients_through_a_graph_are_those_of_finite_differences() -> None:
    module = OnnxModule(embedder(size=4)).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)


def test_weights_that_old_files_list_as_inputs_are_no_inputs() -> None:
    model = embedder()
    for name in ("w0", "b2"):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    assert OnnxModule(model).inputs == ("x",)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (helper.make_node("NonZero", ["x"], ["y"]), r"not known here: NonZero .*known: Abs, Add"),
        (helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), "not known here: Gelu"),
    ],
)
def test_an_unknown_operator_is_named(node: Any, message: str) -> None:
    with pytest.raises(UnavailableError, match=message):
        OnnxModule(graph([node], ROWS, {}))


@pytest.mark.parametrize(
    ("operator", "shape", "inputs", "attributes", "message"),
    [
        ("MaxPool", IMAGE, [], {"kernel_shape": [2, 2], "ceil_mode": 1}, "MaxPool .*ceil_mode"),
        ("Slice", ROWS, [ints(3), ints(0), ints(1), ints(-1)], {}, "Slice .*negative step"),
        ("Cast", ROWS, [], {"to": TensorProto.UINT8}, "Cast .*data type 2"),
        ("Pad", ROWS, [ints(1, 0, 0, 1)], {"mode": "reflect"}, "Pad .*another mode"),
    ],
)
def test_an_unsupported_use_of_an_operator_is_named(
    operator: str, shape: tuple[int, ...], inputs: list[Any], attributes: dict[str, Any], message: str
) -> None:
    names = [f"c{i}" for i in range(len(inputs))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    module = OnnxModule(graph([node], shape, dict(zip(names, inputs, strict=True))))
    with pytest.raises(UnavailableError, match=message):
        module(torch.zeros(shape))


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"no ONNX file .*none\.onnx"):
        OnnxModule.load(tmp_path / "none.onnx")
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x07 not a graph")
    with pytest.raises(InputOutputError, match=r"cannot read .*damaged\.onnx"):
        OnnxModule.load(tmp_path / "damaged.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputOutputError, match="no output"):
        OnnxModule.load(tmp_path / "empty.onnx")


def test_a_graph_with_a_node_cut_out_is_named() -> None:
    model = embedder()
    del model.graph.node[4]
    with pytest.raises(InputOutputError, match="nothing makes 'b'"):
        OnnxModule(model)


# The identity loss


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
