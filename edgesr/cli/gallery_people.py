"""Whose gallery it is to be, where the photos show several people: told apart, taken from the call, or asked."""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The candidates of the one person, those of others, how many people there seem to be, and those of the candidates
    taken that may be somebody else."""

    taken: list[Candidate]
    others: list[Rejection]
    people: int
    doubtful: list[Candidate]


def of_person(
    seen: Sequence[Candidate],
    vectors: Mapping[str, Vector],
    gallery: Gallery,
    embedder: str,
    person: str | None,
    ask: bool,
) -> Chosen:
    """Whose photos are taken: what ``person`` says, or who it evidently is, or whom the user names.

    Photos that may be the same person's are asked about where somebody can answer, and taken with a warning elsewhere.

    Raises:
        UsageError: they are several people's, and nobody can say whose gallery it is to be.
    """
    from edgesr.gallery.build import people_of
    from edgesr.gallery.people import threshold_of
    from edgesr.gallery.photos import Rejection

    people = people_of(seen, vectors, gallery, threshold_of(embedder))
    groups, owner, maybe = people.groups, people.owner, list(people.doubtful)
    if person is not None and person.isdecimal():
        owner, maybe = int(person) - 1, []
        if not 0 <= owner < len(groups):
            raise UsageError(f"there is no person {person}", f"the photos show {len(groups)}")
    elif len(groups) > 1 and owner is None:
        if person is not None:  # a folder's name: the user said whose photos they are
            output.say(f"the photos in {person} show {len(groups)} people: {'; '.join(lines_of(groups))}")
            return Chosen(list(seen), [], len(groups), [])
        owner, maybe = ask_which(groups, ask), []
    if owner is None or len(groups) <= 1:
        return Chosen(list(seen), [], len(groups), [])
    doubtful = [one for number in maybe for one in groups[number]]
    if doubtful and not same_person(doubtful, groups[owner], ask):
        maybe, doubtful = [], []
    others = [
        Rejection(one.path, f"shows another person, number {number} (--person {number} takes theirs)")
        for number, members in enumerate(groups, 1)
        if number - 1 != owner and number - 1 not in maybe
        for one in members
    ]
    left = {one.path for one in others}
    return Chosen([one for one in seen if one.path not in left], others, len(groups), doubtful)


def same_person(doubtful: Sequence[Candidate], main: Sequence[Candidate], ask: bool) -> bool:
    """Whether photos that look less alike than one person's usually do are the same person's: the user's word."""
    names = ", ".join(one.path.name for one in doubtful)
    of = f" as {names_of(main)}" if main else " as the gallery's"
    if ask:
        return click.confirm(f"Is {names} the same person{of}?", default=True, err=True)
    output.say(f"warning: {names} may show another person{of}; taken all the same: remove what does not belong")
    return True


def ask_which(people: Sequence[Sequence[Candidate]], ask: bool) -> int:
    """Which person's gallery it is to be, from the user."""
    if not ask:
        raise UsageError(
            f"the photos show {len(people)} people: {'; '.join(lines_of(people))}",
            "leave out the photos that do not belong, or choose one person: --person 1"
            + (f", or a folder's: --person {people[0][0].path.parent.name}" if in_folders(people) else ""),
        )
    for line in lines_of(people):
        output.say(line)
    return int(click.prompt("Whose gallery is it to be?", type=click.IntRange(1, len(people)), err=True)) - 1


def lines_of(people: Sequence[Sequence[Candidate]]) -> list[str]:
    """Each person's photos, numbered from 1; with their folders where they lie in several."""
    folders = in_folders(people)
    return [
        f"{number}: {output.counted(len(members), 'photo', 'photos')} ({names_of(members, folders=folders)})"
        for number, members in enumerate(people, 1)
        if members
    ]


def in_folders(people: Sequence[Sequence[Candidate]]) -> bool:
    """Whether the photos lie in more folders than one."""
    return len({one.path.parent for members in people for one in members}) > 1


def names_of(photos: Sequence[Candidate], most: int = 5, *, folders: bool = False) -> str:
    """Their file names, the first few of them; with ``folders`` each with the name of its folder."""
    names = (f"{one.path.parent.name}/{one.path.name}" if folders else one.path.name for one in photos[:most])
    return ", ".join(names) + (", ..." if len(photos) > most else "")


def open_embedder(file: Path | None, needed: bool) -> Any:
    """The embedder of ``file``, else dlib's, or None where that is not installed and not needed."""
    from edgesr.faces.identity import DlibEmbedder, OnnxEmbedder

    if file is not None:
        return OnnxEmbedder(file)
    try:
        return DlibEmbedder()
    except UnavailableError:
        if needed:
            raise
        return None
