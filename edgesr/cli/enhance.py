"""``edgesr enhance``."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.asking import ask_whose, can_ask
from edgesr.cli.computing import threads_option
from edgesr.cli.number import Number
from edgesr.cli.path import PATH
from edgesr.cli.printable import one_line
from edgesr.errors import UsageError, told

if TYPE_CHECKING:
    from edgesr.enhance.batch import Job, Journal
    from edgesr.enhance.run import EnhancedFace, Enhancer
    from edgesr.enhance.whose import Ask

STATUSES = ("enhanced", "unchanged", "skipped", "failed")


@click.command("enhance")
@click.argument("photos", nargs=-1, required=True, type=PATH)
@click.option("--gallery", "-g", "galleries", multiple=True, type=PATH, help="What edgesr gallery build made.")
@click.option("--output", "-o", "out", type=PATH, help="A file, or a folder.")
@click.option("--model", "-m", "models", multiple=True, help="A checkpoint or a bundle. Default: the gallery's.")
@click.option("--strength", default=1.0, show_default=True, type=Number(0, 1), help="0: the photo as it is.")
@click.option("--grain", is_flag=True, help="Give restored faces the noise of the photo around them.")
@click.option("--upscale", default="auto", show_default=True, type=click.Choice(["auto", "1", "2", "3", "4"]))
@click.option("--max-megapixels", default=50.0, show_default=True, type=Number(0.01), help="Of the output.")
@click.option("--compare", is_flag=True, help="Also write NAME-compare.png: before and after, side by side.")
@click.option("--heatmap", is_flag=True, help="Also write NAME-heatmap.png: each exemplar's weight on each face.")
@click.option("--faces", "faces_folder", type=PATH, help="Also write each restored face to this folder.")
@click.option("--allow-other", is_flag=True, help="Use the gallery on other people's faces too; marked as edited.")
@click.option(
    "--assume-same-person",
    is_flag=True,
    help="Take each face that cannot be told apart, or is too small to tell, for the gallery's person.",
)
@click.option("--format", "kind", type=click.Choice(["jpeg", "png", "webp", "heic"]), help="Default: the photo's own.")
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG, WebP and HEIC. Default: 95, or as it came.")
@click.option("--strip-location", is_flag=True, help="Leave the place out: GPS, and what else may name it.")
@click.option("--strip-metadata", is_flag=True, help="Leave out all metadata but colours, resolution and our mark.")
@click.option("--detector", type=PATH, help="YuNet's file, if not the package's.")
@click.option("--embedder", type=PATH, help="The ONNX face embedder that the gallery was built with, if not dlib.")
@click.option("--temporal-table", is_flag=True, help="Of a clip: PSNR by how old the exemplar is; writes nothing.")
@threads_option
@output.force_option
@output.json_option
def command(photos: tuple[Path, ...], out: Path | None, as_json: bool, **options: Any) -> None:
    """Enhance the tiny faces in PHOTOS...: files, folders, patterns; or in one video clip.

    \b
    edgesr enhance party.jpg --gallery me.gallery -o party-sharp.jpg --compare
    edgesr enhance holiday/ --gallery me.gallery -o sharp/ --format png
    edgesr enhance clip.mp4 -o sharp.mp4
    edgesr enhance clip.mp4 --temporal-table

    Faces are found, those small enough to gain are restored with the exemplars that serve each best, and pasted back;
    everything else stays as it is. A gallery with face embeddings serves its person alone; a face below 48 pixels that
    does not look like that person may only be too small to tell, and is restored without the gallery, unless
    --assume-same-person. Without embeddings the gallery serves the only face of a photo, and of several the one that
    you name when asked on a terminal (elsewhere none, unless --assume-same-person). So that a tiny face can show what
    was restored, the photo is enlarged by the least whole number that lets it (--upscale 1 keeps its size). In a
    folder, outputs that are there already from the same photo and options are not made again. One photo that fails
    does not stop the others: exit code 1.

    In a clip, earlier frames in which the face was large enough are the exemplars; a gallery may add to them.
    """
    from edgesr.enhance.clip_file import CLIP_SUFFIXES, is_clip

    clips = [path for path in photos if is_clip(path)]
    if clips:
        from edgesr.cli import enhance_clip

        if len(photos) > 1:
            raise UsageError("one clip at a time", "enhance photos and clips in runs of their own")
        enhance_clip.run(clips[0], out, as_json, options, open_enhancer)
        return
    if options["temporal_table"]:
        raise UsageError("--temporal-table measures a clip", f"one of {', '.join(sorted(CLIP_SUFFIXES))}")
    if out is None:
        raise UsageError("no output named", "-o FILE, or -o FOLDER")
    enhance_photos(photos, out, as_json, options)


def enhance_photos(photos: tuple[Path, ...], out: Path, as_json: bool, options: dict[str, Any]) -> None:
    """Photos one after another; what became of each is printed at the end."""
    from edgesr.cli.enhance_further import named_before
    from edgesr.enhance.batch import Journal, find_photos, plan_jobs
    from edgesr.enhance.write import NAMES
    from edgesr.files.atomic import refuse_special, refuse_unwritable

    started = time.monotonic()
    refuse_special(out)
    journal = Journal(out, remembered(options))
    made = [out, *journal.outputs(), *([options["faces_folder"]] if options["faces_folder"] else [])]
    jobs = plan_jobs(find_photos(photos, made), out, NAMES[options["kind"]] if options["kind"] else None)
    single = len(jobs) == 1 and jobs[0].target == out
    for folder in (out.parent if single else out, options["faces_folder"]):
        if folder is not None:
            refuse_unwritable(folder)
    if single and not options["force"]:
        for path in (out, *named_before(jobs[0], options)):
            if os.path.lexists(path):
                raise UsageError(f"{path} already exists", "pass --force to replace it")
    if single:
        early.files(jobs[0].source)
    enhancer = open_enhancer(options, ask_whose if can_ask(as_json) else None)
    run = Run(enhancer, None if single else journal, out.parent if single else out, options, jobs)
    rows: list[dict[str, Any]] = []
    # A question and a progress bar do not share a line.
    for job in jobs if enhancer.ask else progress.track(jobs, "enhancing"):
        rows.append(attempt(job, run))
        if not as_json:
            tell(rows[-1])
    failed = [row for row in rows if "error" in row]
    summary = summarize(rows, time.monotonic() - started)
    if as_json:
        first = failed[0] if failed else {}
        failure = output.failure(first["error"], first["hint"]) if first else {"ok": True}
        output.write_json({**failure, "outputs": rows, "summary": summary})
    elif len(rows) > 1:
        output.write(
            f"{summary['photos']} photos: {summary['enhanced']} enhanced, {summary['unchanged']} with nothing to "
            f"restore, {summary['skipped']} done before, {summary['failed']} failed; {summary['faces_restored']} of "
            f"{summary['faces']} faces restored; {summary['seconds']:.1f} s"
        )
    if failed:
        raise output.NegativeResult


def open_enhancer(options: dict[str, Any], ask: Ask | None = None) -> Enhancer:
    """Networks, galleries, detector and judge; ``ask`` tells whose face it is where the judge cannot."""
    early.files(*options["galleries"], options["embedder"])
    early.detector(options["detector"])
    for name in options["models"]:
        early.network(name)
    from edgesr.enhance.privacy import strip_of
    from edgesr.enhance.run import open_enhancer as opened
    from edgesr.faces.detection import open_detector

    return opened(
        options["galleries"],
        options["models"],
        detector=open_detector(options["detector"], output.say),
        embedder=options["embedder"],
        ask=ask,
        report=output.say,
        strength=options["strength"],
        upscale=None if options["upscale"] == "auto" else int(options["upscale"]),
        megapixels=options["max_megapixels"],
        allow_other=options["allow_other"],
        assume_same_person=options["assume_same_person"],
        grain=options["grain"],
        strip=strip_of(options["strip_location"], options["strip_metadata"]),
    )


def remembered(options: dict[str, Any]) -> dict[str, Any]:
    """What an output depends on besides its photo."""
    files = [*options["galleries"], *(Path(model) for model in options["models"] if Path(model).exists())]
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()]
    names = (
        *("strength", "grain", "upscale", "max_megapixels", "allow_other", "assume_same_person"),
        *("quality", "compare", "heatmap", "faces_folder", "strip_location", "strip_metadata"),
    )
    return {name: str(options[name]) for name in names} | {"files": stamps, "models": list(options["models"])}


@dataclasses.dataclass(frozen=True)
class Run:
    """What all photos of a command share. ``journal``: None of a single one, whose output is a file by name."""

    enhancer: Enhancer
    journal: Journal | None
    out: Path
    options: dict[str, Any]
    jobs: list[Job]

    @functools.cached_property
    def targets(self) -> set[Path]:
        """What the photos become: no further file may take its place."""
        return {job.target for job in self.jobs}


def attempt(job: Job, run: Run) -> dict[str, Any]:
    """One photo's row; whatever goes wrong with it becomes part of it, and the others go on."""
    row: dict[str, Any] = {"input": str(job.source), "output": str(job.target)}
    journal, options = run.journal, run.options
    if journal is None:  # the only photo: its error is the command's
        return row | enhance_one(job, run)
    try:
        before = journal.done(job)
        if before is not None and not options["force"]:
            return {**row, "faces": before["faces"], "status": "skipped"}
        if job.target.exists() and not options["force"] and not journal.unfinished(job):
            if why := journal.other(job):
                hint = "--force makes it anew, as it is asked for now; or give another folder"
                raise UsageError(f"{job.target} {why}", hint)
            raise UsageError(f"{job.target} already exists and was not made by edgesr", "pass --force to replace it")
        result = enhance_one(job, run)
        journal.finish(job, result)
        return row | result
    except Exception as error:
        what, hint = told(error, job.source)
    return {**row, "output": None, "faces": [], "status": "failed", "error": what, "hint": hint}


def enhance_one(job: Job, run: Run) -> dict[str, Any]:
    """Read, enhance and write one photo."""
    from edgesr.cli.enhance_further import further_files, refuse_others, write_further
    from edgesr.enhance.deliver import write_enhanced
    from edgesr.enhance.photo import read_photo
    from edgesr.enhance.write import KINDS, check_size

    options = run.options
    photo = read_photo(job.source)
    check_size(photo, job.target)
    before = photo.replace(pixels=photo.pixels.copy()) if options["compare"] else None
    done = run.enhancer.enhance(photo, kind=KINDS.get(job.target.suffix.lower()))
    del photo
    files = further_files(job, run.out, done, before, options)
    refuse_others(job, files, run.journal, run.targets, options["force"])
    if run.journal:
        run.journal.begin(job, [file.path for file in files])
    strip = run.enhancer.settings.strip
    notes = write_enhanced(done, job.target, job.source, quality=options["quality"], strip=strip)
    if options["heatmap"] and not any(file.key == "heatmap" for file in files):
        notes = [*notes, "no heatmap: no face was restored with exemplars"]
    further = write_further(files, bool(options["faces_folder"]))
    return {
        "status": "enhanced" if done.changed else "unchanged",
        "size": list(done.photo.size),
        "upscale": done.factor,
        "edited": done.edited,
        "faces": [face_row(face) for face in done.faces],
        "notes": notes,
        **further,
    }


def face_row(face: EnhancedFace) -> dict[str, Any]:
    """A face for scripts; exemplars count from 1, as ``gallery list`` does."""
    return {
        "box": [round(value, 1) for value in face.face.box],
        "side": face.side,
        "score": round(face.face.score, 3),
        "restored": face.restored,
        "reason": face.reason,
        "network": face.network,
        "exemplars": [i + 1 for i in face.exemplars],
        "other_person": face.other,
    }


def tell(row: dict[str, Any]) -> None:
    """A photo for people."""
    if "error" in row:
        output.say(f"edgesr: {one_line(row['error'])}" + (f"\n  try: {one_line(row['hint'])}" if row["hint"] else ""))
        return
    if row["status"] == "skipped":
        output.say(f"{one_line(row['output'])}: done before")
        return
    count = sum(face["restored"] for face in row["faces"])
    made = f", {row['upscale']} times as large" if row["upscale"] > 1 else ""
    faces = (
        f"{count} of {output.counted(len(row['faces']), 'face', 'faces')} restored" if row["faces"] else "no face found"
    )
    output.write(f"{one_line(row['output'])}: {faces}{made}")
    for face in row["faces"]:
        by = f" with exemplars {', '.join(map(str, face['exemplars']))}" if face["exemplars"] else ""
        where = f"{face['box'][0]:.0f}, {face['box'][1]:.0f}"
        output.say(f"  face at {where}: {face['reason']}{by}")
    for note in row["notes"]:
        output.say(f"  note: {note}")


def summarize(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What became of all photos."""
    faces = [face for row in rows for face in row["faces"]]
    counts = {status: sum(row["status"] == status for row in rows) for status in STATUSES}
    return {
        "photos": len(rows),
        **counts,
        "faces": len(faces),
        "faces_restored": sum(face["restored"] for face in faces),
        "seconds": round(seconds, 3),
    }
