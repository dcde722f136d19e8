"""Whose gallery it is to be, where the photos show several people: told apart, taken from the call, or asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import output
from edgesr.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from edgesr.gallery.build import Vector
    from edgesr.gallery.format import Gallery
    from edgesr.gallery.photos import Candidate, Rejection


def of_folder(files: list[Path], person: str | None) -> list[Path]:
    """The photos in the sub-folder that ``person`` names; all of them where it is a number or not given."""
    if person is None or person.isdecimal():
        return files
    chosen = [path for path in files if path.parent.name == person]
    if not chosen:
        names = ", ".join(sorted({path.parent.name for path in files})[:20])
        raise UsageError(f"no folder {person!r} among the photos", f"there are: {names}; or give a person's number")
    return chosen


def of_person(
    seen: Sequence[Candidate],
    vectors: Mapping[str, Vector],
    gallery: Gallery,
    embedder: str,
    person: str | None,
    ask: bool,
) -> tuple[list[Candidate], list[Rejection], int]:
    """The candidates of the one person, those of others, and how many people there are."""
    from edgesr.gallery.build import people_of
    from edgesr.gallery.people import threshold_of
    from edgesr.gallery.photos import Rejection

    people, which = people_of(seen, vectors, gallery, threshold_of(embedder).similarity)
    if person is not None and person.isdecimal():
        which = int(person) - 1
        if not 0 <= which < len(people):
            raise UsageError(f"there is no person {person}", f"the photos show {len(people)}")
    elif len(people) > 1 and which is None and person is None:
        which = ask_which(people, ask)
    if which is None or len(people) <= 1:
        return list(seen), [], len(people)
    others = [
        Rejection(one.path, f"shows another person, number {number} (--person {number} takes theirs)")
        for number, members in enumerate(people, 1)
        if number != which + 1
        for one in members
    ]
    return [one for one in seen if one in people[which]], others, len(people)


def ask_which(people: Sequence[Sequence[Candidate]], ask: bool) -> int:
    """Which person's gallery it is to be, from the user."""
    lines = [
        f"{number}: {len(members)} photos ({', '.join(one.path.name for one in members[:3])}"
        + (", ...)" if len(members) > 3 else ")")
        for number, members in enumerate(people, 1)
        if members
    ]
    if not ask:
        raise UsageError(f"the photos show {len(people)} people: {'; '.join(lines)}", "choose one: --person 1")
    for line in lines:
        output.say(line)
    return int(click.prompt("Whose gallery is it to be?", type=click.IntRange(1, len(people)), err=True)) - 1


def open_embedder(file: Path | None, needed: bool) -> Any:
    """The embedder of ``file``, else dlib's, or None where that is not installed and not needed."""
    from edgesr.identity import DlibEmbedder, OnnxEmbedder

    if file is not None:
        return OnnxEmbedder(file)
    try:
        return DlibEmbedder()
    except UnavailableError:
        if needed:
            raise
        return None


def can_ask(as_json: bool) -> bool:
    """Whether somebody sits there who can answer."""
    return not as_json and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
