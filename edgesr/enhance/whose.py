"""Whose face it is, where a gallery is to serve: told by embeddings, or by there being one face, or by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from edgesr.faces.face import Face
from edgesr.faces.right_person import TELLS_FROM
from edgesr.images.imaging import Pixels

if TYPE_CHECKING:
    from edgesr.enhance.regions import Network
    from edgesr.gallery.format import Gallery

OTHER = (
    "looks like another person's face: restored without the gallery (if it is the gallery's person: --allow-other, "
    "which marks the photo as edited)"
)
TOO_SMALL = (
    "too small to tell whose it is: restored without the gallery (if it is the gallery's person: --assume-same-person)"
)
NOT_MEANT = "not the face that was chosen: restored without the gallery"
UNTOLD = (
    "one of several faces, and whose it is cannot be told: restored without the gallery "
    "(--assume-same-person uses it all the same; a gallery with face embeddings tells)"
)

Meant = Callable[[Face], str | None]
"""Why a face of which nobody can tell whose it is does not get the gallery; None: it does."""


class Judge(Protocol):
    """Tells whether a face is somebody else than the gallery's person."""

    def __call__(self, native: Pixels, sr: Pixels, network: Network) -> bool | None:
        """``native`` uint8 [S, S, 3] as in the photo, ``sr`` restored without exemplars, its own detail kept.

        None: it cannot be told.
        """
        ...

    def tells(self, gallery: Gallery) -> bool:
        """Whether it can tell whose face it is by this gallery."""
        ...


class Ask(Protocol):
    """Asks a user which face of a photo is the gallery's person."""

    def __call__(self, photo: Pixels, faces: Sequence[Face]) -> int | None:
        """Index among ``faces``, of the photo uint8 [H, W, 3]; None: none of them."""
        ...


def taken_for_other(side: int) -> tuple[str, bool | None]:
    """What to say of a face of ``side`` pixels that a judge takes for another person's, and whether it is one: None
    where a judge is wrong too often to say so."""
    return (OTHER, True) if side >= TELLS_FROM else (TOO_SMALL, None)


def anybody(_: Face) -> None:
    """Every face gets the gallery."""


def meant_face(photo: Pixels, faces: Sequence[Face], ask: Ask | None, trusting: bool = False) -> Meant:
    """Who of a photo's faces gets the gallery where no judge can tell: the only one; of several the one that ``ask``
    names, which is asked once, and only if it matters; without it none, unless the user is ``trusting``."""
    if len(faces) < 2 or trusting:
        return anybody
    if ask is None:
        return lambda _: UNTOLD
    answer: list[int | None] = []

    def chosen(face: Face) -> str | None:
        if not answer:
            answer.append(ask(photo, faces))
        return None if answer[0] is not None and faces[answer[0]] is face else NOT_MEANT

    return chosen
