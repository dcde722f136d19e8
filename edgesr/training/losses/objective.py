"""All losses in one objective, by weights: what a trainer calls."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgesr.errors import UsageError
from edgesr.layers.bicubic import bicubic_downsample
from edgesr.training.losses import adversarial
from edgesr.training.losses.correlation import check_window, correlation_loss
from edgesr.training.losses.discriminator import Discriminator, DiscriminatorConfig
from edgesr.training.losses.identity import EmbedderInput, FaceEmbedder, IdentityLoss
from edgesr.training.losses.lpips import LPIPS
from edgesr.training.losses.perceptual import PerceptualLoss
from edgesr.training.losses.reconstruction import charbonnier


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weight of each term; one with weight 0 is not computed. The defaults are Eq. 10's (HIME paper, Section 5.1)."""

    rec: float = 1.0
    """Charbonnier."""
    adv: float = 0.1
    """Relativistic average GAN."""
    per: float = 0.01
    """Features of an image classifier, by ``LossConfig.backbone``."""
    cor: float = 0.1
    """Correlation of neighbouring pixels."""
    lpips: float = 0.0
    identity: float = 0.0
    """1 - cosine similarity of face embeddings."""
    impostor: float = 0.0
    """How much more a face resembles another person's exemplars than the truth does (galleries of somebody else)."""
    identity_maps: float = 0.0
    """L1 of the maps on the way to the face embedding, each over its mean."""

    def __post_init__(self) -> None:
        for name, weight in dataclasses.asdict(self).items():
            if not math.isfinite(weight) or weight < 0:
                raise UsageError(f"the weight of the {name} loss is {weight}", "it must be 0 or more")
        if not any(dataclasses.astuple(self)):
            raise UsageError("every loss has weight 0", "there is nothing to train for")


RECONSTRUCTION = LossWeights(adv=0.0, per=0.0, cor=0.0)
"""The weights of the reconstruction-oriented networks, HIME_rec."""


GANS = ("relativistic", "wgan-gp")
BACKBONES = ("vgg19", "efficientnet-lite0")


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """What a run's objective depends on, besides the weights of the networks it looks through."""

    weights: LossWeights = RECONSTRUCTION
    correlation_window: int = 5
    """k of Eq. 8, odd. The paper tries 1 to 9: LPIPS gains up to 7 and loses at 9 (Figure 8)."""
    correlation_dilation: int = 1
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    embedder: EmbedderInput = EmbedderInput()
    charbonnier_epsilon: float = 1e-3
    """eps of L_rec, as in the paper. Errors well below it count by their square, those above by their size."""
    gan: str = "relativistic"
    """``relativistic`` (HIME paper), or ``wgan-gp`` (PWAve paper)."""
    gradient_penalty: float = 10.0
    """lambda_gp of WGAN-GP; the PWAve paper does not say, and this is that of Gulrajani et al."""
    identity_reference: float = 0.0
    """The share of an exemplar of the person in what the identity loss compares with; that of the truth is the rest."""
    backbone: str = "vgg19"
    """What the perceptual loss looks through: ``vgg19`` before the ReLU (HIME paper, Eq. 11), whose weights are a file,
    or ``efficientnet-lite0``, whose weights come with the extra ``perceptual``."""
    smaller_perceptual: float = 1.0
    """lambda_3 of the PWAve paper's Eq. 6 over lambda_1: of a smaller face's perceptual terms."""

    def __post_init__(self) -> None:
        if not 0 < self.charbonnier_epsilon <= 1:
            raise UsageError(f"Charbonnier's eps is {self.charbonnier_epsilon}", "above 0 and at most 1")
        if self.gan not in GANS:
            raise UsageError(f"unknown GAN {self.gan!r}", f"known: {', '.join(GANS)}")
        if self.backbone not in BACKBONES:
            raise UsageError(f"unknown backbone {self.backbone!r}", f"known: {', '.join(BACKBONES)}")
        if self.weights.adv and (self.gan == "wgan-gp") == self.discriminator.batch_norm:
            raise UsageError(
                f"a {self.gan} GAN with batch_norm={self.discriminator.batch_norm} in its discriminator",
                "the gradient penalty goes without batch norm, the relativistic GAN with it",
            )
        if self.gradient_penalty < 0 or self.smaller_perceptual < 0:
            raise UsageError("a loss's weight is negative", "gradient_penalty and smaller_perceptual are 0 or more")
        if not 0 <= self.identity_reference <= 1:
            raise UsageError(f"the exemplar's share of the identity loss is {self.identity_reference}", "0 to 1")
        if self.identity_reference and not self.weights.identity:
            raise UsageError("the exemplar has a share of the identity loss, which has weight 0", "give it a weight")
        check_window(self.correlation_window, self.correlation_dilation)


@dataclasses.dataclass(frozen=True)
class LossFiles:
    """Weights of the networks that losses look through; needed only where the loss has a weight."""

    vgg19: Path | None = None
    vgg16: Path | None = None
    """Backbone of LPIPS."""
    lpips: Path | None = None
    """Linear layers of LPIPS on VGG-16."""
    embedder: Path | None = None
    """A face embedder as ONNX, another than the evaluation's."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """The exemplars that a batch was shown: [N, n, 3, S, S], and [N, n] which are the person's own and which another's.

    A slot that is neither is empty.
    """

    exemplars: Tensor
    own: Tensor
    foreign: Tensor


class PerceptionLoss(nn.Module):
    """The objective of Eq. 10, and of HIME_rec as the case without anything but L_rec.

    ``discriminator`` is the only part that learns, with an optimizer of its own::

        total, terms = objective(sr, hr)                    # update the generator by total
        judged = objective.discriminator_loss(sr, hr)       # then update objective.discriminator by judged

    Several processes: nothing in here communicates. The generator's loss must go through the bare discriminator;
    average its gradients across the processes after the backward of ``discriminator_loss``.
    """

    def __init__(
        self,
        config: LossConfig,
        *,
        discriminator: nn.Module | None = None,
        perceptual: PerceptualLoss | None = None,
        lpips: LPIPS | None = None,
        identity: IdentityLoss | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        weights = config.weights
        for name, weight, part, option in (
            ("adv", weights.adv, discriminator, "a discriminator"),
            ("per", weights.per, perceptual, "the weights of VGG-19"),
            ("lpips", weights.lpips, lpips, "the weights of VGG-16 and of LPIPS's linear layers"),
            ("identity", weights.identity, identity, "a face embedder (ONNX)"),
            ("impostor", weights.impostor, identity, "a face embedder (ONNX)"),
            ("identity_maps", weights.identity_maps, identity, "a face embedder (ONNX)"),
        ):
            if weight and part is None:
                raise UsageError(f"the {name} loss has weight {weight} but needs {option}", f"give it, or {name}=0")
        self.discriminator = discriminator if weights.adv else None
        self.perceptual = perceptual if weights.per else None
        self.lpips = lpips if weights.lpips else None
        self.identity = identity if _embeds(weights) else None

    @classmethod
    def build(cls, config: LossConfig, files: LossFiles = LossFiles()) -> PerceptionLoss:
        """Build the objective with every network that ``config`` gives weight to; the discriminator is new.

        Raises:
            InputOutputError: a file is missing, damaged, a pickle, or of another network.
            UnavailableError: the embedder needs ``onnx``, or operators that are not known here; EfficientNet-Lite0's
                packages are not installed.
            UsageError: a loss has a weight but no file.
        """
        weights = config.weights
        perceptual = lpips = identity = None
        if weights.per and config.backbone == "efficientnet-lite0":
            perceptual = PerceptualLoss.efficientnet_lite0()
        elif weights.per and files.vgg19:
            perceptual = PerceptualLoss.load(files.vgg19)
        if weights.lpips and files.vgg16 and files.lpips:
            lpips = LPIPS.load("vgg16", files.vgg16, files.lpips)
        if _embeds(weights) and files.embedder:
            identity = IdentityLoss(FaceEmbedder.load(files.embedder, config.embedder))
        discriminator = Discriminator(config.discriminator) if weights.adv else None
        return cls(config, discriminator=discriminator, perceptual=perceptual, lpips=lpips, identity=identity)

    def forward(self, sr: Tensor, hr: Tensor, shown: Shown | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Images [N, 3, S, S] in [0, 1] -> the weighted sum, and each term, unweighted and detached, for a log.

        ``shown`` is for the losses that compare with exemplars.

        Raises:
            UsageError: a loss compares with exemplars, and none are given.
        """
        weights = dataclasses.asdict(self.config.weights)
        terms = {name: term(sr, hr) for name, term in self._terms().items() if weights[name]}
        if self.identity is not None:
            terms |= self._of_embeddings(self.identity, sr, hr, shown)
        total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}

    def of_smaller(self, face: Tensor, hr: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The same of a face [N, 3, s, s] that a network makes on its way: the second bracket of PWAve's Eq. 6.

        It is compared with ``hr`` [N, 3, S, S] at its size (Eq. 2), without a GAN and without the correlation loss.
        """
        wanted = bicubic_downsample(hr, hr.shape[-1] // face.shape[-1])
        weights = dataclasses.asdict(self.config.weights)
        terms = {name: self._terms()[name](face, wanted) for name in ("rec", "per", "lpips") if weights[name]}
        if self.identity is not None and weights["identity"]:
            terms["identity"] = self.identity(face, wanted)
        share = {name: 1.0 if name == "rec" else self.config.smaller_perceptual for name in terms}
        total = torch.stack([weights[name] * share[name] * value for name, value in terms.items()]).sum()
        return total, {name: value.detach() for name, value in terms.items()}

    def discriminator_loss(self, sr: Tensor, hr: Tensor, random: torch.Generator | None = None) -> Tensor:
        """L_D of Eq. 14, or WGAN-GP's; ``sr`` is taken as given, so that only the discriminator has gradients.

        ``random`` draws the points of the gradient penalty.

        Raises:
            UsageError: the adversarial loss has weight 0, so there is no discriminator.
        """
        judge = self._judge()
        if self.config.gan == "relativistic":
            return adversarial.discriminator_loss(judge(hr), judge(sr.detach()))
        penalty = adversarial.gradient_penalty(judge, hr, sr, random or torch.Generator())
        apart = adversarial.wasserstein_loss(judge(hr), judge(sr.detach()))
        return apart + self.config.gradient_penalty * penalty

    def _terms(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {
            "rec": lambda sr, hr: charbonnier(sr, hr, self.config.charbonnier_epsilon),
            "adv": self._adversarial,
            "per": lambda sr, hr: _given(self.perceptual)(sr, hr),
            "cor": lambda sr, hr: correlation_loss(
                sr, hr, self.config.correlation_window, self.config.correlation_dilation
            ),
            "lpips": lambda sr, hr: _given(self.lpips)(sr, hr).mean(),
        }

    def _of_embeddings(self, identity: IdentityLoss, sr: Tensor, hr: Tensor, shown: Shown | None) -> dict[str, Tensor]:
        """Terms that share the faces' embeddings, which are most of what each costs."""
        weights, share = self.config.weights, self.config.identity_reference
        if shown is None and (weights.impostor or share):
            raise UsageError("a loss that compares with exemplars was given none", "pass what was shown")
        terms = {}
        if weights.identity_maps:
            found, wanted, terms["identity_maps"] = identity.embed_with_maps(sr, hr)
        else:
            found, wanted = identity.embed(sr, hr)
        if weights.identity and shown is not None and share:
            terms["identity"] = identity.towards_own(found, wanted, shown.exemplars, shown.own, share)
        elif weights.identity:
            terms["identity"] = 1 - F.cosine_similarity(found, wanted).mean()
        if weights.impostor and shown is not None:
            terms["impostor"] = identity.impostor(found, wanted, shown.exemplars, shown.foreign)
        return terms

    def _adversarial(self, sr: Tensor, hr: Tensor) -> Tensor:
        judge = self._judge()
        with _frozen(judge):
            c_sr = judge(sr)
            if self.config.gan == "wgan-gp":
                return -c_sr.mean()
            with torch.no_grad():
                c_hr = judge(hr)
            return adversarial.generator_loss(c_hr, c_sr)

    def _judge(self) -> nn.Module:
        if self.discriminator is None:
            raise UsageError("there is no discriminator", "give the adversarial loss a weight")
        return self.discriminator


def _embeds(weights: LossWeights) -> bool:
    """Whether a loss looks through the face embedder."""
    return bool(weights.identity or weights.impostor or weights.identity_maps)


@contextlib.contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Within the block the module's own weights get no gradients; what passes through it does."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    module.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _given(module: nn.Module | None) -> nn.Module:
    assert module is not None  # checked by the constructor
    return module
