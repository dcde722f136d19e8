"""``edgesr gallery``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import output
from edgesr.cli.gallery_build import add, build
from edgesr.cli.group import Group
from edgesr.cli.path import PATH
from edgesr.errors import GalleryError

if TYPE_CHECKING:
    from edgesr.gallery.format import Entry, Gallery

gallery_argument = click.argument("gallery", type=PATH)

WIPED = (
    "Its bytes were overwritten before it was deleted. Copies elsewhere are not found (backups, snapshots, synced "
    "folders), and journaling or copy-on-write file systems and flash storage may keep old blocks for a while."
)


@click.group("gallery", cls=Group)
def command() -> None:
    """Keep a person's photos as features: built once, used for every tiny face.

    \b
    edgesr gallery build photos/ -o me.gallery
    edgesr restore tiny.png --gallery me.gallery -o sharp.png
    edgesr gallery list me.gallery

    A gallery is biometric data: it is written for its owner alone and holds no photo, path or name unless asked
    (docs/privacy.md).
    """


command.add_command(build)
command.add_command(add)


@command.command("remove")
@gallery_argument
@click.argument("which", nargs=-1, required=True)
@output.json_option
def remove(gallery: Path, which: tuple[str, ...], as_json: bool) -> None:
    """Take entries out of GALLERY: by number (as listed), photo file, stored name, or first digits of the SHA-256.

    \b
    edgesr gallery remove me.gallery 3 5
    edgesr gallery remove me.gallery holiday.jpg

    The file is written anew without them, and the old file's bytes are overwritten.
    """
    from edgesr.gallery.edit import remove as run

    left, removed = run(gallery, which)
    rows = [{"index": i + 1, "photo_sha256": entry.photo_sha256} for i, entry in removed]
    if as_json:
        output.write_json({"ok": True, "gallery": str(gallery), "removed": rows, "entries": len(left)})
        return
    for row in rows:
        output.write(f"removed {row['index']} ({str(row['photo_sha256'])[:12]})")
    output.write(f"{gallery}: {output.counted(len(left), 'entry', 'entries')} left")


@command.command("list")
@gallery_argument
@output.json_option
def show(gallery: Path, as_json: bool) -> None:
    """List the entries of GALLERY with their quality and pose."""
    from edgesr.gallery.format import read_gallery

    entries = [row(i, entry) for i, entry in enumerate(read_gallery(gallery).entries)]
    if as_json:
        output.write_json({"ok": True, "gallery": str(gallery), "entries": entries})
        return
    named = any("name" in entry for entry in entries)
    columns = ["", "photo", "sharpness", "size", "exposure", "yaw", "pitch", "roll", *(["name"] if named else [])]
    output.table(columns, ([*cells(entry), *([entry.get("name", "")] if named else [])] for entry in entries))


@command.command("inspect")
@gallery_argument
@click.option("--model", "-m", help="A checkpoint or a bundle: does it take this gallery?")
@output.json_option
def inspect(gallery: Path, model: str | None, as_json: bool) -> None:
    """Say what GALLERY holds, of each network; with --model, whether a network takes it (else exit 1)."""
    from edgesr.gallery.format import read_gallery

    facts: dict[str, Any] = {"ok": True, "gallery": str(gallery), **describe(gallery, read_gallery(gallery))}
    if model is not None:
        facts |= fit(gallery, model)
        facts["ok"] = facts["fits"]
    if as_json:
        output.write_json(facts)
    else:
        for name, value in facts.items():
            if name not in ("ok", "gallery", "sections") and value is not None:
                output.write(f"{name.replace('_', ' '):<16} {text_of(value)}")
        for number, section in enumerate(facts["sections"], 1):
            output.write(f"section {number}")
            for name, value in section.items():
                if value not in (None, {}):
                    output.write(f"  {name.replace('_', ' '):<14} {text_of(value)}")
    if not facts["ok"]:
        raise output.NegativeResult


@command.command("wipe")
@gallery_argument
@click.option("--force", is_flag=True, help="Wipe the file even if it cannot be read as a gallery.")
@output.json_option
def wipe(gallery: Path, force: bool, as_json: bool) -> None:
    """Overwrite GALLERY with zeros and delete it. There is no way back."""
    from edgesr.gallery.format import read_gallery
    from edgesr.gallery.storage import erase

    if gallery.exists() and not force:
        try:
            read_gallery(gallery)
        except GalleryError as error:
            raise GalleryError(f"not wiped: {error.what}", "--force wipes whatever file it is") from error
    count = erase(gallery)
    if as_json:
        output.write_json({"ok": True, "gallery": str(gallery), "bytes": count, "note": WIPED})
        return
    output.write(f"wiped {gallery}, {output.size(count)}")
    output.say(WIPED)


def row(i: int, entry: Entry) -> dict[str, Any]:
    """An entry for people and scripts; numbers count from 1."""
    facts: dict[str, Any] = {"index": i + 1, "photo_sha256": entry.photo_sha256}
    facts |= {"quality": dict(entry.quality), "pose": dict(entry.pose)}
    if entry.name is not None:
        facts["name"] = entry.name
    return facts


def cells(entry: dict[str, Any]) -> list[str]:
    """An entry as cells of the table."""
    quality, pose = entry["quality"], entry["pose"]
    numbers = [
        *((quality.get(name), digits) for name, digits in (("sharpness", 2), ("size_px", 0), ("exposure", 2))),
        *((pose.get(name), 0) for name in ("yaw_deg", "pitch_deg", "roll_deg")),
    ]
    return [
        str(entry["index"]),
        entry["photo_sha256"][:12],
        *("" if value is None else f"{round(value, digits) + 0.0:.{digits}f}" for value, digits in numbers),
    ]


def describe(path: Path, gallery: Gallery) -> dict[str, Any]:
    """What ``inspect`` says of a gallery."""
    from edgesr.gallery.format import version_of

    status = path.stat()
    return {
        "format_version": version_of(path),
        "entries": len(gallery),
        "descriptor_size": len(gallery.entries[0].descriptor) if gallery.entries else 0,
        "embedder": gallery.embedder,
        "names_stored": any(entry.name is not None for entry in gallery.entries),
        "extensions": dict(gallery.extensions) or None,
        "size_bytes": status.st_size,
        "mode": f"{status.st_mode & 0o777:04o}",
        "sections": sections_of(gallery),
    }


def sections_of(gallery: Gallery) -> list[dict[str, Any]]:
    """What a gallery holds for each network.

    ``network``: the shipped one that it serves, if any; ``earlier_weights_of``: the one that has other weights now.
    """
    from edgesr.models.shipped import EARLIER_SPACES, shipped_for

    return [
        {
            "network": shipped_for(*section.key),
            "earlier_weights_of": EARLIER_SPACES.get(section.feature_space),
            "feature_space": section.feature_space,
            "scale": section.scale,
            "lr_size": section.lr_size,
            "hr_size": section.lr_size * section.scale,
            "dtype": section.dtype,
            "maps": {one.name: [one.size, one.size, one.channels] for one in section.maps},
            "codes": {one.name: [one.length] for one in section.codes},
            "feature_parts": section.parts,
            "feature_scales": None if section.steps is None else dict(section.steps),
            "entries": len(gallery.held(i)),
        }
        for i, section in enumerate(gallery.sections)
    ]


def fit(path: Path, model: str) -> dict[str, Any]:
    """Whether a network takes the gallery, and by which section or why not."""
    import edgesr
    from edgesr.gallery.format import read_gallery

    network = edgesr.load(model)
    try:
        section = network.check_gallery(read_gallery(path))
    except GalleryError as error:
        return {"model": model, "fits": False, "section": None, "reason": error.what}
    return {"model": model, "fits": True, "section": section + 1, "reason": None}


def text_of(value: Any) -> str:
    """A fact for people."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {text_of(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "x".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
