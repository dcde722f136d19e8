"""Options of ``edgesr train`` for losses besides reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.training.losses import LossConfig, LossFiles

Command = TypeVar("Command", bound=Callable[..., Any])

_WEIGHT = click.FloatRange(0)
_FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--charbonnier-epsilon", default=1e-3, show_default=True, help="eps of the reconstruction loss."),
    click.option("--correlation", default=0.0, type=_WEIGHT, help="Weight of the correlation loss. Paper: 0.1."),
    click.option("--correlation-window", default=5, show_default=True, help="Its k, odd."),
    click.option("--adversarial", default=0.0, type=_WEIGHT, help="Weight of the GAN. Paper: 0.1."),
    click.option("--discriminator-channels", default=64, show_default=True, type=click.IntRange(1), help="CPU: 16."),
    click.option(
        "--discriminator-learning-rate",
        default=1e-4,
        show_default=True,
        type=click.FloatRange(0, 1, min_open=True),
        help="Raise it where its loss stays at 1.39: it sees no difference.",
    ),
    click.option("--perceptual", default=0.0, type=_WEIGHT, help="Weight of VGG-19 features. Paper: 0.01."),
    click.option("--vgg19", type=_FILE, help="Its weights, safetensors."),
    click.option("--identity", default=0.0, type=_WEIGHT, help="Weight of the face embeddings' distance."),
    click.option(
        "--impostor",
        default=0.0,
        type=_WEIGHT,
        help="Weight of resembling somebody else's exemplars more than the truth does; with --wrong-gallery.",
    ),
    click.option("--embedder", type=_FILE, help="Face embedder, ONNX; another than the evaluation's."),
)


def loss_options(command: Command) -> Command:
    """Adds the options, in the order of the help."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_losses(options: dict[str, Any]) -> None:
    """What of ``losses`` can be refused before PyTorch is loaded.

    Raises:
        UsageError: a weight without the file it needs, a file without a weight, or a window that has no middle.
    """
    for weights, file in ((("perceptual",), "vgg19"), (("identity", "impostor"), "embedder")):
        weight = next((name for name in weights if options[name]), weights[0])
        if bool(options[weight]) != (options[file] is not None):
            given, needed = (weight, file) if options[weight] else (file, weight)
            raise UsageError(f"--{given} is given without --{needed}", f"--{weight} WEIGHT --{file} FILE")
    window = options["correlation_window"]
    if options["correlation"] and window % 2 == 0:
        raise UsageError(f"the correlation window is {window}", "it must be an odd number of pixels: 1, 3, 5, 7, ...")


def losses(options: dict[str, Any], hr_size: int) -> tuple[LossConfig, LossFiles]:
    """The objective that the options describe; the reconstruction loss always has weight 1.

    Raises:
        UsageError: a weight without the file it needs, or a file without a weight.
    """
    from edgesr.training.losses import DiscriminatorConfig, LossConfig, LossFiles, LossWeights

    check_losses(options)
    weights = LossWeights(
        adv=options["adversarial"],
        per=options["perceptual"],
        cor=options["correlation"],
        identity=options["identity"],
        impostor=options["impostor"],
    )
    discriminator = DiscriminatorConfig()
    if weights.adv:
        discriminator = DiscriminatorConfig(hr_size, options["discriminator_channels"])
    config = LossConfig(
        weights,
        options["correlation_window"],
        discriminator=discriminator,
        charbonnier_epsilon=options["charbonnier_epsilon"],
    )
    return config, LossFiles(vgg19=options["vgg19"], embedder=options["embedder"])
