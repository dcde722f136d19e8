"""What a manifest says, held against the network that it names and against what its files hold.

Each is a check with 1 where the two agree. Apps feed a network by these figures, and choose a gallery by them: a
wrong one spoils every face as surely as a wrong weight.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgesr.bundle import Bundle
from edgesr.models.registry import FIRST, architecture_of
from edgesr.quantize.scheme import Quantization
from edgesr.residency import Residencies, Residency

from .manifest import POST_PROCESSING, PRE_PROCESSING, describe_features, value_ranges
from .parity import Check
from .precision import PRECISIONS, QUANTIZED
from .target import ReadBack
from .targets import TARGETS

if TYPE_CHECKING:
    from edgesr.deployment.graphs import Graphs
    from edgesr.models import Checkpoint
    from edgesr.models.architecture import NetworkConfig

GRAPHS = {"encode", "restore"}


def agreement(name: str, *, agrees: bool) -> Check:
    """A check of something that agrees or does not."""
    return Check(f"manifest: {name}", agrees, float(agrees), 1.0)


def form_checks(bundle: Bundle) -> tuple[Check, ...]:
    """What a manifest must say whatever network it is of; where one of these fails nothing can be run."""
    m = bundle.manifest
    target = TARGETS.get(m["target"])
    return (
        agreement("target", agrees=target is not None),
        agreement("precision", agrees=target is not None and m["precision"] in target.precisions),
        agreement("lowering", agrees=target is not None and m["lowering"] in target.lowerings),
        agreement("files", agrees=target is not None and set(m["files"]) == set(target.roles)),
        agreement("tensors", agrees=set(m["tensors"]) == GRAPHS),
    )


def own_checks(bundle: Bundle) -> tuple[Check, ...]:
    """What can be told without the network: figures that are said twice, and those that are always the same."""
    m, interface = bundle.manifest, bundle.interface
    names = [name for name in m["sha256"] if any(_lies_in(name, file) for file in m["files"].values())]
    size = sum((bundle.folder / name).stat().st_size for name in names)
    sizes = {"scale": interface.scale, "lr_size": interface.lr_size, "slots": interface.slots}
    constant = {
        "value_ranges": value_ranges(interface),
        "pre_processing": PRE_PROCESSING,
        "post_processing": POST_PROCESSING,
        "golden": "golden.safetensors",
    }
    return (
        *(agreement(name, agrees=m.get(name) == value) for name, value in sizes.items()),
        *(agreement(name, agrees=m.get(name) == value) for name, value in constant.items()),
        agreement("size_bytes", agrees=m.get("size_bytes") == size),
    )


def network_checks(bundle: Bundle, checkpoint: Checkpoint) -> Iterator[Check]:
    """The network's own figures: its configuration, feature space and steps, and which precisions it has."""
    m, network = bundle.manifest, checkpoint.model.config
    sized = network.replace(lr_size=bundle.interface.lr_size, slots=bundle.interface.slots)
    same = bundle.manifest.get("architecture", FIRST) == architecture_of(network).name
    yield agreement("model", agrees=same and _same(m["model"], sized.to_dict()))
    yield agreement("name", agrees=m.get("name") == checkpoint.name)
    yield agreement("feature_space", agrees=m["feature_space"] == checkpoint.feature_space)
    yield agreement("degradation", agrees=bundle.degradation == checkpoint.degradation)
    # Without their channels these figures are those of another configuration, which the first check tells.
    described = describe_features(checkpoint, sized.interface)
    yield agreement("features", agrees=_same(m.get("features"), described))


def quantization_check(bundle: Bundle, checkpoint: Checkpoint, expected: Quantization | None) -> Check:
    """Whether the precision is one that the network has, by the recipe and the steps that it has.

    ``expected``: those of an int8 checkpoint for this target. A float one that was calibrated for this bundle alone has
    none: then the manifest's must be of its weights, and keep the feature space's steps.
    """
    m, stored = bundle.manifest, bundle.manifest.get("quantization")
    if m["precision"] not in QUANTIZED:
        return agreement("quantization", agrees=stored is None and checkpoint.quantization is None)
    if not isinstance(stored, dict):
        return agreement("quantization", agrees=False)
    if expected is not None:
        fits = m["precision"] in Quantization.from_dict(checkpoint.quantization or {}).precisions
        return agreement("quantization", agrees=fits and _same(stored, expected.to_dict()))
    made = Quantization.from_dict(stored)
    kept = {name: point for name, point in stored["points"].items() if name.startswith("features.")}
    known = {f"features.{part}": [step, 0] for part, step in checkpoint.feature_scales.items()}
    # Parts that no int8 layer makes or reads are rounded in galleries alone.
    steps = {name: step for name, step in known.items() if name in kept}
    fits = PRECISIONS[m["precision"]].calibrated and made.method == "ptq"
    return agreement("quantization", agrees=fits and made.float_sha256 == checkpoint.sha256 and _same(kept, steps))


def file_checks(bundle: Bundle, read: ReadBack, graphs: Graphs) -> Iterator[Check]:
    """What the manifest says of the model file against what the file holds."""
    from .int8 import count

    m = bundle.manifest
    yield agreement("int8_convs", agrees=m.get("int8_convs") == count(read.convolutions, graphs))
    yield agreement("arithmetic", agrees=m.get("arithmetic") == read.arithmetic)
    yield agreement("precision_got", agrees=m.get("precision_got") == read.computes_in)
    if "residency" in m:  # bundles of before it was told have none
        said, found = (_in_the_file(all_) for all_ in (bundle.residency, read.residency))
        yield agreement("residency", agrees=said == found)
    expected = {key: str(value) for key, value in graphs.metadata.items()}
    embedded = {key: value for key, value in (read.metadata or {}).items() if key.startswith("edgesr_")}
    yield Check("model file: metadata", embedded == expected, float(embedded == expected), 1.0)


def sized_config(bundle: Bundle, checkpoint: Checkpoint) -> NetworkConfig:
    """The network's configuration with the sizes that the bundle was converted for."""
    return checkpoint.model.config.replace(lr_size=bundle.interface.lr_size, slots=bundle.interface.slots)


def _lies_in(name: str, file: str) -> bool:
    return name == file or name.startswith(f"{file}/")


def _same(said: Any, expected: Any) -> bool:
    """Equal as JSON has them, where a tuple is a list."""
    return bool(said == json.loads(json.dumps(expected)))


def _in_the_file(found: Residencies) -> dict[str, list[Residency]]:
    """What can be read back: what a backend's compiler said the target checks itself, and rules are edgesr's own, which
    the next version may have others of."""
    kept = {graph: [one for one in ones if one.source == "file"] for graph, ones in found.items()}
    return {graph: ones for graph, ones in kept.items() if ones}
