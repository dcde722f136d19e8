"""An identity loss on any face embedder that comes as an ONNX file.

Never the embedder that an evaluation judges with: a network soon learns what its loss looks at.
"""

from __future__ import annotations

import dataclasses
from functools import cache, cached_property, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.faces.arcface import ARCFACE_BOX, CropBox
from edgesr.training.onnx_torch import OnnxModule


@dataclasses.dataclass(frozen=True)
class EmbedderInput:
    """What an embedder wants to see; the defaults are ArcFace's: RGB, (pixel - 127.5) / 127.5."""

    mean: float = 127.5
    std: float = 127.5
    """Mean and deviation in 8-bit pixel values: the embedder is given (255 * image - mean) / std."""
    bgr: bool = False
    box: CropBox = ARCFACE_BOX


class FaceEmbedder(nn.Module):
    """Unit embeddings of aligned faces, differentiable: [N, 3, S, S] in [0, 1] -> [N, D].

    ``network`` maps one image tensor [N, 3, s, s] (or [N, s, s, 3]) to embeddings, its sizes as in ``input_shapes``.

    Raises:
        UsageError: the network does not take one square RGB image.
    """

    def __init__(self, network: OnnxModule, given: EmbedderInput = EmbedderInput()) -> None:
        super().__init__()
        shape = network.input_shapes[0] if len(network.input_shapes) == 1 else ()
        self.channels_last = len(shape) == 4 and shape[3] == 3
        sides = shape[1:3] if self.channels_last else shape[2:4]
        size = sides[0] if len(shape) == 4 and sides[0] == sides[1] and 3 in (shape[1], shape[3]) else None
        if size is None or len(network.outputs) != 1:
            raise UsageError(
                f"the embedder takes inputs of shape {list(network.input_shapes)} to {len(network.outputs)} outputs",
                "it must take one square RGB image of a fixed size, as [N, 3, s, s], to one embedding",
            )
        self.network, self.given, self.size = network, given, size
        self.batches = self._takes_batches(shape[0])

    @classmethod
    def load(cls, path: Path, given: EmbedderInput = EmbedderInput()) -> FaceEmbedder:
        """Read the embedder from an ONNX file.

        Raises:
            InputOutputError: missing or damaged.
            UnavailableError: ``onnx`` is not installed, or the network has operators not implemented here.
            UsageError: the network does not take one square RGB image.
        """
        return cls(OnnxModule.load(path), given)

    def forward(self, faces: Tensor) -> Tensor:
        return self.look(faces, ())[0]

    def look(self, faces: Tensor, maps: tuple[str, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Unit embeddings [N, D], and maps on the way [N, C, h, w] (or [N, h, w, C]) by name: see ``map_names``."""
        if faces.shape[-1] != faces.shape[-2]:
            raise UsageError(
                f"an embedder was given {faces.shape[-1]}x{faces.shape[-2]} pixels", "aligned faces are square"
            )
        box = self.given.box
        matrix = resampling_matrix(faces.shape[-1], box.left, box.top, box.side, self.size).to(faces)
        images = matrix[1] @ faces @ matrix[0].T
        images = (images * 255 - self.given.mean) / self.given.std
        images = images.flip(1) if self.given.bgr else images
        if self.channels_last:
            images = images.permute(0, 2, 3, 1)
        else:
            images = images.contiguous(memory_format=torch.channels_last)
        # Where a batch of 1 is built in, vmap shows the graph one image and still computes all of them at once.
        images = images.to(next(self.network.buffers(), images).dtype)
        run = partial(self.network.values, (self.network.outputs[0], *maps))
        found, *inner = run(images) if self.batches else torch.func.vmap(run)(images.unsqueeze(1))
        return F.normalize(found.flatten(1).to(faces.dtype), dim=1), tuple(inner)

    @cached_property
    def map_names(self) -> tuple[str, ...]:
        """The last map of each size that the network reduces a face to, from large to small."""
        sides = (self.size, self.size)
        face = next(self.network.buffers(), torch.zeros(())).new_zeros(
            1, *((*sides, 3) if self.channels_last else (3, *sides))
        )
        last: dict[int, str] = {}
        for name, value in zip(self.network.made, self.network.values(self.network.made, face), strict=True):
            if value.is_floating_point() and value.dim() == 4 and 1 < value.shape[2] < self.size:
                last[value.shape[2]] = name
        return tuple(last[side] for side in sorted(last, reverse=True))

    @torch.no_grad()
    def _takes_batches(self, batch: int | None) -> bool:
        """Whether two images at once give what each alone does; some files have a batch of 1 built into a Reshape."""
        sides = (self.size, self.size)
        pair = torch.linspace(-1, 1, 6 * self.size**2).view(2, *((*sides, 3) if self.channels_last else (3, *sides)))
        alone = torch.cat([self.network(image).flatten(1) for image in pair.split(1)])
        try:
            together = self.network(pair)
        except RuntimeError:
            if batch is None:
                raise
            return False
        return together.shape[0] == 2 and torch.allclose(together.flatten(1), alone, rtol=1e-3, atol=1e-4)


class IdentityLoss(nn.Module):
    """1 - cosine similarity of the SR and HR faces' embeddings, averaged."""

    def __init__(self, embedder: nn.Module) -> None:
        super().__init__()
        self.embedder = embedder.requires_grad_(False).eval()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Aligned faces [N, 3, S, S] in [0, 1] -> scalar in [0, 2]."""
        found, wanted = self.embed(sr, hr)
        return 1 - F.cosine_similarity(found, wanted).mean()

    def embed(self, sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Unit embeddings [N, D] of both; those of ``hr`` without gradients."""
        with torch.no_grad():
            wanted = self.embedder(hr)
        return self.embedder(sr), wanted

    def embed_with_maps(self, sr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As ``embed``, and how far apart the embedder's maps on the way are, scalar.

        mean |SR's - HR's| over mean |HR's| of a map, averaged over one map of each size.

        Raises:
            UsageError: the embedder is none of a file, whose maps are known.
        """
        if not isinstance(self.embedder, FaceEmbedder):
            raise UsageError("the embedder's maps are not known", "load it from an ONNX file: FaceEmbedder.load(FILE)")
        with torch.no_grad():
            names = self.embedder.map_names
            wanted, there = self.embedder.look(hr, names)
        found, here = self.embedder.look(sr, names)
        apart = [(a - b).abs().mean() / b.abs().mean().clamp(min=1e-6) for a, b in zip(here, there, strict=True)]
        return found, wanted, torch.stack(apart).mean()

    def towards_own(self, found: Tensor, wanted: Tensor, exemplars: Tensor, own: Tensor, share: float) -> Tensor:
        """The identity term with a share of the person's own exemplars in place of the truth, scalar in [0, 2].

        1 - ((1 - share) cos(SR, HR) + share cos(SR, exemplar)), averaged over the faces, with the first of each face's
        own exemplars (``own`` [N, n] tells which are); the truth alone counts where there is none.
        """
        similar = F.cosine_similarity(found, wanted)
        face = own.any(dim=1).nonzero()[:, 0]
        if len(face):
            with torch.no_grad():
                looks = self.embedder(exemplars[face, own[face].int().argmax(dim=1)])
            towards = F.cosine_similarity(found[face], looks) - similar[face]
            similar = similar.index_add(0, face, share * towards)
        return 1 - similar.mean()

    def impostor(self, found: Tensor, wanted: Tensor, exemplars: Tensor, foreign: Tensor) -> Tensor:
        """How much more the SR faces resemble another person's exemplars than the truth does, in cosine: in [0, 2].

        ``found`` and ``wanted`` as ``embed`` gives them, ``exemplars`` [N, n, 3, S, S], ``foreign`` [N, n] tells which
        are another person's. Averaged over all N * n, so that it counts as often as it occurs.
        """
        if not foreign.any():
            return found.new_zeros(())
        with torch.no_grad():
            others = self.embedder(exemplars[foreign])
        face = foreign.nonzero()[:, 0]
        excess = F.cosine_similarity(found[face], others) - F.cosine_similarity(wanted[face], others)
        return excess.clamp(min=0).sum() / foreign.numel()


@cache
def resampling_matrix(size: int, left: float, top: float, side: float, target: int) -> Tensor:
    """Bilinear resampling, antialiased going down, of a box of an image: [2, target, size], for columns and for rows.

    Pillow's ``resize(..., BILINEAR, box=...)``: fractional boxes, taps outside the image left out and the rest
    renormalised. As two constant matrices its gradient is deterministic on every device.
    """
    step = side * size / target
    centres = torch.arange(target, dtype=torch.float64).add(0.5).mul(step)
    pixels = torch.arange(size, dtype=torch.float64).add(0.5)
    matrices = []
    for start in (left, top):
        distance = (pixels - (start * size + centres)[:, None]).abs() / max(step, 1.0)
        taps = (1 - distance).clamp(min=0)
        matrices.append(taps / taps.sum(dim=1, keepdim=True))
    return torch.stack(matrices).float()
