"""Text that came from files (names, fields, libraries' messages), so that a terminal shows it and obeys none of it."""

from __future__ import annotations

import re
from typing import Any

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters but newline and tab, halves of surrogate pairs, and what turns the direction of writing."""

BYTES = range(0xDC80, 0xDD00)
"""How Python holds bytes of a name that are not UTF-8."""


def printable(text: str) -> str:
    """The text with every such character written as an escape: ``\\x1b``."""
    return UNSEEN.sub(_escaped, text)


def one_line(value: Any) -> str:
    """Make a name ``printable``, on one line: a name has no business with further ones."""
    return printable(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code in BYTES:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
