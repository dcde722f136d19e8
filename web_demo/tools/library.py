#!/usr/bin/env python3
"""Makes the npm package edgesr-web of the booth's sources: dist/libraries/edgesr-web-VERSION.tgz.

    python web_demo/tools/library.py [FOLDER]

into dist/libraries unless told otherwise. Needs what build.py needs. Exit code 3: there is no Node, or npm cannot fetch
the pinned packages; 1: the package does not build, or is not one that others can use; 5: it cannot be written.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import build

from edgesr.errors import EdgesrError
from edgesr.faces.yunet import YUNET
from edgesr.files.atomic import file_aside
from edgesr.release import __version__

NAME = "edgesr-web"
LIBRARIES = build.REPOSITORY / "dist" / "libraries"
README = build.ROOT / "src" / "library" / "README.md"
PUT_IN = ("@noble/hashes", "idb")
"""Packages whose code is in the package's own files."""
RUNTIME = "onnxruntime-web"
"""What stays outside, at the very version that everything was tested with."""
ENTRIES = {".": "index", "./booth": "booth"}
RELATIVE = re.compile(r'(from ")(\.{1,2}/[^"]+)(")')


def main(folder: Path) -> int:
    try:
        npm, environment = build.prepared()
        with tempfile.TemporaryDirectory(prefix="edgesr-web-") as aside:
            package = Path(aside) / "package"
            types = package / "dist" / "types"
            node = [*npm, "exec", "--"]
            script = [*node, "node", "tools/library.mjs", str(package / "dist")]
            build.run(script, environment, "the library does not build", 1)
            described = [*node, "tsc", "--project", "tsconfig.library.json", "--outDir", str(types)]
            build.run(described, environment, "the library's types cannot be described", 1)
            complete(package, types)
            strict = [*node, "publint", str(package), "--strict"]
            build.run(strict, environment, "the package is not one that others can use", 1)
            packed = [*npm, "pack", str(package), "--pack-destination", aside]
            build.run(packed, environment, "npm does not pack it", 1)
            made = folder / f"{NAME}-{__version__}.tgz"
            with file_aside(made) as whole:
                shutil.copyfile(Path(aside) / made.name, whole)
            for old in set(folder.glob(f"{NAME}-*.tgz")) - {made}:
                old.unlink()
    except build.BuildError as error:
        return error.told()
    except EdgesrError as error:
        return build.BuildError(error.what, error.hint, error.exit_code).told()
    print(f"{NAME} {__version__}: {made} ({made.stat().st_size / 1e6:.1f} MB)")
    return 0


def complete(package: Path, types: Path) -> None:
    """Add what is no JavaScript: types that Node's own resolution finds, too, the detector, licences, package.json."""
    for file in types.rglob("*.d.ts"):
        file.write_text(RELATIVE.sub(r"\1\2.js\3", file.read_text()))
    shutil.copyfile(YUNET, package / "dist" / YUNET.name)
    shutil.copyfile(build.REPOSITORY / "LICENSE", package / "LICENSE")
    shutil.copyfile(README, package / "README.md")
    first = "The package edgesr-web contains code of these packages, and finds faces with YuNet."
    (package / "NOTICES.txt").write_text(build.licences(first, PUT_IN))
    (package / "package.json").write_text(json.dumps(description(), indent=2) + "\n")


def description() -> dict[str, Any]:
    """The package's package.json."""
    runtime = build.packages(build.ROOT / "package-lock.json")[f"node_modules/{RUNTIME}"]["version"]
    entries: dict[str, Any] = {
        place: {"types": f"./dist/types/library/{name}.d.ts", "default": f"./dist/{name}.js"}
        for place, name in ENTRIES.items()
    }
    return {
        "name": NAME,
        "version": __version__,
        "description": "Restore a tiny face in a web page with that person's own features; nothing leaves the browser",
        "keywords": ["face restoration", "super-resolution", "onnx", "webassembly"],
        "license": "Apache-2.0",
        "type": "module",
        "exports": {
            **entries,
            "./worker": "./dist/worker.js",
            f"./{YUNET.name}": f"./dist/{YUNET.name}",
            "./package.json": "./package.json",
        },
        "sideEffects": ["./dist/worker.js"],
        "files": ["dist", "NOTICES.txt"],
        "dependencies": {RUNTIME: runtime},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=LIBRARIES, metavar="FOLDER")
    sys.exit(main(parser.parse_args().folder.resolve()))
