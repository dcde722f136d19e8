"""A face with somebody else's features (PWAve paper, Section 4.5), and a file that says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgesr.enhance.mark import mark
from edgesr.errors import InputOutputError, UsageError
from edgesr.images.imaging import Pixels, to_pixels, to_unit, write_image

MARKED = (".png", ".jpg", ".jpeg", ".webp")
"""Formats that hold EXIF, which says that a face was edited."""


def check_editing(model: str) -> None:
    """Refuse a network without editing before PyTorch is loaded.

    Raises:
        UsageError: it is of an architecture that cannot edit, or is a bundle. CheckpointError: there is no such
            checkpoint.
    """
    from edgesr.bundle import bundle_folder
    from edgesr.models.description import find_checkpoint, read_description
    from edgesr.models.registry import ARCHITECTURES, architecture_of, in_training

    if bundle_folder(model):
        raise UsageError(
            f"{model} is a converted network, whose graphs combine exemplars inside: no part of "
            "one person's and one of another's can be given to them",
            "give the checkpoint that it was converted from",
        )
    described = read_description(find_checkpoint(model))
    if not architecture_of(described.config).edit:
        able = [name for one in ARCHITECTURES.values() if one.edit for name in one.presets]
        trained = "".join(f"; {clause}" for name in able if (clause := in_training(name)))
        raise UsageError(f"{described.name} does not edit faces", f"networks that do: {', '.join(able)}{trained}")


def edit_face(model: str, lr: Pixels, own: Sequence[Pixels], exemplars: Sequence[Pixels], strength: float) -> Pixels:
    """The SR face uint8 [H, W, 3] of an aligned LR face, with features of ``exemplars`` by ``strength`` in [0, 1] and
    of ``own`` by the rest; all aligned, of the network's sizes.

    Raises:
        InputOutputError: the LR face has another size than the network's.
        CheckpointError: the network is missing or damaged.
        UsageError: a strength outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength {strength}", "it is from 0 to 1")
    import torch

    from edgesr.models.checkpoint import load_checkpoint
    from edgesr.models.interface import joined, separate
    from edgesr.models.network import planar
    from edgesr.models.registry import architecture_of

    network = load_checkpoint(model).model
    interface = network.interface
    if lr.shape[:2] != (interface.lr_size, interface.lr_size):
        raise InputOutputError(
            f"the face is {lr.shape[1]}x{lr.shape[0]}",
            f"{model} takes aligned LR faces of {interface.lr_size}x{interface.lr_size} pixels",
        )

    def batch(images: Sequence[Pixels]) -> torch.Tensor:
        return torch.from_numpy(np.stack([to_unit(image) for image in images])).permute(0, 3, 1, 2)

    def kept(photos: Sequence[Pixels]) -> object:
        if not photos:
            return joined([torch.zeros(1, 0, *planar(shape)) for shape in interface.kept.values()])
        return joined([one[None] for one in separate(network.encode(batch(photos)))])

    with torch.inference_mode():
        sr = architecture_of(network.config).edited(network, batch([lr]), kept(own), kept(exemplars), strength)
    return to_pixels(sr[0].permute(1, 2, 0).contiguous().numpy())


def write_edited(image: Pixels, path: Path) -> None:
    """Write a face whose EXIF says that it was edited.

    Raises:
        UsageError: a format without a place for that. InputOutputError: it cannot be written.
    """
    check_marked(path)
    write_image(image, path, mark(None, (image.shape[1], image.shape[0]), edited=True))


def check_marked(path: Path) -> None:
    """Raises UsageError: a format that cannot say that a face was edited."""
    if path.suffix.lower() not in MARKED:
        raise UsageError(f"{path.name} could not say that its face is edited", f"use {', '.join(MARKED)}")
