"""Damage to files: bit flips, cuts, header lengths, JSON that says something else. All of it drawn from a seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    7,
    8,
    127,
    128,
    255,
    256,
    4096,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**63,
    2**64,
    10**30,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "x",
    "../../etc/passwd",
    "/",
    ".",
    "a" * 300,
    "\ud800",
    "a\nb\0",
    "é",
    [],
    {},
    [[]],
    [None],
    {"": ""},
    [2**40] * 4,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    *NUMBERS,
    *map(str, NUMBERS[:12]),
)
FRAGMENTS = (
    b"{",
    b"}",
    b"[" * 3000,
    b'"',
    b"\\",
    b"\\u0000",
    b"1e999",
    b"-",
    b"NaN",
    b"\xff\xfe",
    b"\0" * 9,
    b"9" * 5000,
    b" ",
)


def damage(content: bytes, rng: random.Random) -> bytes:
    """Bytes with one to four mutations."""
    mutable = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not mutable:
            break
        # The front of a file is where its numbers are.
        at = rng.randrange(len(mutable)) if rng.random() < 0.5 else rng.randrange(min(len(mutable), 1200))
        match rng.randrange(8):
            case 0 | 1:
                mutable[at] ^= 1 << rng.randrange(8)
            case 2:
                mutable[at] = rng.randrange(256)
            case 3:
                del mutable[at:]
            case 4:
                del mutable[at : at + rng.choice((1, 2, 8, 100))]
            case 5:
                mutable[at:at] = rng.choice(FRAGMENTS)
            case 6:
                mutable += bytes(rng.choice((1, 4, 1000)))
            case 7:
                end = at + rng.choice((1, 4, 50))
                mutable[at:at] = mutable[at:end]
    return bytes(mutable)


def damaged_safetensors(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file whose bytes, header length or header are damaged."""
    kind = rng.randrange(4)
    if kind == 0:
        return damage(content, rng)
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    if kind == 1:
        other = rng.choice((*NUMBERS[:-1], length + 1, length - 1, length + 8, len(content), len(content) - 8))
        return (abs(other) % 2**64).to_bytes(8, "little") + content[8:]
    changed = damage(header, rng) if kind == 2 else damaged_json(header, rng)
    if rng.random() < 0.3:
        data = damage(data, rng)
    return len(changed).to_bytes(8, "little") + changed + data


def damaged_json(content: bytes, rng: random.Random) -> bytes:
    """JSON with something replaced, taken away, added or doubled; JSON within its strings is gone into as well."""
    value = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = _edited(value, rng)
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _edited(value: Any, rng: random.Random) -> Any:
    if isinstance(value, str) and value[:1] in ("[", "{") and rng.random() < 0.8:
        try:
            return json.dumps(_edited(json.loads(value), rng))
        except ValueError:
            return value
    if not isinstance(value, dict | list) or not value or rng.random() < 0.05:
        if isinstance(value, int) and rng.random() < 0.4:
            return value + rng.choice((-1, 1, 8, 1000))
        return _nested(rng) if rng.random() < 0.03 else _value(rng)
    key: Any = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    match rng.randrange(10):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[rng.choice(("x", "", "features", "scales", "__metadata__", "\ud800"))] = _value(rng)
        case 1:
            value.append(copy.deepcopy(rng.choice((_value(rng), value[key]))))
        case 2 if isinstance(value, dict):
            value[f"{key}{rng.choice(('', 's', ' '))}"] = value.pop(key)
        case _:
            value[key] = _edited(value[key], rng)
    return value


def _value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(VALUES))


def _nested(rng: random.Random) -> Any:
    value: Any = 1
    for _ in range(rng.choice((10, 100, 400))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value
