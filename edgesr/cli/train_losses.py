"""Options of ``edgesr train`` for losses besides reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.models.architecture import NetworkConfig
    from edgesr.training.losses import LossConfig, LossFiles

Command = TypeVar("Command", bound=Callable[..., Any])

_WEIGHT = Number(0)

_OPTIONS = (
    click.option(
        "--charbonnier-epsilon",
        type=Number(0, 1, min_open=True),
        help="eps of the reconstruction loss. Default: the network's own, 1e-3 where it has none.",
    ),
    click.option("--correlation", default=0.0, type=_WEIGHT, help="Weight of the correlation loss. Paper: 0.1."),
    click.option("--correlation-window", default=5, show_default=True, help="Its k, odd."),
    click.option("--adversarial", default=0.0, type=_WEIGHT, help="Weight of the GAN. Paper: 0.1."),
    click.option(
        "--gan",
        type=click.Choice(["relativistic", "wgan-gp"]),
        help="Default: the network's own paper's.",
    ),
    click.option("--discriminator-channels", default=64, show_default=True, type=click.IntRange(1), help="CPU: 16."),
    click.option(
        "--discriminator-learning-rate",
        type=Number(0, 1, min_open=True),
        help="Default: the network's own, 1e-4 where it has none. Raise it where a relativistic GAN's loss stays at "
        "1.39: it sees no difference.",
    ),
    click.option(
        "--perceptual",
        default=0.0,
        type=_WEIGHT,
        help="Weight of an image classifier's features. Paper: 0.01 of VGG-19's.",
    ),
    click.option(
        "--perceptual-backbone",
        type=click.Choice(["vgg19", "efficientnet-lite0"]),
        default="vgg19",
        show_default=True,
        help="VGG-19's weights are a file (--vgg19), EfficientNet-Lite0's come with the extra perceptual.",
    ),
    click.option("--vgg19", type=PATH, help="VGG-19's weights, safetensors."),
    click.option("--lpips", default=0.0, type=_WEIGHT, help="Weight of LPIPS on VGG-16, PWAve's perceptual loss."),
    click.option("--vgg16", type=PATH, help="VGG-16's weights, safetensors."),
    click.option("--lpips-linear", type=PATH, help="LPIPS's own weights, safetensors."),
    click.option("--identity", default=0.0, type=_WEIGHT, help="Weight of the face embeddings' distance."),
    click.option(
        "--impostor",
        default=0.0,
        type=_WEIGHT,
        help="Weight of resembling somebody else's exemplars more than the truth does; with --wrong-gallery.",
    ),
    click.option(
        "--identity-reference",
        default=0.0,
        type=Number(0, 1),
        help="Share of the person's own exemplar in what --identity compares with; the rest is the original's.",
    ),
    click.option(
        "--identity-maps",
        default=0.0,
        type=_WEIGHT,
        help="Weight of the distance of the embedder's maps, one of each size, as a perceptual loss.",
    ),
    click.option("--embedder", type=PATH, help="Face embedder, ONNX; another than the evaluation's."),
)


def loss_options(command: Command) -> Command:
    """Adds the options, in the order of the help."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_losses(options: dict[str, Any]) -> None:
    """What of ``losses`` can be refused before PyTorch is loaded.

    Raises:
        UsageError: a weight without the file it needs, a file or share without a weight, or a window that has no
            middle.
    """
    if options["perceptual_backbone"] != "vgg19":
        if not options["perceptual"]:
            raise UsageError("--perceptual-backbone is given without --perceptual", "--perceptual WEIGHT")
        if options["vgg19"]:
            raise UsageError(f"--vgg19 is given with {options['perceptual_backbone']}", "leave one of both out")
    needed_by = (
        *(((("perceptual",), "vgg19"),) if options["perceptual_backbone"] == "vgg19" else ()),
        (("lpips",), "vgg16"),
        (("lpips",), "lpips_linear"),
        (("identity", "impostor", "identity_maps"), "embedder"),
    )
    for weights, file in needed_by:
        weight = next((name for name in weights if options[name]), weights[0])
        if bool(options[weight]) != (options[file] is not None):
            given, needed = (weight, file) if options[weight] else (file, weight)
            given, needed, option = (name.replace("_", "-") for name in (given, needed, file))
            instead = ", or --perceptual-backbone efficientnet-lite0" if file == "vgg19" else ""
            hint = f"--{weight} WEIGHT --{option} FILE{instead}"
            raise UsageError(f"--{given} is given without --{needed}", hint)
    if options["identity_reference"] and not options["identity"]:
        raise UsageError("--identity-reference is given without --identity", "--identity WEIGHT --embedder FILE")
    window = options["correlation_window"]
    if options["correlation"] and window % 2 == 0:
        raise UsageError(f"the correlation window is {window}", "it must be an odd number of pixels: 1, 3, 5, 7, ...")


def losses(options: dict[str, Any], network: NetworkConfig) -> tuple[LossConfig, LossFiles]:
    """The objective that the options describe, for faces of the network's size; the reconstruction loss always has
    weight 1. What is not given is as the network's architecture says.

    Raises:
        UsageError: a weight without the file it needs, or a file without a weight.
    """
    from edgesr.models.registry import architecture_of
    from edgesr.training.losses import DiscriminatorConfig, LossConfig, LossFiles, LossWeights

    check_losses(options)
    own = dict(architecture_of(network).settings.get("loss", {}))
    own |= {name: options[name] for name in ("gan", "charbonnier_epsilon") if options[name] is not None}
    weights = LossWeights(
        adv=options["adversarial"],
        per=options["perceptual"],
        cor=options["correlation"],
        lpips=options["lpips"],
        identity=options["identity"],
        impostor=options["impostor"],
        identity_maps=options["identity_maps"],
    )
    discriminator = DiscriminatorConfig()
    if weights.adv:
        critic = own.get("gan") == "wgan-gp"
        discriminator = DiscriminatorConfig(network.hr_size, options["discriminator_channels"], batch_norm=not critic)
    config = LossConfig(
        weights,
        options["correlation_window"],
        discriminator=discriminator,
        identity_reference=options["identity_reference"],
        backbone=options["perceptual_backbone"],
        **own,
    )
    files = {name: options[name] for name in ("vgg19", "vgg16", "embedder")}
    return config, LossFiles(**files, lpips=options["lpips_linear"])
