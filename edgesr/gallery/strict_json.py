"""JSON that every language writes byte for byte alike: no spaces, whole numbers, lines of text; read with suspicion."""

from __future__ import annotations

import json
from typing import Any

from edgesr.errors import GalleryError

MOST_TEXT = 200
"""Bytes of a string in UTF-8."""


def compact(value: Any) -> str:
    """JSON without spaces; only the quotation mark and the backslash are escaped (strings hold no control characters).

    ``value``: dicts (in their order), lists, strings and whole numbers.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parse(written: bytes | str, what: str) -> Any:
    """JSON of whole numbers, with duplicate keys refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def refused(value: str) -> Any:
        raise ValueError(f"{value[:20]} is no whole number")

    try:
        return json.loads(
            written.decode("utf-8") if isinstance(written, bytes) else written,
            object_pairs_hook=unique,
            parse_float=refused,
            parse_constant=refused,
        )
    except UnicodeDecodeError as error:
        raise GalleryError(f"its {what} is no text: it is damaged, or no gallery") from error
    except (ValueError, RecursionError) as error:
        raise GalleryError(f"its {what} cannot be read: {str(error)[:100]!r}") from error


def text(what: str, value: str, most: int = MOST_TEXT) -> None:
    """Refuse a string that is empty, long, or holds control characters or half a surrogate pair."""
    try:
        length = len(value.encode())
    except UnicodeEncodeError as error:
        raise GalleryError(f"its {what} is no text") from error
    if not 1 <= length <= most or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise GalleryError(f"its {what} is no line of 1 to {most} bytes: {value[:40]!r}")


def whole(value: Any) -> bool:
    """Whether a parsed value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)
