"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from edgesr.cli import output

if TYPE_CHECKING:
    from edgesr.faces.face import Face
    from edgesr.gallery.photos import Candidate
    from edgesr.images.imaging import Pixels


def can_ask(as_json: bool) -> bool:
    """Whether somebody sits there who can answer."""
    return not as_json and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask_whose(photo: Pixels, faces: Sequence[Face]) -> int | None:
    """Which of the faces is the gallery's person, by the user's word; None: none of them."""
    height, width = photo.shape[:2]
    output.say(f"{len(faces)} faces in this photo of {width}x{height}:")
    for number, face in enumerate(faces, 1):
        x, y = face.alignment.centre
        where = f"{x / width:.0%} from the left, {y / height:.0%} down"
        output.say(f"  {number}: {face.alignment.side:.0f} px large, {where}")
    choice = click.prompt(
        "Which is the gallery's person? (0: none)", type=click.IntRange(0, len(faces)), default=0, err=True
    )
    return int(choice) - 1 if choice else None


class TerminalQuestions:
    """Whose gallery it is to be, by the word of whoever sits at the terminal."""

    def which(self, people: Sequence[Sequence[Candidate]]) -> int:
        """An index of ``people``, who are listed with their photos first."""
        from edgesr.gallery.whose import lines_of

        for line in lines_of(people):
            output.say(line)
        answer = click.prompt("Whose gallery is it to be?", type=click.IntRange(1, len(people)), err=True)
        return int(answer) - 1

    def same_person(self, doubtful: Sequence[Candidate], main: Sequence[Candidate]) -> bool:
        """Whether photos that look less alike than one person's usually do are the same person's."""
        from edgesr.gallery.whose import names_of

        of = f" as {names_of(main)}" if main else " as the gallery's"
        question = f"Is {names_of(doubtful, None)} the same person{of}?"
        return click.confirm(question, default=True, err=True)
