"""ICC profiles: which pixels one is for, and one that says what a code (cICP, nclx) or a gamma says."""

from __future__ import annotations

import struct

import numpy as np

SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
PRIMARIES = {
    1: SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290),
}
"""x and y of red, green, blue and white, by ITU-T H.273's number."""

BT709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), BT709),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: SRGB,
    17: (2.6,),
}
"""The curve from level to light by H.273's number: a power, or ICC's parametric curve of type 3."""

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
UNSPECIFIED = 2
SPACES = {b"RGB ": "RGB", b"GRAY": "grey", b"CMYK": "CMYK", b"Lab ": "Lab"}

D50 = (0.9642, 1.0, 0.8249)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def space_of(icc: bytes) -> str:
    """What a profile's pixels are: RGB, grey, CMYK, Lab or another; empty where it is no profile."""
    if len(icc) < 132 or icc[36:40] != b"acsp":
        return ""
    return SPACES.get(icc[16:20], icc[16:20].decode("latin-1").strip())


def of_code(primaries: int, transfer: int, grey: bool = False) -> bytes | None:
    """The profile that says what the codes of H.273 say; None where none can, or sRGB needs none."""
    curve = CURVES.get(transfer if transfer != UNSPECIFIED else 13)
    if grey:
        return None if curve is None or curve is SRGB else _profile(b"GRAY", {b"kTRC": _curve(curve)}, "grey")
    chromaticities = PRIMARIES.get(primaries if primaries != UNSPECIFIED else 1)
    if curve is None or chromaticities is None or (curve is SRGB and chromaticities is SRGB_PRIMARIES):
        return None
    return of_primaries(chromaticities, _curve(curve), f"H.273 {primaries}/{transfer}")


def of_gamma(power: float, primaries: tuple[float, ...] | None, grey: bool) -> bytes | None:
    """The profile of colours whose light is their level to a power; sRGB's primaries where none are named."""
    curve = _curve((power,))
    if grey:
        return _profile(b"GRAY", {b"kTRC": curve}, f"grey, power {power:.4g}")
    return of_primaries(primaries or SRGB_PRIMARIES, curve, f"power {power:.4g}")


def rgb_of_grey(icc: bytes) -> bytes | None:
    """A grey profile's curve for all of red, green and blue: what it says of grey, this says of equal RGB."""
    for at in range(132, min(len(icc) - 11, 132 + 12 * 100), 12):
        name, start, size = struct.unpack_from(">4sII", icc, at)
        if name == b"kTRC" and start + size <= len(icc) and icc[start : start + 4] in (b"curv", b"para"):
            return of_primaries(SRGB_PRIMARIES, icc[start : start + size], "grey as RGB")
    return None


def of_primaries(chromaticities: tuple[float, ...], curve: bytes, name: str) -> bytes | None:
    """A profile of RGB by its primaries, its white and one curve; None where they span no colours."""
    x, y = np.array(chromaticities[:6:2]), np.array(chromaticities[1:6:2])
    wx, wy = chromaticities[6:]
    if min(*y.tolist(), wy) <= 0:
        return None
    columns = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([wx / wy, 1.0, (1 - wx - wy) / wy])
    if abs(np.linalg.det(columns)) < 1e-6:
        return None
    light = columns * np.linalg.solve(columns, white)
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ white)) @ BRADFORD @ light
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 100:
        return None
    tags = {b"rXYZ": _xyz(*adapted[:, 0]), b"gXYZ": _xyz(*adapted[:, 1]), b"bXYZ": _xyz(*adapted[:, 2])}
    return _profile(b"RGB ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}, name)


def _curve(numbers: tuple[float, ...]) -> bytes:
    kind = 3 if len(numbers) == 5 else 0
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(_fixed(number) for number in numbers)


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def _xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(number)) for number in numbers)


def _words(text: str) -> bytes:
    raw = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(raw), 28) + raw


def _profile(space: bytes, tags: dict[bytes, bytes], name: str) -> bytes:
    """Version 4, for a display, with D50 as its white, as every profile has."""
    tags = {b"desc": _words(f"edgesr {name}"), b"cprt": _words("no copyright"), b"wtpt": _xyz(*D50), **tags}
    at = 128 + 4 + 12 * len(tags)
    table, body, places = struct.pack(">I", len(tags)), b"", {}
    for tag, data in tags.items():
        if data not in places:
            places[data] = at + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", tag, places[data], len(data))
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x04200000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(_fixed(v) for v in D50)
    return head.ljust(128, b"\0") + table + body
