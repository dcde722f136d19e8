"""``edgesr restore``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.cli.printable import one_line
from edgesr.errors import GalleryError, InputOutputError, UsageError, told
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.api import Model
    from edgesr.gallery.format import Gallery


class Variadic(click.Command):
    """Lets ``--exemplars a b c`` take everything up to the next option, as well as ``--exemplars a --exemplars b``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        expanded: list[str] = []
        inside = False
        for arg in args:
            if arg == "--exemplars":
                inside = True
                continue
            if arg.startswith("-"):
                inside = False
            expanded += ["--exemplars", arg] if inside else [arg]
        return super().parse_args(ctx, expanded)


@click.command("restore", cls=Variadic)
@click.argument("lr", nargs=-1, required=True, type=PATH)
@click.option("--exemplars", multiple=True, type=PATH, help="Sharp photos of the same person.")
@click.option("--gallery", type=PATH, help="Instead of photos: what edgesr gallery build made.")
@click.option("--output", "-o", "out", required=True, type=PATH, help="A file, or a folder.")
@click.option("--aligned", is_flag=True, help="The exemplars are aligned crops, and not photos to find a face in.")
@click.option("--model", "-m", help=f"A checkpoint or a bundle. Default: the gallery's, else {DEFAULT_CHECKPOINT}.")
@click.option("--detector", type=PATH, help="A YuNet, not the package's.")
@click.option("--truth", type=PATH, help="The sharp original, to measure PSNR against.")
@threads_option
@output.force_option
@output.json_option
def command(
    lr: tuple[Path, ...],
    exemplars: tuple[Path, ...],
    gallery: Path | None,
    out: Path,
    aligned: bool,
    model: str | None,
    detector: Path | None,
    truth: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Restore aligned tiny faces LR... with the person's own photos.

    \b
    edgesr restore tiny.png --exemplars me-1.jpg me-2.jpg -o sharp.png
    edgesr restore tiny.png --gallery me.gallery -o sharp.png
    edgesr restore faces/*.png --exemplars me-*.jpg -o restored/ --model hime-small-x4-photo-lr32-s5-tflite-fp32

    In each photo of --exemplars the one clear face is found and aligned; --aligned says that they are aligned crops
    already. Of a gallery the network that takes faces of this size restores, with the exemplars that serve the face
    best, as many as it has slots. Without --exemplars or --gallery it is plain super-resolution. Faces are aligned
    crops of the network's LR size. Whose they are is yours to know: nothing is compared with the gallery (edgesr
    enhance does that).
    """
    import edgesr
    from edgesr.faces.detection import open_detector
    from edgesr.gallery.format import Gallery, read_gallery
    from edgesr.gallery.network import networks_of, rebuild_hint
    from edgesr.images.imaging import read_image, write_image

    if truth is not None and len(lr) > 1:
        raise UsageError("--truth belongs to one LR face", "restore one face at a time to measure it")
    if gallery is not None and exemplars:
        raise UsageError("--exemplars and --gallery are two ways to say the same", "add the photos to the gallery")
    if aligned and not exemplars:
        raise UsageError("--aligned says something of --exemplars", "give them, or leave it out")
    targets = destinations(lr, out, force)
    early.no_input(targets, [*lr, *exemplars, gallery, truth])
    early.some_file(lr)
    early.files(*exemplars, gallery, truth)
    early.detector(detector)
    if model is not None:
        early.network(model)
    features: Any = None if gallery is None else read_gallery(gallery)
    names = [model or DEFAULT_CHECKPOINT] if model or features is None else networks_of(features, gallery)
    networks = [edgesr.load(name, least_slots=len(exemplars)) for name in names]
    network = networks[0]
    if model is None and gallery is not None and (hint := rebuild_hint(features, gallery)):
        output.say(f"note: {hint}")
    original = read_image(truth) if truth is not None else None
    if features is None:
        finder = open_detector(detector, output.say) if exemplars and not aligned else None
        features = network.encode(exemplars, aligned=aligned, detector=finder, report=output.say)
    else:
        for each in networks:
            each.check_gallery(features)
    unnamed = features if isinstance(features, Gallery) and model is None else None
    outputs: list[dict[str, Any]] = []
    for source, target in zip(progress.track(lr, "restoring"), targets, strict=True):
        row: dict[str, Any] = {"input": str(source), "output": str(target)}
        try:
            network = of_size(source, networks, unnamed, gallery)
            row["network"] = network.name
            if isinstance(features, Gallery):
                chosen = network.choose(source, features)
                row["exemplars"] = [i + 1 for i in chosen]
                sr, _ = network.restore(source, network.features_of(features, chosen))
            else:
                sr, _ = network.restore(source, features)
            if original is not None:
                row |= measure(sr, source, original)
            write_image(sr, target)
        except Exception as error:
            if len(lr) == 1:  # its error is the command's
                raise
            row["output"], (row["error"], row["hint"]) = None, told(error, source)
        outputs.append(row)
    failed = [row for row in outputs if "error" in row]
    if as_json:
        psnr = {key: outputs[0][key] for key in ("psnr", "psnr_bicubic") if key in outputs[0]}
        said = output.failure(failed[0]["error"], failed[0]["hint"]) if failed else {"ok": True}
        output.write_json({**said, "outputs": outputs, **psnr})
    else:
        show(outputs)
    if failed:
        raise output.NegativeResult


def show(outputs: list[dict[str, Any]]) -> None:
    """The faces for people."""
    for row in outputs:
        if "error" in row:
            output.say(f"edgesr: {one_line(row['error'])}" + (f"\n  try: {row['hint']}" if row["hint"] else ""))
            continue
        figures = f"  {row['psnr']:.2f} dB (bicubic {row['psnr_bicubic']:.2f})" if "psnr" in row else ""
        output.write(one_line(row["output"]) + figures)


def of_size(source: Path, networks: Sequence[Model], gallery: Gallery | None, path: Path | None) -> Model:
    """The network that takes a face of this size; a single one takes what it likes, and says so.

    Raises:
        GalleryError: the one for this size has other weights than the gallery was built with.
        InputOutputError: several networks, and none is for this size.
    """
    from edgesr.gallery.network import built_anew, earlier_networks
    from edgesr.images.imaging import read_image
    from edgesr.models.description import SHIPPED, read_description

    if len(networks) == 1 and (gallery is None or not earlier_networks(gallery)):
        return networks[0]
    height, width = read_image(source).shape[:2]
    for network in networks:
        if network.config.lr_size == height == width:
            return network
    if gallery is not None:
        for name in earlier_networks(gallery):
            if read_description(SHIPPED / name).config.lr_size == height == width:
                raise GalleryError(
                    f"{source} is a face for {name}, and the gallery was built with earlier weights of it",
                    f"build it again: {built_anew(gallery, path, name)}",
                )
    sizes = " or ".join(f"{size}x{size}" for size in sorted(network.config.lr_size for network in networks))
    raise InputOutputError(
        f"{source} is {width}x{height}",
        f"the gallery's networks take aligned LR faces of {sizes} pixels; edgesr enhance takes whole photos",
    )


def measure(sr: Any, source: Path, original: Any) -> dict[str, float]:
    """PSNR in dB of the SR face and of bicubic upsampling, to the original."""
    from edgesr.evaluation.metrics import psnr
    from edgesr.images.imaging import read_image, resize_bicubic

    if sr.shape != original.shape:
        raise InputOutputError(
            f"the original is {original.shape[1]}x{original.shape[0]}, the restored face {sr.shape[1]}x{sr.shape[0]}",
            "--truth must be the very crop that was scaled down",
        )
    bicubic = resize_bicubic(read_image(source), *sr.shape[:2])
    return {"psnr": psnr(sr, original), "psnr_bicubic": psnr(bicubic, original)}


def destinations(sources: tuple[Path, ...], out: Path, force: bool) -> list[Path]:
    """Where each face goes: ``out`` itself for one face and a file name, else ``out/<name>.png``."""
    if len(sources) == 1 and out.suffix and not out.is_dir():
        targets = [out]
    else:
        targets = [out / f"{source.stem}.png" for source in sources]
        first: dict[Path, Path] = {}
        for source, target in zip(sources, targets, strict=True):
            if target in first:
                what = f"two of the faces have the same name: {first[target]} and {source}"
                raise UsageError(what, f"both would be {target}: restore them into different folders")
            first[target] = source
    for target in targets:
        if target.exists() and not force:
            raise UsageError(f"{target} already exists", "pass --force to replace it")
    return targets
