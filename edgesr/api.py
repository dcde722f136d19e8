"""``edgesr.load``: gallery photos and a tiny face in, the sharp face out, whatever runs behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgesr.errors import InputOutputError, UsageError
from edgesr.imaging import Pixels, read_image, to_pixels, to_unit

if TYPE_CHECKING:
    from edgesr.models.config import HIMEConfig
    from edgesr.runtime.base import Array, Runtime

Photo = str | Path | Pixels


class Model:
    """A network with a runtime behind it. Photos are paths or uint8 RGB arrays, aligned like CelebA-HQ."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self.runtime = runtime
        self.name = name

    @property
    def config(self) -> HIMEConfig:
        """The network's configuration; ``lr_size``, ``hr_size`` and ``slots`` say what goes in and out."""
        return self.runtime.config

    def encode(self, photos: Sequence[Photo]) -> Array:
        """Features of sharp photos, computed once and kept: float32 [N, h, w, C].

        Each photo is ``hr_size`` square, or larger (then it is scaled down).

        Raises:
            InputOutputError: a photo is unreadable, not square, or smaller than ``hr_size``.
        """
        from PIL import Image

        from edgesr.runtime.base import feature_shape

        size = self.config.hr_size
        features = []
        for photo in photos:
            image, label = _pixels(photo)
            height, width = image.shape[:2]
            if height != width or height < size:
                raise InputOutputError(
                    f"{label} is {width}x{height}",
                    f"an exemplar is an aligned square face of at least {size}x{size} pixels",
                )
            if height > size:
                image = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
            features.append(self.runtime.encode(to_unit(image)))
        return np.stack(features) if features else np.zeros((0, *feature_shape(self.config)), np.float32)

    def restore(self, lr: Photo, features: Array) -> tuple[Pixels, Array]:
        """The sharp face uint8 [H, W, 3], and each exemplar's weight at each LR pixel, [N, h, w] in [0, 1].

        ``lr`` is ``lr_size`` square; ``features`` [N, h, w, C] from ``encode``. N = 0 is plain
        super-resolution.

        Raises:
            InputOutputError: ``lr`` is unreadable or of another size.
            UsageError: more exemplars than slots, or features of another network.
        """
        from edgesr.runtime.base import feature_shape, fill_slots

        image, label = _pixels(lr)
        size, slots = self.config.lr_size, self.config.slots
        if image.shape[:2] != (size, size):
            raise InputOutputError(
                f"{label} is {image.shape[1]}x{image.shape[0]}",
                f"{self.name} takes aligned LR faces of {size}x{size} pixels",
            )
        shape = feature_shape(self.config)
        if features.shape[1:] != shape:
            raise UsageError(
                f"features have shape {features.shape}", f"{self.name} takes [N, {', '.join(map(str, shape))}]"
            )
        if len(features) > slots:
            raise UsageError(
                f"{len(features)} exemplars for {slots} slots",
                "choose the best ones, load with least_slots, or convert with more --slots",
            )
        sr, weights = self.runtime.restore(to_unit(image), *fill_slots(list(features), self.config))
        return to_pixels(sr), weights[: len(features)]


def load(name_or_path: str | Path, *, least_slots: int = 0, threads: int | None = None) -> Model:
    """A shipped checkpoint by name, or a checkpoint or bundle by path.

    ``least_slots`` asks for room for so many exemplars at a time. A checkpoint takes any number; a bundle's graph
    has as many as it was converted for. ``threads`` limits a bundle's runtime.

    Raises:
        CheckpointError, BundleError: missing or damaged.
        UsageError: a bundle with fewer slots.
        UnavailableError: a bundle whose runtime is not here.
    """
    from edgesr.bundle import MANIFEST, open_bundle

    path = Path(name_or_path).expanduser()
    if (path / MANIFEST).is_file():
        bundle = open_bundle(path)
        if bundle.config.slots < least_slots:
            raise UsageError(
                f"{least_slots} exemplars for the {bundle.config.slots} slots of {path}",
                f"choose the best ones, or convert with --slots {least_slots}",
            )
        return Model(bundle.runtime(threads), path.name)
    from edgesr.models import load_checkpoint
    from edgesr.runtime.torch import TorchRuntime

    checkpoint = load_checkpoint(name_or_path)
    config = checkpoint.model.config
    runtime = TorchRuntime(checkpoint.model, config.replace(slots=max(config.slots, least_slots)))
    return Model(runtime, checkpoint.name)


def _pixels(photo: Photo) -> tuple[Pixels, str]:
    if isinstance(photo, str | Path):
        return read_image(Path(photo)), str(photo)
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise UsageError(f"a photo has dtype {photo.dtype} and shape {photo.shape}", "it must be uint8 [H, W, 3], RGB")
    return photo, "the photo"
