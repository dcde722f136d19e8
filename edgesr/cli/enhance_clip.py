"""``edgesr enhance`` of a video clip, and its table of exemplars by age."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.cli import early, output, progress
from edgesr.errors import UsageError

if TYPE_CHECKING:
    from edgesr.enhance.run import Enhancer

NOT_FOR_CLIPS = ("compare", "heatmap", "faces_folder", "kind", "quality")


def run(
    clip: Path,
    out: Path | None,
    as_json: bool,
    options: dict[str, Any],
    open_enhancer: Callable[[dict[str, Any]], Enhancer],
) -> None:
    """Enhance a clip, or print how much exemplars are worth in it by their age."""
    given = [name for name in NOT_FOR_CLIPS if options[name]]
    if given:
        names = {"faces_folder": "--faces", "kind": "--format"}
        raise UsageError(f"{', '.join(names.get(n, f'--{n}') for n in given)} cannot be had of a clip", "leave it out")
    if options["temporal_table"]:
        table(clip, as_json, options)
        return
    if out is None:
        raise UsageError("no output named", "-o CLIP.mp4")
    if out.is_dir():
        out = out / clip.with_suffix(".mp4").name
    early.no_input([out], [clip])
    early.absent(out, force=options["force"])
    from edgesr.enhance.clip import open_clip
    from edgesr.enhance.clip_write import format_of
    from edgesr.enhance.video import enhance_clip

    format_of(out)
    opened = open_clip(clip)
    started = time.monotonic()
    parts = open_enhancer(options)
    result = enhance_clip(opened, out, parts.networks, parts.detector, parts.settings, parts.judge, track)
    seconds = time.monotonic() - started
    row = {
        "input": str(clip),
        "output": str(out),
        "status": "enhanced" if result.changed else "unchanged",
        "frames": result.frames,
        "size": list(result.size),
        "upscale": result.factor,
        "faces": [],
        "faces_found": result.faces,
        "faces_restored": result.restored,
        "faces_with_exemplars": result.with_exemplars,
        "exemplar_frames": result.exemplars,
        "notes": list(result.notes),
    }
    if as_json:
        output.write_json({"ok": True, "outputs": [row], "seconds": round(seconds, 3)})
        return
    output.write(
        f"{out}: {result.frames} frames of {result.size[0]}x{result.size[1]}; of {result.faces} faces in them "
        f"{result.restored} restored, {result.with_exemplars} with exemplars; {result.exemplars} frames became "
        f"exemplars; {seconds:.1f} s"
    )
    for note in result.notes:
        output.say(f"  note: {note}")


def table(clip: Path, as_json: bool, options: dict[str, Any]) -> None:
    """HIME's Table 5 for a clip."""
    import dataclasses

    import edgesr
    from edgesr.enhance.temporal import GAPS, PAPER, temporal_table
    from edgesr.faces.detection import open_detector

    if len(options["models"]) > 1:
        raise UsageError("one network at a time", "name one --model")
    model = edgesr.load(options["models"][0] if options["models"] else edgesr.DEFAULT_CHECKPOINT)
    rows = temporal_table(clip, model, open_detector(options["detector"], output.say), progress=track)
    if as_json:
        answer = [{**dataclasses.asdict(row), "paper": PAPER.get(row.exemplar)} for row in rows]
        output.write_json({"ok": True, "clip": str(clip), "name": model.name, "rows": answer})
        return
    labels = {"bicubic": "bicubic", "none": "no exemplar", "blank": "blank exemplar"}
    names = [labels.get(row.exemplar, f"{row.exemplar} frames before") for row in rows]
    theirs = [figures(PAPER[row.exemplar]) if row.exemplar in PAPER else ("", "") for row in rows]
    cells = [
        (name, *figures(dataclasses.asdict(row)), *paper) for name, row, paper in zip(names, rows, theirs, strict=True)
    ]
    columns = ["exemplar", "PSNR", "SSIM", "paper: PSNR", "SSIM"]
    output.table(columns, cells, title=f"{model.name} on {clip.name}: {rows[0].frames} frames")
    if left_out := [str(gap) for gap in GAPS if str(gap) not in {row.exemplar for row in rows}]:
        output.say(f"note: too short for an exemplar {', '.join(left_out)} frames before: twice as many are needed")


def figures(of: dict[str, Any]) -> tuple[str, str]:
    """PSNR and SSIM as the table has them."""
    return f"{of['psnr']:.2f}", f"{of['ssim']:.4f}"


def track(frames: Iterable[Any], count: int) -> Iterator[Any]:
    """Frames, and how far they are."""
    return progress.track(frames, "frames", count)
