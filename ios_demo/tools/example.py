#!/usr/bin/env python3
"""Builds the library's example as an app of somebody else's would be, on the library's archive, and runs it.

    .venv/bin/python ios_demo/tools/example.py

The archive is unpacked beside a copy of ``Examples/RestoreFace``, a package of its own. The archive holds no stand-ins,
and the example names none: where Apple's modules are missing, their stand-ins come to both from outside, as compiled
modules and objects of the app's own build. What the example makes of a photo is compared with what Python makes of it.
The last line is ``N passed, N failed``.
"""

from __future__ import annotations

import base64
import json
import math
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import library
from tally import Check, tell

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work" / "example"
BUILT = ROOT / ".build" / "debug"
SWIFT = ROOT / "tools" / "swift-here"
STANDINS = ("CoreGraphics", "CoreML", "ImageIO", "UniformTypeIdentifiers")
MODELS = ROOT / "App" / "Resources" / "Models"
TESTDATA = ROOT / "testdata"
NETWORK = "int8"
"""The folder of models that the example names."""

PHOTO, PORTRAIT = "small.jpg", "portrait-0027_1.jpg"
LEAST_DB = 40.0


def main() -> None:
    built = build()
    results: list[Check] = [("the example builds on the archive alone", built, "")]
    if not (MODELS / NETWORK / "manifest.json").is_file():
        print(f"the example is not run: it asks for the network {NETWORK}, which is not among these models")
    elif built:
        results += run()
    sys.exit(tell(results))


def build() -> bool:
    """Whether the example compiles and links, warnings as errors in its own sources and the library's."""
    for folder in ("EdgeSR", "RestoreFace/Sources", "standins"):
        shutil.rmtree(WORK / folder, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(library.write(WORK)) as archive:
        archive.extractall(WORK)
    shutil.copytree(ROOT / "Examples" / "RestoreFace", WORK / "RestoreFace", dirs_exist_ok=True)
    (WORK / "standins").mkdir()
    objects: list[str] = []
    for name in STANDINS:
        shutil.copy(BUILT / "Modules" / f"{name}.swiftmodule", WORK / "standins")
        objects += [str(path) for path in sorted((BUILT / f"{name}.build").glob("*.o"))]
    command = [SWIFT, "swift", "build", "--configuration", "release", "-Xswiftc", "-warnings-as-errors"]
    command += ["-Xswiftc", "-I", "-Xswiftc", str(WORK / "standins")]
    for one in objects:
        command += ["-Xlinker", one]
    return subprocess.run(command, cwd=WORK / "RestoreFace", check=False).returncode == 0


def run() -> list[Check]:
    """What must hold of the example's result."""
    output = WORK / "restored.png"
    output.unlink(missing_ok=True)
    photos = [str(TESTDATA / "photos" / name) for name in (PHOTO, PORTRAIT)]
    command = [SWIFT, ".build/release/RestoreFace", str(MODELS), str(output), *photos]
    done = subprocess.run(command, cwd=WORK / "RestoreFace", capture_output=True, text=True, check=False)
    if done.returncode or not output.is_file():
        return [("the example runs", False, done.stderr[-1000:])]
    decibels = compared(output)
    print(f"the example's photo is at {decibels:.1f} dB to Python's")
    return [
        ("the example runs", done.stdout == "1 face restored, by [1] exemplars\n", done.stdout),
        (f"its photo is Python's to {LEAST_DB:g} dB", decibels >= LEAST_DB, f"{decibels:.2f} dB"),
    ]


def compared(output: Path) -> float:
    """PSNR in decibels of a PNG to what `edgesr enhance` makes of the photo; 99 where they are equal."""
    import numpy as np
    from PIL import Image

    wanted = json.loads((TESTDATA / "enhanced.json").read_text())[NETWORK]
    width, height = wanted["size"]
    expected = np.frombuffer(base64.b64decode(wanted["rgb"]), np.uint8).reshape(height, width, 3)
    with Image.open(output) as image:
        got = np.asarray(image.convert("RGB"))
    if got.shape != expected.shape:
        return 0.0
    error = float(((got.astype(np.float64) - expected) ** 2).mean())
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


if __name__ == "__main__":
    main()
