"""Networks other than HIME-small trained in int8: what is trained is deployed, and what stays float stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import EDGE, lively
from large import LARGE, large
from pwave_networks import lively_pwave
from torch import Tensor

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")
pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")

from edgesr.data.faces import FaceSet
from edgesr.deployment.graphs import deployed_graphs
from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_upsample
from edgesr.models import Checkpoint, load_checkpoint, save_checkpoint
from edgesr.models.hime_large.network import HIMELarge
from edgesr.models.network import Network
from edgesr.models.pwave.network import PWAve
from edgesr.models.registry import architecture_of
from edgesr.quantize.graphs import quantization_of, quantize_graphs
from edgesr.quantize.network import QATNetwork
from edgesr.quantize.ptq import calibrate, calibration_faces
from edgesr.quantize.qat import QATTrainer, qat_config
from edgesr.quantize.recipe import Recipe, Rule
from edgesr.quantize.scheme import Quantization
from edgesr.training.feature_scales import measure_feature_scales

NETWORKS: dict[str, Callable[[], Network]] = {
    "edge": lambda: lively(EDGE),
    "large": large,
    "pwave": lively_pwave,
}
FROZEN = {"edge": "nothing", "large": "rfa.flow.", "pwave": "nothing"}
"""How the parameters begin that training in int8 leaves as they are."""
CONFIG = qat_config(steps=4, batch_size=2, learning_rate=1e-3)


@pytest.fixture(scope="module", params=NETWORKS)
def source(request: pytest.FixtureRequest, people_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    name, model = request.param, NETWORKS[request.param]()
    photos = FaceSet.read(people_folder, "train", model.config.hr_size).images
    folder = tmp_path_factory.mktemp("sources") / name
    save_checkpoint(folder, name, model, training={}, feature_scales=measure_feature_scales(model, photos))
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def quantization(source: Checkpoint, people_folder: Path) -> Quantization:
    config = source.model.config
    return calibrate(source, calibration_faces(people_folder, "train", config.hr_size, config.slots, 6))


NewTrainer = Callable[..., QATTrainer]


@pytest.fixture
def new_trainer(tmp_path: Path, people_folder: Path, source: Checkpoint, quantization: Quantization) -> NewTrainer:
    faces = FaceSet.read(people_folder, "train", source.model.config.hr_size)
    return lambda run: QATTrainer(tmp_path / run, f"{source.name}-int8", source, quantization, CONFIG, faces)


@pytest.mark.parametrize("slots", [0, 1, 2])
def test_the_network_in_training_is_the_quantized_graph(
    source: Checkpoint, quantization: Quantization, slots: int
) -> None:
    """Before a step, faces in a batch come out as the deployed int8 graphs restore them one by one."""
    interface, random = source.model.interface, torch.Generator().manual_seed(0)
    lr = torch.rand(2, 3, interface.lr_size, interface.lr_size, generator=random)
    photos = torch.rand(2, slots, 3, interface.hr_size, interface.hr_size, generator=random)
    network = QATNetwork(copy.deepcopy(source.model), quantization).eval()
    with torch.no_grad():
        sr, _ = network(lr, photos, torch.ones(2, slots))
    assert set(network.qparams()) <= set(quantization.points), "no tensor is rounded that is not in the graphs"
    graphs = quantize_graphs(deployed_graphs(source.model, "grid_sample"), quantization)
    plain = bicubic_upsample(lr, interface.scale)
    for i in range(2):
        inputs = graphs.restorer_inputs(lr[i][None], list(photos[i].unsqueeze(1)), graphs.encode)
        wanted, _ = graphs.restore(*inputs)
        # Where a value lies between two steps, rounding in another order of sums takes the other one.
        off = sr[i] - wanted[0]
        assert float(off.abs().median()) < 1e-5
        assert float(off.square().mean()) < 1e-3 * float((wanted[0] - plain[i]).square().mean())


@pytest.mark.parametrize("slots", [0, 1, 2])
def test_the_graphs_of_a_batch_are_the_network(source: Checkpoint, slots: int) -> None:
    """In float, with an empty slot among them."""
    model, random = source.model, torch.Generator().manual_seed(1)
    config = model.config
    lr = torch.rand(3, 3, config.lr_size, config.lr_size, generator=random)
    photos = torch.rand(3, slots, 3, config.hr_size, config.hr_size, generator=random)
    valid = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])[:, :slots]
    graphs = architecture_of(config).training_graphs(copy.deepcopy(model)).graphs(3, slots)
    with torch.no_grad():
        wanted, weights, *_ = model(lr, photos, valid)
        kept = graphs["encode"](photos.flatten(0, 1)) if slots else ()
        kept = kept if isinstance(kept, tuple) else (kept,)
        residual, got = graphs["restore"](lr, *kept, *([valid] if slots else []))
    torch.testing.assert_close(residual + bicubic_upsample(lr, config.scale), wanted, atol=2e-5, rtol=0)
    torch.testing.assert_close(got, weights, atol=1e-5, rtol=0)


def state(trainer: QATTrainer) -> dict[str, Tensor]:
    return safetensors.torch.load_file(trainer.run / "state.safetensors")


def test_all_that_is_int8_learns_and_a_resumed_run_is_the_same_run(
    new_trainer: NewTrainer, source: Checkpoint, quantization: Quantization
) -> None:
    whole = new_trainer("whole")
    whole.fit()
    first = new_trainer("parts")
    for _ in range(2):
        first.train_step()
    first.save()
    second = new_trainer("parts")
    assert second.step == 2
    second.fit()
    ours, theirs = state(second), state(whole)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    loaded = load_checkpoint(whole.checkpoint, quantized=True)
    trained = quantization_of(loaded)
    assert trained is not None
    assert trained.method == "qat"
    assert set(trained.points) == set(quantization.points)
    assert any(q.scale != quantization.points[name].scale for name, q in trained.points.items())
    assert loaded.feature_space == source.feature_space
    for name, tensor in loaded.model.state_dict().items():
        kept = torch.equal(tensor, source.model.state_dict()[name])
        assert kept == name.startswith(FROZEN[source.name]), name


def test_a_recipe_may_have_the_flow_in_int8(people_folder: Path, tmp_path: Path) -> None:
    """Its weights stay as they are all the same, and its steps are learned."""
    save_checkpoint(
        tmp_path / "large",
        "large",
        large(),
        training={},
        feature_scales=dict.fromkeys(("f_ref", "g_ref", "flow"), 0.05),
    )
    source = load_checkpoint(tmp_path / "large")
    recipe = Recipe("flow-too", (Rule("restore.aggregation.*", "float"),))
    known = calibrate(source, calibration_faces(people_folder, "train", LARGE.hr_size, LARGE.slots, 2), recipe=recipe)
    network = QATNetwork(copy.deepcopy(source.model), known)
    network(torch.rand(1, 3, 8, 8), torch.rand(1, 2, 3, 32, 32), torch.ones(1, 2))
    assert set(network.qparams()) == set(known.points)
    assert any(name.startswith("restore.flow.levels.1.step_x:") for name in known.points)


def test_forms_that_are_not_deployed_are_not_trained_in_int8() -> None:
    for model in (
        HIMELarge(LARGE.replace(flow="images")),
        PWAve(lively_pwave().config.replace(aggregation="average")),
    ):
        with pytest.raises(UsageError, match="has no int8 form"):
            architecture_of(model.config).training_graphs(model)
