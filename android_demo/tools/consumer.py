"""An app of somebody else: ``examples/`` built on what lies in ``dist/libraries`` alone, and run on real TFLite."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import library
import numpy as np
import pom
from compiling import LIBRARIES, Compiler
from steps import MODELS, QUICK, ROOT, WORK, Check, attempt, fresh, path_of, say

from edgesr.evaluation.metrics import psnr
from edgesr.images.imaging import read_image
from edgesr.release import __version__

HERE = WORK / "consumer"
EXAMPLE, IN_AN_APP = ROOT / "examples" / "SharpFace.kt", ROOT / "examples" / "InAnApp.kt"
TESTDATA = ROOT / "testdata"
NETWORK = "int8"
"""The folder of models that the example names."""
PORTRAIT, PHOTO = TESTDATA / "photos" / "portrait-0027_1.jpg", TESTDATA / "photos" / "small.jpg"
LEAST_DB = 40
"""Of the example's face to Python's. Without the gallery it is at 34 dB, so that one which is not heeded shows."""


def check(compiler: Compiler) -> list[Check]:
    """What must hold of the libraries."""
    made = library.make(compiler)
    before = {path: path.read_bytes() for path in made}
    jars = resolved()
    checks = [
        contents(),
        ("library: Maven resolves the AAR and what it needs", bool(jars), ", ".join(map(_name, jars))),
    ]
    if not jars:
        return checks
    say("example")
    compiled = WORK / "classes" / "example"
    seen = [path for path, scope in jars.items() if scope == "compile"]
    compiler.kotlinc("example", [EXAMPLE], seen, compiled)
    compiler.kotlinc("example-app", [IN_AN_APP], [*seen, *compiler.sdk], WORK / "classes" / "example-app")
    compiler.compile_noted()
    # The phone's TFLite does not load here: its stand-in over TFLite's C library comes before it.
    running = [compiled, compiler.host(), *jars, *compiler.jars["host"]]
    checks += examples(running)
    again = {path: path.read_bytes() for path in library.make(compiler)}
    checks.append(("library: the same classes give the same bytes", before == again, ""))
    return checks


def contents() -> Check:
    """What a jar and an AAR must hold."""
    wanted = {
        "edgesr-core": ("jar", ["META-INF/LICENSE", "META-INF/NOTICE", "io/edgesr/core/Gallery.class"]),
        "edgesr-android": ("aar", ["AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt", "LICENSE", "NOTICE"]),
    }
    missing = []
    for name, (packaging, files) in wanted.items():
        with zipfile.ZipFile(artifact(name, packaging)) as archive:
            missing += [f"{name}: {file}" for file in files if file not in archive.namelist()]
    return ("library: licence, notices, rules for shrinking", not missing, ", ".join(missing))


def artifact(name: str, packaging: str) -> Path:
    """A library in its Maven repository."""
    folder = library.OUTPUT / library.GROUP.replace(".", "/") / name / __version__
    return folder / f"{name}-{__version__}.{packaging}"


def resolved() -> dict[Path, str]:
    """Jars, and of AARs their classes, that an app gets which names the AAR; with their scopes. Nothing is fetched."""
    repository = fresh(HERE / "m2")
    group = Path(library.GROUP.replace(".", "/"))
    for folder in pom.REPOSITORY.iterdir():
        if folder.name != group.parts[0]:
            (repository / folder.name).symlink_to(folder)
    shutil.copytree(library.OUTPUT / group, repository / group)
    for folder in (pom.REPOSITORY / group.parts[0]).glob("*"):
        if not (repository / group.parts[0] / folder.name).exists():
            (repository / group.parts[0] / folder.name).symlink_to(folder)
    dependency = library.Dependency(library.GROUP, LIBRARIES["engine"], __version__, "compile", "aar")
    app = HERE / "pom.xml"
    app.write_bytes(library.project("app", "pom", [dependency], "an app"))
    code, said, problem = pom.resolve(app, repository, ["app"], "-Doffline=true")
    if code:
        print(problem[-3000:])
        return {}
    found = {}
    for line in said.splitlines():
        _, path, scope = line.split("\t")
        jar = Path(path)
        if jar.suffix == ".aar":
            jar = fresh(HERE / jar.stem) / "classes.jar"
            with zipfile.ZipFile(path) as archive:
                jar.write_bytes(archive.read("classes.jar"))
        found[jar] = scope
    return found


def examples(running: list[Path]) -> list[Check]:
    """The example: once where it learns first, once with the gallery that it wrote, once with Python's."""
    if not (MODELS / NETWORK).is_dir():
        print(f"  the example is not run: it asks for the network {NETWORK}, which is not among these models")
        return []
    learned, faces = HERE / "me.gallery", [HERE / f"face-{n}.png" for n in range(3)]
    for file in (learned, *faces):
        file.unlink(missing_ok=True)
    for face, gallery in zip(faces, (learned, learned, TESTDATA / f"python-{NETWORK}.gallery"), strict=True):
        settings = f"-Dorg.bytedeco.javacpp.cachedir={WORK / 'javacpp'}"
        words = [MODELS, gallery, PORTRAIT, PHOTO, face]
        code, said = attempt("java", *QUICK, settings, "-cp", path_of(running), "SharpFaceKt", *words)
        if code or not face.is_file():
            return [("example: runs", False, said[-1500:])]
    expected = json.loads((TESTDATA / "vectors.json").read_text())[f"restored-{NETWORK}"]["detailed"]
    pictures = [read_image(face) for face in faces]
    truth = np.array(expected, np.uint8).reshape(pictures[0].shape)
    learning, _, reading = (psnr(picture, truth) for picture in pictures)
    found = f"{learning:.1f} dB where it learns, {reading:.1f} dB with Python's gallery"
    return [
        (f"example: the face is Python's, {LEAST_DB} dB", min(learning, reading) >= LEAST_DB, found),
        ("example: the gallery that it wrote gives the same face", bool((pictures[0] == pictures[1]).all()), ""),
    ]


def _name(jar: Path) -> str:
    return jar.parent.name if jar.name == "classes.jar" else jar.stem
