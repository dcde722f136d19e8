#!/usr/bin/env python3
"""Writes the engine as a Swift package that other apps take: ``dist/libraries/EdgeSR-VERSION.zip``.

    .venv/bin/python ios_demo/tools/library.py [FOLDER]

A package that is taken by its address has its ``Package.swift`` at a repository's root, and this app's is not there:
the archive holds a folder that is such a root. The same sources give the same bytes. Exit code 5: it cannot be written.
"""

from __future__ import annotations

import argparse
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
    """The archive, in place of one that is there already.

    Raises:
        InputOutputError: it cannot be written; what stood there is as it was.
    """
    from edgesr.files.atomic import file_aside
    from edgesr.release import __version__

    output = folder / f"{NAME}-{__version__}.zip"
    with file_aside(output) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents(__version__).items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return output


def main() -> int:
    from edgesr.errors import EdgesrError

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=LIBRARIES, metavar="FOLDER")
    try:
        print(write(parser.parse_args().folder))
    except EdgesrError as error:
        print(f"library: {error.what}\n  try: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
