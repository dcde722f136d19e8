"""Whose gallery it is to be, where the photos show several people: told apart, taken from the call, or asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from edgesr.errors import UsageError
from edgesr.gallery.build import Vector, people_of
from edgesr.gallery.format import Gallery
from edgesr.gallery.people import threshold_of
from edgesr.gallery.photos import Candidate, Rejection


class Questions(Protocol):
    """Somebody who knows the people in the photos. Whoever calls from a program that has nobody to ask passes None."""

    def which(self, people: Sequence[Sequence[Candidate]]) -> int:
        """Whose gallery it is to be: an index of ``people``, each of whom is given by the photos that show them."""
        ...

    def same_person(self, doubtful: Sequence[Candidate], main: Sequence[Candidate]) -> bool:
        """Whether ``doubtful`` photos show the person of ``main`` (of the gallery, where ``main`` is empty)."""
        ...


def of_folder(files: list[Path], person: str | None) -> list[Path]:
    """The photos in the sub-folder that ``person`` names; all of them where it is a number or not given.

    Raises:
        UsageError: there is no such folder.
    """
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
    questions: Questions | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Chosen:
    """Whose photos are taken: what ``person`` says, or who it evidently is, or whom ``questions`` name.

    ``vectors`` holds each photo's embedding [E] by its SHA-256. Photos that may be the same person's are asked about
    where somebody can answer; elsewhere they are taken, and ``report`` is told.

    Raises:
        UsageError: they are several people's, and nobody can say whose gallery it is to be.
    """
    people = people_of(seen, vectors, gallery, threshold_of(embedder))
    groups, owner, maybe = people.groups, people.owner, list(people.doubtful)
    if person is not None and person.isdecimal():
        owner, maybe = int(person) - 1, []
        if not 0 <= owner < len(groups):
            raise UsageError(f"there is no person {person}", f"the photos show {len(groups)}")
    elif len(groups) > 1 and owner is None:
        if person is not None:  # a folder's name: the user said whose photos they are
            report(f"the photos in {person} show {len(groups)} people: {'; '.join(lines_of(groups))}")
            return Chosen(list(seen), [], len(groups), [])
        owner, maybe = _which(groups, questions), []
    if owner is None or len(groups) <= 1:
        return Chosen(list(seen), [], len(groups), [])
    doubtful = [one for number in maybe for one in groups[number]]
    if doubtful and not _same_person(doubtful, groups[owner], questions, report):
        maybe, doubtful = [], []
    others = [
        Rejection(one.path, f"shows another person, number {number} of {len(groups)} (--person {number} takes theirs)")
        for number, members in enumerate(groups, 1)
        if number - 1 != owner and number - 1 not in maybe
        for one in members
    ]
    left = {one.path for one in others}
    return Chosen([one for one in seen if one.path not in left], others, len(groups), doubtful)


def _same_person(
    doubtful: Sequence[Candidate],
    main: Sequence[Candidate],
    questions: Questions | None,
    report: Callable[[str], None],
) -> bool:
    if questions is not None:
        return questions.same_person(doubtful, main)
    of = f" than {names_of(main)}" if main else " than the gallery"
    report(
        f"warning: {names_of(doubtful, None)} may show another person{of}; taken all the same: remove what does not "
        "belong"
    )
    return True


def _which(people: Sequence[Sequence[Candidate]], questions: Questions | None) -> int:
    if questions is not None:
        return questions.which(people)
    raise UsageError(
        f"the photos show {len(people)} people: {'; '.join(lines_of(people))}",
        "leave out the photos that do not belong, or choose one person: --person 1"
        + (f", or a folder's: --person {people[0][0].path.parent.name}" if in_folders(people) else ""),
    )


def lines_of(people: Sequence[Sequence[Candidate]]) -> list[str]:
    """Each person's photos, numbered from 1; with their folders where they lie in several."""
    folders = in_folders(people)
    lines = []
    for number, members in enumerate(people, 1):
        if members:
            photos = "1 photo" if len(members) == 1 else f"{len(members):,} photos"
            lines.append(f"{number}: {photos} ({names_of(members, folders=folders)})")
    return lines


def in_folders(people: Sequence[Sequence[Candidate]]) -> bool:
    """Whether the photos lie in more folders than one."""
    return len({one.path.parent for members in people for one in members}) > 1


def names_of(photos: Sequence[Candidate], most: int | None = 5, *, folders: bool = False) -> str:
    """Name the photos by their files, the first ``most`` of them; with ``folders`` each with the name of its folder."""
    names = (f"{one.path.parent.name}/{one.path.name}" if folders else one.path.name for one in photos[:most])
    return ", ".join(names) + (", ..." if most is not None and len(photos) > most else "")
