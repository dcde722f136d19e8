"""Post-training quantization: scales from calibration on real faces, weights as they are."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgesr.data.degradation import lr_faces
from edgesr.data.faces import load_faces, to_train_on
from edgesr.deployment.graphs import GRAPHS, Graphs, deployed_graphs
from edgesr.models.checkpoint import Checkpoint

from .graphs import all_layers, fixed_points
from .observers import RANGES, ObserverName, Sampler
from .points import Points
from .quantizer import prepared
from .recipe import Recipe, policy_of
from .scheme import Quantization

FACES = 96
Track = Callable[[Sequence["CalibrationFace"]], Iterator["CalibrationFace"]]


@dataclasses.dataclass(frozen=True)
class CalibrationFace:
    """A sharp photo uint8 [3, H, W] and other photos of the same person, perhaps none, [n, 3, H, W]."""

    target: Tensor
    exemplars: Tensor


def calibration_faces(
    folder: Path, split: str | None, size: int, slots: int, count: int = FACES
) -> list[CalibrationFace]:
    """The same ``count`` faces of a folder of people each time, or all where there are fewer: one a person in turn,
    spread evenly over them.

    They have ``slots`` exemplars, fewer, or none in turn, as faces do in use.

    Raises:
        InputOutputError: the folder is missing, or holds no faces of that size.
    """
    found = list(to_train_on(folder, split, size).values())
    count = min(count, sum(len(photos) for photos in found))
    stride = max(1, len(found) // count)
    faces = []
    for i in range(count):
        photos = found[(i * stride) % len(found)]
        turn = (i * stride) // len(found)
        own = turn % len(photos)
        others = [photo for k, photo in enumerate(photos) if k != own][: slots - i % (slots + 1)]
        images = load_faces([photos[own], *others], size)
        faces.append(CalibrationFace(images[0], images[1:]))
    return faces


def calibrate(
    checkpoint: Checkpoint,
    faces: Sequence[CalibrationFace],
    *,
    recipe: Recipe | None = None,
    observer: ObserverName = "cubic",
    provenance: dict[str, Any] | None = None,
    track: Track = iter,
) -> Quantization:
    """Scales of every point from what float inference makes of real faces.

    Raises:
        UsageError: the recipe names a layer that there is not.
        CheckpointError: the network has no feature scales.
    """
    recipe = recipe or policy_of(checkpoint.model.config)
    recipe.check(all_layers(checkpoint.model))
    points, samplers = observed(checkpoint, faces, recipe, track)
    for name, sampler in samplers.items():
        points.point(name).set(RANGES[observer](sampler))
    return Quantization(
        method="ptq",
        recipe=recipe,
        points=points.qparams(),
        observer=observer,
        float_sha256=checkpoint.sha256,
        float_name=checkpoint.name,
        calibration={"faces": len(faces), **(provenance or {})},
    )


def extended(
    checkpoint: Checkpoint,
    known: Quantization,
    faces: Sequence[CalibrationFace],
    *,
    recipe: Recipe | None = None,
    observer: ObserverName = "cubic",
    track: Track = iter,
) -> Quantization:
    """An int8 network's quantization under another recipe: its scales stay, those that the recipe adds are measured.

    Raises:
        UsageError: the recipe names a layer that there is not.
    """
    recipe = recipe or policy_of(checkpoint.model.config)
    recipe.check(all_layers(checkpoint.model))
    points, samplers = observed(checkpoint, faces, recipe, track)
    found = {name: point.qparams for name, point in points.activations.items()}
    new = {name: RANGES[observer](samplers[name]) for name in found if name not in known.points}
    added = {"added": sorted(new), "added_faces": len(faces)} if new else {}
    return dataclasses.replace(
        known,
        recipe=recipe,
        points={name: known.points.get(name) or new[name] for name in found},
        calibration={**known.calibration, **added},
    )


@torch.no_grad()
def observed(
    checkpoint: Checkpoint, faces: Sequence[CalibrationFace], recipe: Recipe, track: Track = iter
) -> tuple[Points, dict[str, Sampler]]:
    """The points of both graphs, and what was seen at each that has no fixed scale."""
    graphs = deployed_graphs(checkpoint.model, "grid_sample")
    points = Points(fixed_points(checkpoint.feature_scales))
    modules = {name: prepared(graphs, name, recipe, points) for name in GRAPHS}
    points.enable(False)
    samplers = {}
    for i, (name, point) in enumerate(points.activations.items()):
        if point.fixed is None:
            point.observer = samplers[name] = Sampler(i)
    for face in track(faces):
        inputs = graph_inputs(graphs, face, modules["encode"], checkpoint.degradation)
        modules["restore"](*inputs)
    for point in points.activations.values():
        point.observer = None
    points.enable(True)
    return points, samplers


def graph_inputs(
    graphs: Graphs, face: CalibrationFace, encode: torch.nn.Module, degradation: str = "bicubic"
) -> tuple[Tensor, ...]:
    """What the restorer takes for a face: LR photo, features of its exemplars by ``encode``, mask."""
    random = torch.Generator().manual_seed(zlib.crc32(face.target.numpy().tobytes()))
    lr = lr_faces(face.target[None].float() / 255, graphs.interface.scale, degradation, random)
    return graphs.restorer_inputs(lr, [photo[None].float() / 255 for photo in face.exemplars], encode)
