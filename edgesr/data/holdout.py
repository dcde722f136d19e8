"""People held out of a training set to validate on, where there is no list of pairs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgesr.data.faces import EvalPair, FaceSet, to_train_on
from edgesr.errors import UsageError

TARGETS, EXEMPLARS = 4, 4
"""The most targets of a person, and exemplars of a target."""


def hold_out(folder: Path, split: str | None, size: int, count: int, least: int = 2) -> tuple[FaceSet, list[EvalPair]]:
    """The photos of all but ``count`` of the people with at least ``least`` photos, and pairs of those people's.

    Who is held out hangs on the names alone, by their hash: the same ones in every run, and nearly the same where
    people are added. Each of a person's first photos is a target, with the others as exemplars.

    Raises:
        UsageError: too few people have two photos, so that nobody would be left to train on.
    """
    found = to_train_on(folder, split, size, least)
    if count >= len(found):
        raise UsageError(
            f"{len(found)} people in {folder} have {least} photos or more, so {count} cannot be held out",
            "fewer --validation-people, or more people",
        )
    held = sorted(sorted(found, key=lambda name: hashlib.sha256(name.encode()).digest())[:count])
    pairs = [
        EvalPair(name, target, tuple(photo for photo in found[name] if photo != target)[:EXEMPLARS])
        for name in held
        for target in found[name][:TARGETS]
    ]
    return FaceSet.read(folder, split, size, least, without=held), pairs
