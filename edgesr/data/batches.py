"""Training batches: sampled, flipped and degraded on the device, a whole batch at a time.

Everything random comes from a generator seeded by (seed, step), so a step's batch does not depend on what ran
before it: resuming needs no random state. Of several processes each draws the numbers of the whole batch and
makes its part of the images, so that together they see what one alone would.
"""

from __future__ import annotations

import copy
import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from edgesr.data.degradation import MISALIGNED, lr_faces, preset
from edgesr.data.faces import Faces
from edgesr.data.optics import flow_of, similarity
from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_downsample, bicubic_upsample
from edgesr.models.pretraining import KnownWarps


@dataclasses.dataclass(frozen=True)
class Batch:
    """``lr`` [B, 3, h, w], ``hr`` [B, 3, H, W], ``exemplars`` [B, n, 3, H, W], all in [0, 1]; ``valid`` [B, n].

    ``foreign`` [B, n] tells which exemplars are there and are another person's than the target.
    """

    lr: Tensor
    hr: Tensor
    exemplars: Tensor
    valid: Tensor
    foreign: Tensor


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """A step's photos: of each target [B], of its exemplars [B, n], and the generator as it stands after them."""

    random: torch.Generator
    slots: int
    target: Tensor
    index: Tensor
    valid: Tensor
    wrong: Tensor

    def photos(self, part: slice) -> Tensor:
        """The part's targets, then its exemplars row by row, as one list of indices."""
        return torch.cat([self.target[part], self.index[part].flatten()])


LEAST_LIGHT = 0.2
"""Of what falls on a face that shows a known warp, over the light of its photo."""
LEAST_POWER, GREATEST_POWER = 0.5, 4.0
"""Of the tone curves of faces that show a known warp."""
NEGATIVES = 0.25
"""Share of those faces that are shown as negatives."""
FLIPS = ("even", "none", "uneven")
MOST = 1e6
"""Of a probability before all are divided by their sum."""


@dataclasses.dataclass(frozen=True)
class Curriculum:
    """How training is made to look at its exemplars (the path from the LR face is the easier one).

    In the first ``copy_share`` of the run every slot holds the target itself, with a warp that grows from
    nothing; after that one slot of a sample holds the target, warped and relit, with a probability that falls
    linearly from ``self_probability`` to 0 at ``self_until`` of the run.
    """

    copy_share: float = 0.06
    self_probability: float = 1.0
    self_until: float = 0.6
    slot_probabilities: tuple[float, ...] = (0.15, 0.4, 0.15, 0.3)
    """Probability of training a batch with 0, 1, 2, ... exemplars (slot dropout)."""
    flips: str = "even"
    """Horizontal flips: ``even`` (a face and its exemplars together), ``none``, or ``uneven`` (face and exemplars each
    on its own), which shows how much face chirality matters (HIME paper, Table 7)."""
    detail_drop: float = 0.0
    """Probability that an LR face loses half its resolution, for the LR extractor and the bicubic skip alike: what it
    lost can come from the exemplars alone. Target and exemplars stay sharp."""
    augment: float = 0.0
    """How far the target is warped and relit before it is degraded: 1 is as far as a target that is shown as its own
    exemplar. It keeps a network from learning some thousand photos by heart."""
    wrong_gallery: float = 0.0
    """Probability that all exemplars of a sample are another person's, with the target as it is: a network learns to
    tell from the LR face whether its exemplars fit, and turns fewer strangers into the gallery's person."""
    clean: float = 0.0
    """Probability that an LR face is scaled down and nothing else, whatever the degradation: beside those that a
    phone's preset leaves clean. A network that takes every face for a phone's sharpens a clean one too much."""

    def __post_init__(self) -> None:
        if self.flips not in FLIPS:
            raise UsageError(f"unknown flips {self.flips!r}", f"known: {', '.join(FLIPS)}")
        given = self.slot_probabilities
        if not given or not all(0 <= one <= MOST for one in given) or max(given) < 1 / MOST:
            raise UsageError(
                f"slot probabilities {given} are no probabilities",
                "give one of 0 exemplars, of 1, of 2, ...: none negative, not all zero",
            )
        if not 0 <= self.detail_drop <= 1:
            raise UsageError(f"detail_drop is {self.detail_drop}", "it is a probability, from 0 to 1")
        if not 0 <= self.wrong_gallery <= 1:
            raise UsageError(f"wrong_gallery is {self.wrong_gallery}", "it is a probability, from 0 to 1")
        if not 0 <= self.clean <= 1:
            raise UsageError(f"clean is {self.clean}", "it is a probability, from 0 to 1")
        if not 0 <= self.augment <= 2:
            raise UsageError(f"augment is {self.augment}", "it is an amount, from 0 to 2")


class BatchSampler:
    """Batches of photos, on ``device`` as uint8; ``batch_size`` is that of all processes together."""

    def __init__(
        self,
        faces: Faces,
        scale: int,
        batch_size: int,
        curriculum: Curriculum,
        seed: int,
        device: torch.device,
        degradation: str = "bicubic",
    ) -> None:
        self.faces = faces.to(device)
        self.scale = scale
        self.batch_size = batch_size
        self.curriculum = curriculum
        self.seed = seed
        self.degradation = preset(degradation)
        # Photos of a person lie next to each other, so a person is a first index and a count.
        counts = torch.bincount(faces.person, minlength=len(faces.names))
        self.first = (counts.cumsum(0) - counts)[faces.person]
        self.count = counts[faces.person]
        self.person = faces.person

    def batch(self, step: int, progress: float, rank: int = 0, processes: int = 1) -> Batch:
        """The part of process ``rank`` of ``processes`` of the batch of ``step``.

        ``progress`` in [0, 1] is the share of the run behind it.

        Raises:
            UsageError: the processes cannot have equal parts.
        """
        b, part = self.batch_size, self._part(rank, processes)
        drawn = self._draw(step)
        random, slots, valid, wrong = drawn.random, drawn.slots, drawn.valid, drawn.wrong
        photos = self.faces.take(drawn.photos(part)).float().div(255)
        self.faces.expect(lambda: self._draw(step + 1).photos(part))
        hr = photos[: part.stop - part.start]
        exemplars = photos[len(hr) :].unflatten(0, (len(hr), slots))
        flip, flip_exemplars = (draw[part].to(hr.device) for draw in self._flips(random))
        hr = torch.where(flip[:, None, None, None], hr.flip(-1), hr)
        exemplars = torch.where(flip_exemplars[:, None, None, None, None], exemplars.flip(-1), exemplars)
        valid = valid[part]
        if amount := self.curriculum.augment:
            hr = warp_and_relight(hr, amount, random, b, part)
        if slots:
            exemplars, valid = self._show_target(hr, exemplars, valid, ~wrong, progress, random, part)
        foreign = wrong[part, None] & (valid > 0)
        return Batch(self._degrade(hr, random, part), hr, exemplars, valid.to(hr), foreign.to(hr.device))

    def pairs(self, step: int, rank: int = 0, processes: int = 1) -> tuple[Tensor, Tensor]:
        """The part of process ``rank`` of ``processes`` of a step's LR faces [B, 3, h, w], and of each another photo of
        its person [B, 3, H, W]; where the curriculum gives a sample somebody else's gallery, of that one.

        Raises:
            UsageError: the processes cannot have equal parts.
        """
        one = copy.copy(self)
        one.curriculum = dataclasses.replace(self.curriculum, self_probability=0.0, slot_probabilities=(0.0, 1.0))
        batch = one.batch(step, 1.0, rank, processes)
        return batch.lr, batch.exemplars[:, 0]

    def known_warps(self, step: int, rank: int = 0, processes: int = 1, amount: float = 1.0) -> KnownWarps:
        """The part of process ``rank`` of ``processes`` of a step's faces, each with a copy whose warp is known and as
        far as ``amount`` says (``known_warp``), both in a light and with tones of their own (``lit``, ``toned``).

        Raises:
            UsageError: the processes cannot have equal parts.
        """
        b, part = self.batch_size, self._part(rank, processes)
        random = self._random(step)
        target = torch.randint(len(self.faces), (b,), generator=random)
        hr = self.faces.take(target[part]).float().div(255)
        # Few photos show a face in the dark, or a dark face, before something bright, and what moved there is to be
        # found as well.
        hr = lit(hr, torch.rand(b, 1, 3, 3, generator=random)[part])
        hr = toned(hr, torch.rand(b, 2, 1, 1, generator=random)[part])
        copies, theta = known_warp(hr, amount, random, b, part)
        flow = flow_of(theta, hr.shape[-1] // self.scale)
        # What cuts LR faces amiss leaves no warp known.
        degradation = self.degradation.removesuffix(MISALIGNED)
        lr = lr_faces(hr, self.scale, degradation, random, b, part)
        return KnownWarps(lr, copies, flow.to(hr.device))

    def _part(self, rank: int, processes: int) -> slice:
        b = self.batch_size
        if b % processes:
            raise UsageError(f"a batch of {b} is not to be shared by {processes} processes", "give a multiple of them")
        return slice(rank * (b // processes), (rank + 1) * (b // processes))

    def _random(self, step: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.seed * 1_000_003 + step) * 4096)

    def _draw(self, step: int) -> _Drawn:
        """Which photos a step's batch is made of."""
        b = self.batch_size
        random = self._random(step)
        probabilities = torch.tensor(self.curriculum.slot_probabilities, dtype=torch.float32)
        slots = int(torch.multinomial(probabilities, 1, generator=random))
        target = torch.randint(len(self.faces), (b,), generator=random)
        index, valid = self._exemplars(target, slots, random)
        wrong = torch.zeros(b, dtype=torch.bool)
        if self.curriculum.wrong_gallery and slots:
            index, valid, wrong = self._swap_galleries(target, index, valid, random)
        return _Drawn(random, slots, target, index, valid, wrong)

    def _degrade(self, hr: Tensor, random: torch.Generator, part: slice) -> Tensor:
        """LR faces [B, 3, h, w] at 8-bit levels; its random numbers are the last of a batch."""
        lr = lr_faces(hr, self.scale, self.degradation, random, self.batch_size, part)
        if clean := self.curriculum.clean:
            lr = torch.where(self._some(clean, lr, random, part), lr_faces(hr, self.scale, "bicubic", random), lr)
        if drop := self.curriculum.detail_drop:
            lr = torch.where(self._some(drop, lr, random, part), halve_detail(lr), lr)
        return lr

    def _some(self, probability: float, images: Tensor, random: torch.Generator, part: slice) -> Tensor:
        """Which of the ``images``, a part of a batch, something happens to [B, 1, 1, 1]."""
        chosen = torch.rand(self.batch_size, generator=random)[part] < probability
        return chosen.to(images.device)[:, None, None, None]

    def _flips(self, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which faces of the batch are flipped, and whose exemplars are."""
        b, kind = self.batch_size, self.curriculum.flips
        flip = torch.rand(b, generator=random) < 0.5
        if kind == "none":
            return torch.zeros_like(flip), torch.zeros_like(flip)
        return flip, flip if kind == "even" else torch.rand(b, generator=random) < 0.5

    def _exemplars(self, target: Tensor, slots: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Other photos of each target's person, without repetition; slots beyond what there is are empty."""
        first, others = self.first[target], self.count[target] - 1
        scores = torch.rand(len(target), int(self.count.max()) - 1, generator=random)
        scores[torch.arange(scores.shape[1])[None] >= others[:, None]] = -1
        k = min(slots, scores.shape[1])
        best, choice = scores.topk(k, dim=1)
        choice = F.pad(choice, (0, slots - k))
        valid = F.pad(best >= 0, (0, slots - k))
        own = target - first  # skip the target itself among its person's photos
        choice = torch.where(choice >= own[:, None], choice + 1, choice).clamp(max=self.count.max() - 1)
        index = first[:, None] + torch.where(valid, choice, 0)
        return index, valid.float()

    def _swap_galleries(
        self, target: Tensor, index: Tensor, valid: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gives some samples of the batch the exemplars of the sample before, where that is somebody else; which."""
        drawn = torch.rand(len(target), generator=random) < self.curriculum.wrong_gallery
        wrong = drawn & (self.person[target] != self.person[target.roll(1)])
        swapped = wrong[:, None]
        return torch.where(swapped, index.roll(1, 0), index), torch.where(swapped, valid.roll(1, 0), valid), wrong

    def _show_target(
        self,
        hr: Tensor,
        exemplars: Tensor,
        valid: Tensor,
        allowed: Tensor,
        progress: float,
        random: torch.Generator,
        part: slice,
    ) -> tuple[Tensor, Tensor]:
        c = self.curriculum
        b, n = self.batch_size, valid.shape[1]
        copying = progress < c.copy_share
        amount = min(1.0, max(0.0, 1.5 * progress / c.copy_share - 0.5)) if copying else 1.0
        fallen = progress / c.self_until if c.self_until else 1.0
        probability = 1.0 if copying else c.self_probability * max(0.0, 1 - fallen)
        shown = (torch.rand(b, generator=random)[part] < probability) & allowed[part]
        slot = torch.randint(n, (b,), generator=random)[part]
        warped = warp_and_relight(hr, amount, random, b, part)
        replace = shown[:, None] & ((torch.arange(n)[None] == slot[:, None]) | copying)
        exemplars = torch.where(replace[:, :, None, None, None].to(hr.device), warped[:, None], exemplars)
        return exemplars, torch.where(replace, 1.0, valid)


def warp_and_relight(
    face: Tensor, amount: float, random: torch.Generator, drawn: int | None = None, part: slice = slice(None)
) -> Tensor:
    """A similarity transform, gain and colour shift of each face [B, 3, H, W]; ``amount`` 0 leaves it as it is.

    Where the faces are ``part`` of a batch of ``drawn``, the random numbers are drawn for all of it.
    """
    return known_warp(face, amount, random, drawn, part)[0]


def known_warp(
    face: Tensor, amount: float, random: torch.Generator, drawn: int | None = None, part: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """As ``warp_and_relight``, and the transforms [B, 2, 3] as ``affine_grid`` takes them."""
    total = len(face) if drawn is None else drawn

    def normal(*shape: int, sigma: float) -> Tensor:
        return torch.randn(total, *shape, generator=random)[part] * (sigma * amount)

    angle, zoom = normal(sigma=0.08), 1 + normal(sigma=0.05)
    theta = similarity(zoom, angle, normal(2, sigma=0.06))
    grid = F.affine_grid(theta, list(face.shape), align_corners=False).to(face)
    warped = F.grid_sample(face, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gain, shift = 1 + normal(1, 1, 1, sigma=0.15), normal(3, 1, 1, sigma=0.06)
    return ((warped - 0.5) * gain.to(face) + 0.5 + shift.to(face)).clamp(0, 1), theta


def lit(face: Tensor, draw: Tensor) -> Tensor:
    """Faces [B, 3, H, W] in a light that changes smoothly over them, full or down to a fifth: of a draw [B, 1, n, n]
    in [0, 1] of how much less there is: none at half of its places.
    """
    light = 1 - (1 - LEAST_LIGHT) * (2 * draw - 1).clamp(min=0)
    return face * F.interpolate(light.to(face), size=list(face.shape[-2:]), mode="bilinear", align_corners=True)


def toned(face: Tensor, draw: Tensor) -> Tensor:
    """Faces [B, 3, H, W] in [0, 1] in tones of their own, of draws [B, 2, 1, 1] in [0, 1]: half of them as they are,
    the others to a power from 1/2 to 4, and a quarter of all as negatives.
    """
    curve, negative = draw[:, :1], draw[:, 1:] < NEGATIVES
    power = LEAST_POWER * (GREATEST_POWER / LEAST_POWER) ** (2 * curve - 1)
    tones = face ** torch.where(curve < 0.5, torch.ones_like(power), power).to(face)
    return torch.where(negative.to(face.device), 1 - tones, tones)


def halve_detail(lr: Tensor) -> Tensor:
    """Faces [B, 3, h, w] as if they had been half as large: bicubic down and up again, at 8-bit levels."""
    enlarged = bicubic_upsample(bicubic_downsample(lr, 2), 2)
    return enlarged.clamp(0, 1).mul(255).round().div(255)
