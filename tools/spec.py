#!/usr/bin/env python3
"""Writes the rules that every booth shares: ``spec/rules.json`` and, from it, the constants of Kotlin, Swift and
TypeScript.

    .venv/bin/python tools/spec.py

Python's constants are their source. A test fails where a file differs from what this writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "spec" / "rules.json"
KOTLIN = ROOT / "android_demo" / "core" / "src" / "main" / "kotlin" / "io" / "edgesr" / "core" / "Rules.kt"
SWIFT = ROOT / "ios_demo" / "Sources" / "BoothCore" / "Rules.swift"
TYPESCRIPT = ROOT / "web_demo" / "src" / "core" / "rules.ts"

LONGEST_INT = 2**31 - 1
NOTE = "/** The rules of `spec/rules.json`, written by `tools/spec.py`: not to be edited. */"


def rules() -> dict[str, dict[str, Any]]:
    """Every rule by group and name: numbers, texts, and lists of them."""
    from edgesr.enhance import faces, noise, paste, regions
    from edgesr.faces import alignment, descriptor, detection, face
    from edgesr.gallery import choice, format, header, quality, strict_json

    def of(module: Any, *names: str) -> dict[str, Any]:
        return {name.lower(): getattr(module, name) for name in names}

    return {
        "alignment": of(alignment, "EYES_FACTOR", "FACE_FACTOR", "DROP", "TOLERANCE"),
        "descriptor": of(descriptor, "GRID", "CHROMA_GRID", "LUMA", "LEAST_CONTRAST", "TEMPLATE", "SIZE"),
        "choice": of(choice, "CENTRE", "SPREAD", "LEAST_DIFFERENCE", "LEAST_TURN", "SHARPNESS_POWER"),
        "quality": of(
            quality, "SIDE", "FACE", "LEAST_SHARPNESS", "ONE_AXIS", "LEAST_SIZE", "DARKEST", "BRIGHT", "MOST_BRIGHT",
            "MOST_YAW", "MOST_PITCH", "NOSE_DEPTH", "NOSE_HEIGHT", "EYES_TO_MOUTH",
        ),
        "duplicates": of(quality, "SAME_PHOTO", "SAME_FACE", "PRINT_GRID"),
        "detector": of(face, "LONG_SIDE")
        | of(detection, "LEAST_SCORE", "MOST_OVERLAP", "MOST_FACES")
        | of(detection, "VIEW_SIDE", "VIEW_PIXELS", "VIEWS", "STRIDE", "MIRRORED"),
        "search": of(faces, "TILE", "OVERLAP", "ZOOMED", "MOST_ZOOMED", "SAME"),
        "regions": of(regions, "LEAST", "MOST", "LARGEST", "DOWN_FROM", "SHOWN", "FACTORS", "MOST_MEGAPIXELS"),
        "noise": of(noise, "LUMINANCE", "GAUSSIAN"),
        "paste": of(paste, "FEATHER", "ROUNDNESS"),
        "gallery": of(
            header, "FORMAT", "FORMAT_VERSION", "STEPS", "SCALES", "LEAST_LR", "MOST_LR", "MOST_HEADER", "MOST_DATA",
            "MOST_ENTRIES", "MOST_SECTIONS", "MOST_MAPS", "MOST_CODES", "MOST_PARTS", "MOST_CHANNELS", "MOST_SIDE",
            "MOST_VECTOR", "MOST_MEASURES", "MOST_THOUSANDTHS", "MOST_EXTENSIONS", "MOST_EXTENSION",
        )
        | of(strict_json, "MOST_TEXT")
        | of(format, "LEAST_STEP", "MOST_STEP"),
    }  # fmt: skip


def files() -> dict[Path, str]:
    """What each file holds."""
    plain = json.loads(json.dumps(rules()))  # tuples as lists
    written = {KOTLIN: kotlin(plain), SWIFT: swift(plain), TYPESCRIPT: typescript(plain)}
    return {RULES: json.dumps(plain, indent=2) + "\n"} | written


def kotlin(groups: dict[str, dict[str, Any]]) -> str:
    """An object for each group."""
    lines = ["package io.edgesr.core", "", NOTE, "internal object Rules {"]
    for group, fields in groups.items():
        lines.append(f"    object {group.capitalize()} {{")
        for name, value in fields.items():
            constant = "" if isinstance(value, list) else "const "
            lines.append(f"        {constant}val {name.upper()} = {_kotlin(value)}")
        lines.append("    }")
        lines.append("")
    return "\n".join([*lines[:-1], "}", ""])


def _kotlin(value: Any) -> str:
    if isinstance(value, list):
        if isinstance(value[0], list):
            return f"listOf({', '.join(map(_kotlin, value))})"
        floats = any(isinstance(one, float) for one in value)
        return f"{'double' if floats else 'int'}ArrayOf({', '.join(map(_kotlin, value))})"
    if isinstance(value, int) and abs(value) > LONGEST_INT:
        return f"{value}L"
    return repr(value).replace("e-0", "e-") if isinstance(value, float) else json.dumps(value)


def swift(groups: dict[str, dict[str, Any]]) -> str:
    """An enumeration without cases for each group: Swift's name space."""
    lines = ["/// The rules of `spec/rules.json`, written by `tools/spec.py`: not to be edited.", "public enum Rules {"]
    for group, fields in groups.items():
        lines.append(f"    public enum {group.capitalize()} {{")
        for name, value in fields.items():
            first, *more = name.split("_")
            camel = first + "".join(word.capitalize() for word in more)
            lines.append(f"        public static let {camel}{_swift_type(value)} = {_swift(value)}")
        lines += ["    }", ""]
    return "\n".join([*lines[:-1], "}", ""])


def _swift_type(value: Any) -> str:
    """Of lists, which may mix whole numbers with others."""
    if not isinstance(value, list):
        return ""
    if isinstance(value[0], list):
        return ": [[Double]]"
    return ": [Double]" if any(isinstance(one, float) for one in value) else ": [Int]"


def _swift(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_swift, value))}]"
    return repr(value).replace("e-0", "e-") if isinstance(value, float) else json.dumps(value)


def typescript(groups: dict[str, dict[str, Any]]) -> str:
    """One object."""
    lines = [NOTE, "export const RULES = {"]
    for group, fields in groups.items():
        lines.append(f"    {group}: {{")
        for name, value in fields.items():
            lines.append(f"        {name}: {_typescript(value)},")
        lines.append("    },")
    return "\n".join([*lines, "};", ""])


def _typescript(value: Any) -> str:
    """As Biome formats it."""
    if isinstance(value, list) and isinstance(value[0], list):
        return "\n".join(["[", *(f"            {_typescript(one)}," for one in value), "        ]"])
    if isinstance(value, list):
        return f"[{', '.join(map(_typescript, value))}]"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value).replace("e-0", "e-")
    return json.dumps(value)


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
