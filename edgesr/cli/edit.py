"""``edgesr edit``."""

from __future__ import annotations

from pathlib import Path

import click

from edgesr.cli import early, output
from edgesr.cli.computing import threads_option
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.cli.printable import one_line
from edgesr.cli.restore import Variadic
from edgesr.errors import InputOutputError


@click.command("edit", cls=Variadic)
@click.argument("face", type=PATH)
@click.option("--exemplars", multiple=True, required=True, type=PATH, help="Sharp photos whose features it is to have.")
@click.option("--own", multiple=True, type=PATH, help="Sharp photos of the face's own person, for the rest.")
@click.option("--strength", default=1.0, show_default=True, type=Number(0, 1), help="0: own features alone.")
@click.option("--model", "-m", required=True, help="A checkpoint of a network that edits (pwave).")
@click.option("--output", "-o", "out", required=True, type=PATH, help="A .png, .jpg or .webp.")
@click.option("--aligned", is_flag=True, help="The photos are aligned crops, and not photos to find a face in.")
@click.option("--detector", type=PATH, help="A YuNet, not the package's.")
@threads_option
@output.force_option
@output.json_option
def command(
    face: Path,
    exemplars: tuple[Path, ...],
    own: tuple[Path, ...],
    strength: float,
    model: str,
    out: Path,
    aligned: bool,
    detector: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Restore the aligned tiny FACE with features of other photos: eyes, mouth, make-up (PWAve paper, Section 4.5).

    \b
    edgesr edit tiny.png --exemplars other-*.jpg --own me-1.jpg --strength 0.5 -m runs/pwave-x8/checkpoint -o new.png

    Combined features are (1 - STRENGTH) times the person's own plus STRENGTH times those of --exemplars. The file's
    EXIF says that the face is edited.
    """
    from edgesr.enhance.editing import check_editing, check_marked, edit_face, write_edited

    early.absent(out, force=force)
    early.no_input([out], [face, *exemplars, *own])
    early.files(face, *exemplars, *own)
    check_marked(out)
    check_editing(model)
    if not aligned:
        early.detector(detector)
    from edgesr.faces.detection import open_detector
    from edgesr.gallery.photos import align_exemplar
    from edgesr.images.imaging import Pixels, read_image, resize_bicubic
    from edgesr.models.description import find_checkpoint, read_description

    size = read_description(find_checkpoint(model)).config.hr_size
    finder = None if aligned else open_detector(detector, output.say)

    def read(photo: Path) -> Pixels:
        if finder is None:
            image = read_image(photo)
        else:
            image, flaws = align_exemplar(photo, finder, size)
            if flaws:
                output.say(f"{photo} is a poor exemplar: {'; '.join(flaws)}")
        height, width = image.shape[:2]
        if height != width or height < size:
            raise InputOutputError(
                f"{photo} is {width}x{height}",
                f"an exemplar is an aligned square face of at least {size}x{size} pixels",
            )
        return resize_bicubic(image, size, size)

    sr = edit_face(model, read_image(face), [read(p) for p in own], [read(p) for p in exemplars], strength)
    write_edited(sr, out)
    if as_json:
        output.write_json({"ok": True, "input": str(face), "output": str(out), "strength": strength, "edited": True})
    else:
        output.write(one_line(str(out)))
