"""``edgesr.load``: gallery photos and a tiny face in, the sharp face out, whatever runs behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgesr.errors import GalleryError, InputOutputError, UnavailableError, UsageError
from edgesr.files.places import expanded
from edgesr.gallery.format import Gallery
from edgesr.gallery.section import DType, Section
from edgesr.images.arrays import as_rgb
from edgesr.images.imaging import Pixels, read_image, to_pixels, to_unit
from edgesr.models.description import trained_for
from edgesr.models.interface import separate
from edgesr.process import extras

if TYPE_CHECKING:
    from edgesr.faces.face import Detector
    from edgesr.models.architecture import NetworkConfig
    from edgesr.models.interface import Interface
    from edgesr.runtime.base import Array, Features, Runtime

Photo = str | Path | npt.NDArray[Any]


class Model:
    """A network with a runtime behind it. Faces are paths or arrays, aligned like CelebA-HQ.

    Arrays are uint8, uint16, or floats from 0 to 1; [H, W], or [H, W, C] grey, RGB or with alpha, which lies on white.
    Any other is a ``UsageError``.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        feature_space: str | None = None,
        feature_scales: Mapping[str, float] | None = None,
        degradation: str = "bicubic",
        config: NetworkConfig | None = None,
    ) -> None:
        self.runtime = runtime
        self.name = name
        self.feature_space = feature_space
        """Id of what its features mean: galleries of this feature space fit it, no other."""
        self.feature_scales = feature_scales or None
        """int8 step of each part of the features; None where the network came without."""
        self.degradation = degradation
        """What its LR faces were made with in training; see ``edgesr.data.degradation``."""
        self.config: Any = config or runtime.interface
        """The network's configuration, as its architecture has it; ``lr_size``, ``hr_size`` and ``slots`` say what goes
        in and out. Of a runtime that came without one its ``interface``, which says that too."""

    @property
    def interface(self) -> Interface:
        """Sizes and names of what goes in and comes out, whichever network it is."""
        return self.runtime.interface

    def encode(
        self,
        photos: Sequence[Photo],
        *,
        aligned: bool = False,
        detector: Detector | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> Features:
        """Features of sharp photos, computed once and kept: float32 [N, h, w, C].

        Of a network that keeps several maps and codes of a photo they are a tuple of all, each [N, h, w, C] or
        [N, length], in the order of its ``interface``.

        In a photo's file the one clear face is found and aligned, unless ``aligned`` says that the files are aligned
        crops. Arrays are aligned crops. A crop is ``hr_size`` square, or larger (then it is scaled down). ``report`` is
        told what makes a photo a poor exemplar.

        Raises:
            InputOutputError: a file is unreadable, or shows no face, or several; or a crop is not square, or smaller
                than ``hr_size``.
            UnavailableError: there is no face detector.
            UsageError: a single path in place of several.
        """
        if isinstance(photos, str | Path):
            raise UsageError(f"one photo, {photos}, where several are taken", "give a list of one")
        from PIL import Image

        from edgesr.runtime.base import stacked

        size = self.interface.hr_size
        features = []
        for photo in photos:
            if aligned or not isinstance(photo, str | Path):
                image, label = _pixels(photo)
            else:
                from edgesr.faces.detection import open_detector
                from edgesr.gallery.photos import align_exemplar

                detector = detector or open_detector(None, report)
                label = str(photo)
                image, flaws = align_exemplar(Path(photo), detector, size)
                if flaws:
                    report(f"{photo} is a poor exemplar: {'; '.join(flaws)}")
            height, width = image.shape[:2]
            if height != width or height < size:
                raise InputOutputError(
                    f"{label} is {width}x{height}",
                    f"an exemplar is an aligned square face of at least {size}x{size} pixels",
                )
            if height > size:
                image = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
            features.append(self.runtime.encode(to_unit(image)))
        return stacked(features, self.interface)

    def restore(self, lr: Photo, features: Features | Gallery) -> tuple[Pixels, Array]:
        """The sharp face uint8 [H, W, 3], and each exemplar's weight at each LR pixel, [N, h, w] in [0, 1].

        ``lr`` is ``lr_size`` square; ``features`` of N exemplars as ``encode`` gives them, or a gallery, of which the
        exemplars that serve this face best are taken (``choose`` says which, in the order of the weights). N = 0 is
        plain super-resolution.

        Raises:
            InputOutputError: ``lr`` is unreadable or of another size.
            GalleryError: a gallery without a section for this network.
            UsageError: more exemplars than slots, or features of another network.
        """
        from edgesr.runtime.base import fill_slots, unstacked

        image, slots = self._lr_pixels(lr), self.interface.slots
        if isinstance(features, Gallery):
            chosen = self.choose(image, features)
            valid = (np.arange(slots) < len(chosen)).astype(np.float32)
            filled = self.features_of(features, chosen, slots=slots)
            sr, weights = self.runtime.restore(to_unit(image), filled, valid)
            return to_pixels(sr), weights[: len(chosen)]
        count = self._count(features)
        if count > slots:
            raise UsageError(
                f"{count} exemplars for {slots} slots",
                "choose the best ones, load with least_slots, or convert with more --slots",
            )
        sr, weights = self.runtime.restore(to_unit(image), *fill_slots(unstacked(features), self.interface))
        return to_pixels(sr), weights[:count]

    def _count(self, features: Features) -> int:
        """The number N of exemplars. Raises UsageError: they are not what this network keeps of exemplars."""
        wanted, given = list(self.interface.kept.values()), [np.shape(one) for one in separate(features)]
        counts = {shape[:1] for shape in given}
        if [shape[1:] for shape in given] != wanted or len(counts) > 1:
            takes = ", ".join(f"[N, {', '.join(map(str, shape))}]" for shape in wanted)
            if () in given:  # nothing, a path, a number: no array at all
                raise UsageError(
                    f"features of type {type(features).__name__}",
                    f"{self.name} takes {takes} as encode gives it, or a gallery as edgesr.read_gallery reads it",
                )
            raise UsageError(f"features have shape {', '.join(map(str, given))}", f"{self.name} takes {takes}")
        return int(given[0][0])

    def choose(
        self, lr: Photo, gallery: Gallery, *, slots: int | None = None, landmarks: npt.ArrayLike | None = None
    ) -> list[int]:
        """Which entries of the gallery serve this LR face best, the best first; at most ``slots`` (all by default).

        ``landmarks`` [5, 2] in pixels of ``lr`` help where they are known. Entries without features for this network
        are passed over.

        Raises:
            InputOutputError: ``lr`` is unreadable or of another size.
            GalleryError: a gallery without a section for this network.
        """
        from edgesr.faces.descriptor import describe
        from edgesr.gallery.choice import choose

        held = gallery.held(self.check_gallery(gallery))
        image = self._lr_pixels(lr)
        if not held:
            return []
        entries = [gallery.entries[i] for i in held]
        sharpness = [entry.quality.get("sharpness", 0.0) for entry in entries]
        known = all("sharpness" in entry.quality for entry in entries)
        slots = self.interface.slots if slots is None else min(slots, self.interface.slots)
        descriptors = np.stack([entry.descriptor for entry in entries])
        return [held[i] for i in choose(descriptors, describe(image, landmarks), slots, sharpness if known else None)]

    def features_of(self, gallery: Gallery, indices: Sequence[int], *, slots: int | None = None) -> Features:
        """Features of entries of a gallery as ``restore`` takes them; zeros up to ``slots``.

        Raises:
            GalleryError: a gallery without a section for this network, or an entry without features in it.
        """
        section = self.check_gallery(gallery)
        return gallery.floats(indices, section=section, slots=slots, planar=slots is not None and self.runtime.planar)

    def _lr_pixels(self, lr: Photo) -> Pixels:
        image, label = _pixels(lr)
        size = self.interface.lr_size
        if image.shape[:2] != (size, size):
            from edgesr.models.shipped import photo_network_of

            height, width = image.shape[:2]
            other = photo_network_of(width) if height == width else None
            raise InputOutputError(
                f"{label} is {width}x{height}, and {self.name} takes aligned LR faces of {size}x{size} pixels",
                (f"{other} takes it; " if other else "") + "edgesr enhance takes whole photos",
            )
        return image

    def section(self, dtype: DType | None = None) -> Section:
        """What a gallery says of this network's features; by default int8 where it has int8 scales, else fp16.

        Raises:
            UsageError: int8, and the network has no int8 scales; or it has no feature space; or what it keeps of a
                photo shows it.
        """
        if self.interface.pictures:
            raise UsageError(
                f"{self.name} keeps a small picture of each exemplar, and galleries hold none",
                "give the photos themselves (restore --exemplars), or take its form with learned maps",
            )
        if self.feature_space is None:
            raise UsageError(f"{self.name} has no feature space", "load it by edgesr.load")
        dtype = dtype or ("int8" if self.feature_scales else "fp16")
        interface, steps = self.interface, None
        if dtype == "int8":
            if not self.feature_scales:
                raise UsageError(f"{self.name} has no int8 scales", "store its features with --dtype fp16")
            # As they are stored: float32.
            steps = {part: float(np.float32(self.feature_scales[part])) for part in interface.parts}
        maps, codes = interface.feature_maps, interface.codes
        return Section(self.feature_space, interface.scale, interface.lr_size, maps, codes, dtype, steps)

    def check_gallery(self, gallery: Gallery) -> int:
        """The section of a gallery that holds this network's features.

        Raises:
            GalleryError: there is none of its feature space, scale and LR size; or that one has other maps, other int8
                steps (value = step * stored: they are the feature space's, so others are a damaged or forged file), or
                other descriptors.
        """
        from edgesr.faces.descriptor import SIZE
        from edgesr.gallery.network import built_anew
        from edgesr.models.shipped import replaces, to_give

        ours = (self.feature_space, self.interface.scale, self.interface.lr_size)
        found = next((i for i, section in enumerate(gallery.sections) if section.key == ours), None)
        if found is None and (name := replaces(self.feature_space, (one.feature_space for one in gallery.sections))):
            again = f"build it again: {built_anew(gallery, None, name)}"
            raise GalleryError(f"the gallery was built with earlier weights of {name}", again)
        if found is None:
            theirs = "; ".join("{}, x{}, {} px".format(*section.key) for section in gallery.sections)
            raise GalleryError(
                f"the gallery is for networks of feature space {theirs}; {self.name} is of {{}}, x{{}}, {{}} px".format(
                    *ours
                ),
                f"name no --model, or make one: edgesr gallery build PHOTOS -m {to_give(self.name)} -o GALLERY",
            )
        if other := gallery.sections[found].differs(self.section()):
            raise GalleryError(
                f"the gallery {other} as {self.name} has",
                "the gallery is damaged, or was made with another network: build it again",
            )
        described = gallery.entries[0].descriptor.size if gallery.entries else SIZE
        if described != SIZE:
            raise GalleryError(
                f"the gallery's descriptors have {described} numbers, and this edgesr's have {SIZE}",
                "another version of edgesr made it: build it again",
            )
        return found


def load(name_or_path: str | Path, *, least_slots: int = 0, threads: int | None = None) -> Model:
    """A shipped checkpoint by name, or a checkpoint or bundle by path.

    ``least_slots`` asks for room for so many exemplars at a time. A checkpoint takes any number; a bundle's graph
    has as many as it was converted for. ``threads`` None: as ``edgesr.process.threads`` chooses. A checkpoint is
    computed by PyTorch, whose threads are the process's: a number sets them; None leaves them to a program that
    has loaded PyTorch before. Without PyTorch the ONNX graphs that are shipped of a checkpoint compute it, on ONNX
    Runtime, with as many slots as they have.

    Thread safety: several threads may load networks, and several may use one: each gets its own result.

    Raises:
        CheckpointError, BundleError: missing or damaged.
        UsageError: a bundle, or graphs, with fewer slots.
        UnavailableError: a bundle whose runtime is not here, or a checkpoint without graphs where PyTorch is not.
    """
    from edgesr.bundle import MANIFEST, open_bundle
    from edgesr.process import threads as thread_choice

    others = "torch" in sys.modules
    path = expanded(name_or_path)
    if (path / MANIFEST).is_file():
        bundle = open_bundle(path)
        if bundle.interface.slots < least_slots:
            raise UsageError(
                f"{least_slots} exemplars for the {bundle.interface.slots} slots of {path}",
                f"choose the best ones, or convert with --slots {least_slots}",
            )
        described = bundle.feature_space, bundle.feature_scales, bundle.degradation
        return Model(bundle.runtime(threads), path.name, *described, bundle.config)
    if not extras.has_torch():
        return _of_graphs(name_or_path, least_slots, threads)
    from edgesr.models import load_checkpoint
    from edgesr.runtime.torch import TorchRuntime

    if threads or not others:
        thread_choice.tell_loaded(threads or thread_choice.count())
    checkpoint = load_checkpoint(name_or_path, quantized=True)
    config = checkpoint.model.config
    config = config.replace(slots=max(config.slots, least_slots))
    meaning = checkpoint.feature_space, checkpoint.feature_scales, checkpoint.degradation
    if checkpoint.quantization is None:
        return Model(TorchRuntime(checkpoint.model, config.interface), checkpoint.name, *meaning, config)
    try:
        from edgesr.quantize.graphs import quantized_runtime
    except ImportError as error:
        raise UnavailableError(
            f"{checkpoint.name} is an int8 network, and PyTorch needs {error.name} to run it",
            "pip install 'edgesr[executorch]'",
        ) from error
    return Model(quantized_runtime(checkpoint, config.interface), checkpoint.name, *meaning, config)


def _of_graphs(name_or_path: str | Path, least_slots: int, threads: int | None) -> Model:
    """A checkpoint by the ONNX graphs that are shipped of it."""
    from edgesr.runtime.shipped import shipped_graphs

    graphs = shipped_graphs(name_or_path)
    described, slots = graphs.described, graphs.manifest["slots"]
    if slots < least_slots:
        raise UsageError(
            f"{least_slots} exemplars for the {slots} slots that {described.name} has without PyTorch",
            f"choose the best ones, or {extras.install_hint('convert')}",
        )
    meaning = described.feature_space, described.feature_scales, trained_for(described.training)
    return Model(graphs.runtime(threads), described.name, *meaning, graphs.config)


def _pixels(photo: Photo) -> tuple[Pixels, str]:
    if isinstance(photo, str | Path):
        return read_image(Path(photo)), str(photo)
    return as_rgb(photo), "the photo"
