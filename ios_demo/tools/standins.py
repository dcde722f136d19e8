#!/usr/bin/env python3
"""Checks of the stand-ins in ``host/``: what they declare says which page of Apple's documentation it follows, or that
it is not Apple's, and a module shows no other module that Apple's does not show.

    python ios_demo/tools/standins.py

One line for each declaration without a page; the last line is ``N passed, N failed``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tally import Check, tell

HOST = Path(__file__).resolve().parent.parent / "host"
PAGE = re.compile(r"https://developer\.apple\.com/documentation/(\S+)")
OURS = "Not Apple's"

SHOWN = {
    "AVFoundation": {"Foundation", "QuartzCore"},
    "CoreGraphics": {"Foundation.CGFloat", "Foundation.CGPoint", "Foundation.CGRect", "Foundation.CGSize"},
    "CoreML": set(),
    "CoreTransferable": set(),
    "ImageIO": {"CoreGraphics"},
    "Photos": {"Foundation"},
    "PhotosUI": set(),
    "QuartzCore": {"Foundation"},
    "SwiftUI": {"CoreGraphics", "CoreTransferable", "Foundation", "Observation", "UIKit"},
    "UIKit": {"Foundation", "QuartzCore"},
    "UniformTypeIdentifiers": set(),
}
"""Modules that Apple's module of a name shows to whoever imports it, as far as stand-ins need it."""

TYPES = ("struct", "class", "enum", "protocol", "actor")
DECLARATION = re.compile(
    r"\s*(?:@\w+(?:\([^)]*\))? )*(?:nonisolated(?:\(unsafe\))? )?(public|open)(?:\(set\))? "
    r"(?:(?:final|static|class|override|required|convenience|mutating|nonisolated|private\(set\)|lazy|indirect"
    r"|nonisolated\(unsafe\)) )*(struct|class|enum|protocol|actor|func|var|let|init|typealias|subscript)\b[ ?]*`?(\w*)"
)
EXTENSION = re.compile(r"\s*extension (\w+)")
ALL_ALIKE = {"View"}
"""Types whose page does not say which of their extensions' members it is about."""


class Scope(NamedTuple):
    """What a brace opened: its members need a page of their own, unless one above speaks for them."""

    spoken_for: bool
    skipped: bool = False
    """The body of a function: nothing in it is declared to anybody."""


class Found(NamedTuple):
    """A declaration, and the page that speaks for it: its own, or that of the type around it."""

    where: str
    name: str
    page: str | None


def declarations(path: Path) -> Iterator[Found]:
    """What a file declares to others."""
    scopes: list[Scope] = []
    comment: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = re.sub(r"//.*|\"(?:\\.|[^\"\\])*\"", '""' if '"' in line else "", line)
        if line.strip().startswith("//"):
            comment.append(line)
            continue
        inside_code = any(scope.skipped for scope in scopes)
        found = None if inside_code else DECLARATION.match(code)
        extension = None if inside_code else EXTENSION.match(code)
        said = own_page(comment)
        around = scopes[-1].spoken_for if scopes else False
        opened = Scope(around, skipped=not scopes_open(code, found, extension))
        if extension:
            opened = Scope(said is not None and extension[1] not in ALL_ALIKE)
        elif found:
            kind, name = found[2], found[3]
            is_type = kind in TYPES
            page = said or (None if is_type or not around else "")
            yield Found(f"{path.parent.name}/{path.name}:{number}", f"{kind} {name}", page)
            if is_type:
                opened = Scope(page is not None)
        for brace in re.findall(r"[{}]", code):
            if brace == "{":
                scopes.append(opened)
            elif scopes:
                scopes.pop()
        if not re.match(r"\s*@\w+(\([^)]*\))?\s*$", code):
            comment = []


def scopes_open(code: str, found: re.Match[str] | None, extension: re.Match[str] | None) -> bool:
    """Whether what a line opens holds declarations: a type, an extension."""
    if extension or (found and found[2] in TYPES):
        return True
    return bool(re.match(rf"\s*(?:@\w+ )*(?:\w+(?:\(\w+\))? )*(?:{'|'.join(TYPES)}) \w+", code))


def own_page(comment: list[str]) -> str | None:
    """The page that a comment names, or that it is ours; None where it says neither."""
    text = "\n".join(comment)
    page = PAGE.search(text)
    return page[1] if page else OURS if OURS in text else None


def names_it(found: Found) -> bool:
    """Whether a type's page is of its name."""
    kind, _, name = found.name.partition(" ")
    if kind not in TYPES or found.page in (None, "", OURS):
        return True
    return re.split(r"[-(]", str(found.page).rstrip(".").split("/")[-1])[0] == name.lower()


def checks() -> list[Check]:
    """What must hold of the stand-ins."""
    files = sorted(HOST.rglob("*.swift"))
    found = [one for path in files for one in declarations(path)]
    bare = [f"{one.where}: {one.name}" for one in found if one.page is None]
    other = [f"{one.where}: {one.name} by {one.page}" for one in found if not names_it(one)]
    shown = []
    for path in files:
        named = re.findall(r"^@_exported import (?:struct |class |enum )?([\w.]+)", path.read_text(), re.M)
        shown += [f"{path.parent.name} shows {name}" for name in named if name not in SHOWN[path.parent.name]]
    unknown = sorted({path.parent.name for path in files} ^ SHOWN.keys())
    return [
        ("there are declarations", len(found) > 300, str(len(found))),
        ("every declaration follows a page of Apple's, or says that it is not Apple's", not bare, "\n  ".join(bare)),
        ("a type's page is of its name", not other, "\n  ".join(other)),
        ("a module shows what Apple's shows, and nothing else", not shown, ", ".join(shown)),
        ("every module is known", not unknown, ", ".join(unknown)),
    ]


def main() -> None:
    sys.exit(tell(checks()))


if __name__ == "__main__":
    main()
