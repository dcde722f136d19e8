"""Core AI, experimental: one asset with both functions, which Apple's own runtime runs as PyTorch does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Once

from edgesr.bundle import MANIFEST, open_bundle
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.precision import Precision
from edgesr.convert.targets import TARGETS
from edgesr.convert.verify import verify
from edgesr.errors import UsageError

pytestmark = pytest.mark.coreai


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def bundle(request: pytest.FixtureRequest, tiny_checkpoint: Path, once: Once) -> tuple[Path, Precision]:
    """The tiny network in a precision; not to be changed."""
    precision = request.param
    made = once(
        f"tiny-coreai-{precision}",
        lambda folder: convert(plan("coreai", checkpoint=tiny_checkpoint, precision=precision, output=folder)),
    )
    return made, precision


def test_both_functions_are_proven_by_apples_runtime(bundle: tuple[Path, Precision], tiny_checkpoint: Path) -> None:
    folder, precision = bundle
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["arithmetic"] == {"everything": precision}
    assert manifest["parity"]["evaluated_with"] == "coreai.runtime"
    assert {"coreai-core", "coreai-torch"} <= manifest["toolchain"].keys()
    assert manifest["operators"]["restore"]["coreai.conv2d"] > 10
    found = verify(folder, tiny_checkpoint)
    assert found.failed == ()
    assert found.ok
    assert open_bundle(folder).interface.lr_size == 8


def test_it_says_everywhere_that_it_is_experimental() -> None:
    root = Path(__file__).parent.parent
    assert "experimental" in TARGETS["coreai"].title
    for page in ("README.md", "docs/tasks/convert.md", "docs/formats.md", "docs/library.md"):
        for line in (root / page).read_text().splitlines():
            assert "coreai" not in line.lower() or "experimental" in line, f"{page}: {line}"


def test_grid_sample_is_none_of_its_operators() -> None:
    with pytest.raises(UsageError, match="has no lowering 'grid_sample'"):
        plan("coreai", lowering="grid_sample")
