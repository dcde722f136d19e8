"""PWAve on every target, in float and in int8; and a damaged one is caught and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torchao", reason="quantization needs torchao: pip install 'edgesr[executorch]'")

from damages import search_around
from pwave_networks import TINY_PWAVE

from edgesr.bundle import open_bundle
from edgesr.convert.pipeline import convert, make_graphs, plan
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.deployment.graphs import Graphs
from edgesr.errors import ParityError
from edgesr.models import load_checkpoint
from edgesr.quantize.graphs import all_layers

MARKS = {"tflite": (pytest.mark.tflite,), "web": (pytest.mark.chromium,)}
SEEN = ("onnx", "executorch", "coreml", "tflite", "web")
"""Targets that it has been seen on."""
CASES = [pytest.param(name, precision, marks=MARKS.get(name, ())) for precision in ("fp32", "int8") for name in SEEN]
FLOAT = (
    *("restore.wnn1.", "restore.wnn2.", "restore.guide.", "restore.fuse2."),
    *("encode.encoder.down", "encode.encoder.blocks"),
)
"""How the layers begin that its policy keeps in float."""


@pytest.mark.parametrize(("target", "precision"), CASES)
def test_it_converts_and_verifies(
    target: str, precision: str, pwave_checkpoint: Path, pwave_int8: Path, tmp_path: Path
) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"{target} needs {', '.join(missing)}")
    source = pwave_checkpoint if precision == "fp32" else pwave_int8
    manifest = convert(plan(target, checkpoint=source, precision=precision, output=tmp_path / "bundle"))
    if precision == "int8":
        layers = all_layers(load_checkpoint(source, quantized=True).model)
        wanted = [name for name in layers if not name.endswith((".add", ".sum")) and not name.startswith(FLOAT)]
        for graph, found in manifest["int8_convs"].items():
            assert found["int8"] == sum(name.startswith(f"{graph}.") for name in wanted), graph
    assert verify(tmp_path / "bundle", source).failed == ()
    assert open_bundle(tmp_path / "bundle").interface == TINY_PWAVE.interface


def scale_kernel(graphs: Graphs) -> None:
    graphs.restore.fuse2.exemplars.weight[0] *= 1.3  # type: ignore[union-attr, operator, index]


def swap_maps(graphs: Graphs) -> None:
    """Two channels of the smaller map, swapped where they are made."""
    weight = graphs.encode.encoder.f1.weight  # type: ignore[union-attr]
    weight[:2] = weight[[1, 0]].clone()  # type: ignore[index, operator]


def drop_guide(graphs: Graphs) -> None:
    """I'_LR is the bicubic image."""
    graphs.restore.guide.up.weight.zero_()  # type: ignore[union-attr, operator]
    graphs.restore.guide.up.bias.zero_()  # type: ignore[union-attr, operator]


DAMAGES: dict[Callable[[Graphs], None], str] = {
    scale_kernel: "restore.fuse2.exemplars",
    swap_maps: "encode.encoder.f1",
    drop_guide: "restore.guide.up",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_caught_and_named(
    damage: Callable[[Graphs], None], pwave_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the quickest target: test_parity_gate shows that every target's gate is awake."""
    pytest.importorskip("onnxruntime")
    search_around(DAMAGES[damage], monkeypatch)
    chosen = plan("onnx", checkpoint=pwave_checkpoint, precision="fp32", output=tmp_path / "bundle")
    graphs = make_graphs(chosen)
    damage(graphs)
    with pytest.raises(ParityError) as caught:
        convert(chosen, graphs=graphs)
    assert caught.value.what.endswith(f"first module that departs: {DAMAGES[damage]}")
    assert list(tmp_path.iterdir()) == []


def test_a_preset_without_weights_converts_with_a_warning(tmp_path: Path) -> None:
    chosen = plan("onnx", checkpoint="pwave-x8", precision="fp32", output=tmp_path / "bundle")
    (said,) = (note for note in chosen.notes if "has no weights yet" in note)
    assert "docs/training/pwave-x8-photo of edgesr's source repository" in said
    manifest = convert(chosen)
    assert manifest["name"] == "pwave-x8"
    assert manifest["checkpoint_sha256"] == plan("onnx", checkpoint="pwave-x8", precision="fp32").checkpoint.sha256
    assert [each["size"] for each in open_bundle(tmp_path / "bundle").interface.to_dict()["feature_maps"]] == [16, 32]
