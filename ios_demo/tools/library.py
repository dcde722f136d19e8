#!/usr/bin/env python3
"""Writes the engine as a Swift package that other apps take: ``dist/libraries/EdgeSR-VERSION.zip``.

    .venv/bin/python ios_demo/tools/library.py [FOLDER]

A package that is taken by its address has its ``Package.swift`` at a repository's root, and this app's is not there:
the archive holds a folder that is such a root. The same sources give the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
sys.path.insert(0, str(REPOSITORY))

LIBRARIES = REPOSITORY / "dist" / "libraries"
NAME = "EdgeSR"
TARGETS = ("BoothCore", "BoothEngine")
WRITTEN = ("Package.swift", "README.md", "Resources.md", "NOTICE")
"""What the archive has that the app has not; ``{version}`` in them is edgesr's."""

LICENCES = ("MIT.txt", "LicenseRef-edgesr-weights.txt")
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def contents(version: str) -> dict[str, bytes]:
    """Of each file its path in the archive and what it holds."""
    files = {name: (ROOT / "library" / name).read_text().replace("{version}", version).encode() for name in WRITTEN}
    files["LICENSE"] = (REPOSITORY / "LICENSE").read_bytes()
    for name in LICENCES:
        files[f"LICENSES/{name}"] = (REPOSITORY / "LICENSES" / name).read_bytes()
    for target in TARGETS:
        for path in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            files[str(path.relative_to(ROOT))] = path.read_bytes()
    return {f"{NAME}/{name}": files[name] for name in sorted(files)}


def write(folder: Path = LIBRARIES) -> Path:
    """The archive, in place of one that is there already."""
    from edgesr.release import __version__

    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{NAME}-{__version__}.zip"
    aside = output.with_suffix(".partial")
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents(__version__).items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    aside.replace(output)
    return output


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARIES))
