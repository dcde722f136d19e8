#!/usr/bin/env python3
"""The booth's core and engine as libraries for other apps: ``edgesr-core``, a jar that needs no Android, and
``edgesr-android``, an AAR.

    python android_demo/tools/library.py     builds dist/libraries/android, a Maven repository of the two

They are made of the classes that the booth is made of, on plain Linux; ``maven-publish`` in the Gradle scripts gives
the same coordinates. ``build.py check`` builds an app's few lines on what lies there alone, and runs them. Exit code 3:
there is no Java or Maven here, or it cannot fetch the pinned jars; 5: the repository cannot be written.
"""

from __future__ import annotations

import io
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from compiling import LIBRARIES, Compiler
from steps import REPOSITORY, ROOT, WORK, say

from edgesr.errors import EdgesrError
from edgesr.files.atomic import folder_aside
from edgesr.files.claims import claimed
from edgesr.release import __version__

GROUP = "io.edgesr"
OUTPUT = REPOSITORY / "dist" / "libraries" / "android"
NAMESPACE = "http://maven.apache.org/POM/4.0.0"
DESCRIPTIONS = {
    "edgesr-core": "Galleries, alignment, exemplar choice and pasting of edgesr, in Kotlin without Android",
    "edgesr-android": "Restores a tiny face with that person's own features, on the phone",
}
LEGAL = {"LICENSE": REPOSITORY / "LICENSE", "NOTICE": ROOT / "NOTICE"}
NEVER = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: equal sources give equal bytes."""

Files = dict[str, bytes]
"""What an archive holds, by path."""


class Dependency(NamedTuple):
    """What a POM says of one, in the order in which it says it."""

    group: str
    artifact: str
    version: str
    scope: str
    type: str


def make(compiler: Compiler) -> list[Path]:
    """Both libraries, with sources and POMs, of the classes that are compiled; the files written, all or none.

    Raises:
        InputOutputError: they cannot be written; what stood there is as it was.
    """
    say("libraries")
    versions = compiler.versions
    stdlib = Dependency("org.jetbrains.kotlin", "kotlin-stdlib", versions["kotlin"], "compile", "jar")
    core = Dependency(GROUP, LIBRARIES["core"], __version__, "compile", "jar")
    tflite = Dependency("org.tensorflow", "tensorflow-lite", versions["tensorflowLite"], "runtime", "aar")
    files: Files = {}
    for module, dependencies in {"core": [stdlib], "engine": [core, tflite, stdlib]}.items():
        name = LIBRARIES[module]
        base = f"{GROUP.replace('.', '/')}/{name}/{__version__}/{name}-{__version__}"
        jar, packaging = archive(classes(module)), "jar" if module == "core" else "aar"
        files[f"{base}.{packaging}"] = jar if packaging == "jar" else archive(aar(jar, module, versions["minSdk"]))
        sources = {**read(ROOT / module / "src" / "main" / "kotlin", ".kt"), **legal("META-INF/")}
        files[f"{base}-sources.jar"] = archive(sources)
        files[f"{base}.pom"] = project(name, packaging, dependencies, DESCRIPTIONS[name])
    with folder_aside(OUTPUT) as aside:
        for path, content in files.items():
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).write_bytes(content)
    return [OUTPUT / path for path in files]


def classes(module: str) -> Files:
    """What a jar of a module holds."""
    head = f"Manifest-Version: 1.0\r\nImplementation-Title: {LIBRARIES[module]}\r\n"
    head += f"Implementation-Version: {__version__}\r\nAutomatic-Module-Name: {GROUP}.{module}\r\n\r\n"
    found = {**read(WORK / "classes" / module, ".class", ".kotlin_module"), **legal("META-INF/")}
    return {"META-INF/MANIFEST.MF": head.encode(), **found}


def aar(jar: bytes, module: str, least: str) -> Files:
    """What an AAR holds: the module's jar, and what Gradle reads beside it. No resources: ``R.txt`` is empty."""
    android = "http://schemas.android.com/apk/res/android"
    manifest = (
        f'<manifest xmlns:android="{android}" package="{GROUP}.{module}">\n'
        f'    <uses-sdk android:minSdkVersion="{least}" />\n</manifest>\n'
    )
    metadata = "aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\nminAndroidGradlePluginVersion=1.0.0\n"
    return {
        "AndroidManifest.xml": manifest.encode(),
        "classes.jar": jar,
        "R.txt": b"",
        "proguard.txt": (ROOT / module / "consumer-rules.pro").read_bytes(),
        "META-INF/com/android/build/gradle/aar-metadata.properties": metadata.encode(),
        **legal(""),
    }


def legal(folder: str) -> Files:
    return {folder + name: path.read_bytes() for name, path in LEGAL.items()}


def read(folder: Path, *suffixes: str) -> Files:
    """Files of these kinds below a folder, by their paths in it."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in suffixes)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def archive(files: Files) -> bytes:
    """A zip, the same for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, NEVER)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            out.writestr(entry, content)
    return packed.getvalue()


def project(name: str, packaging: str, dependencies: Sequence[Dependency], description: str) -> bytes:
    """A POM."""
    ET.register_namespace("", NAMESPACE)
    root = ET.Element(f"{{{NAMESPACE}}}project")

    def put(parent: ET.Element, **texts: str) -> None:
        for key, text in texts.items():
            ET.SubElement(parent, f"{{{NAMESPACE}}}{key}").text = text

    def under(parent: ET.Element, key: str) -> ET.Element:
        return ET.SubElement(parent, f"{{{NAMESPACE}}}{key}")

    put(root, modelVersion="4.0.0", groupId=GROUP, artifactId=name, version=__version__, packaging=packaging)
    put(root, name=name, description=description)
    licence = under(under(root, "licenses"), "license")
    put(licence, name="Apache-2.0", url="https://www.apache.org/licenses/LICENSE-2.0.txt")
    listed = under(root, "dependencies")
    for one in dependencies:
        put(under(listed, "dependency"), groupId=one.group, artifactId=one.artifact, version=one.version)
        put(listed[-1], type=one.type, scope=one.scope)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def main() -> None:
    try:
        with claimed(WORK, wait=True):
            compiler = Compiler()
            compiler.modules(LIBRARIES)
            compiler.compile_noted()
            written = make(compiler)
    except EdgesrError as error:
        print(f"android: {error.what}\n  try: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    for path in written:
        print(f"  {path.relative_to(REPOSITORY)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
