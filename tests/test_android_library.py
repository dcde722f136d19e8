"""The Android library: one version, the same coordinates in both builds, archives that hold all, a true page."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
import types
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgesr.release import __version__

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "android_demo"
PAGE = REPOSITORY / "docs" / "tasks" / "android-library.md"
CATALOG = tomllib.loads((ROOT / "gradle" / "libs.versions.toml").read_text()) if ROOT.is_dir() else {}

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no checkout")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The program that packs the libraries, with a class for each module in place of those that are compiled."""
    tools = ROOT / "tools"
    monkeypatch.syspath_prepend(str(tools))
    before = set(sys.modules)
    program = importlib.import_module("library")
    monkeypatch.setattr(program, "OUTPUT", tmp_path / "out")
    monkeypatch.setattr(program, "WORK", tmp_path)
    for module, name in (("core", "Gallery"), ("engine", "FaceRestorer")):
        made = tmp_path / "classes" / module / "io" / "edgesr" / module / f"{name}.class"
        made.parent.mkdir(parents=True)
        made.write_bytes(name.encode())
    yield program
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tools)):
            del sys.modules[name]


def make(library: Any) -> dict[str, Path]:
    return {path.name: path for path in library.make(types.SimpleNamespace(versions=CATALOG["versions"]))}


def test_the_page_shows_the_examples_as_they_are() -> None:
    shown = re.findall(r"^```kotlin\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    examples = [path.read_text() for path in sorted((ROOT / "examples").glob("*.kt"))]
    assert sorted(shown) == sorted(examples)


def test_the_example_is_short() -> None:
    """What an app developer has to read: lines of the body, without imports and decoding."""
    text = (ROOT / "examples" / "SharpFace.kt").read_text()
    body = re.search(r"^fun main.*?^}", text, re.M | re.S)
    assert body is not None
    assert len(body[0].splitlines()) <= 20


def test_there_is_one_version() -> None:
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"] == __version__
    script = (ROOT / "build.gradle.kts").read_text()
    assert 'file("../edgesr/release.py")' in script
    found = re.search(r'Regex\("""(.+?)"""\)', script)
    assert found is not None
    assert re.findall(found[1], (REPOSITORY / "edgesr" / "release.py").read_text()) == [__version__]
    assert "versionName" not in CATALOG["versions"]
    assert f'"io.edgesr:edgesr-android:{__version__}"' in PAGE.read_text()


def test_gradle_and_the_plain_build_publish_the_same(library: Any) -> None:
    made = make(library)
    kinds = {"jar": "compile", "aar": "runtime"}
    for module, name in library.LIBRARIES.items():
        script = (ROOT / module / "build.gradle.kts").read_text()
        assert "`maven-publish`" in script
        assert f'artifactId = "{name}"' in script
        assert re.search(rf'moduleName(\.set\(| = )"{name}"', script)
        pom = ET.fromstring(made[f"{name}-{__version__}.pom"].read_bytes())
        text = {child.tag.partition("}")[2]: child.text for child in pom}
        assert (text["groupId"], text["artifactId"], text["version"]) == ("io.edgesr", name, __version__)
        listed = {
            found["artifactId"]: found
            for one in pom.iter(f"{{{library.NAMESPACE}}}dependency")
            for found in [{child.tag.partition("}")[2]: child.text for child in one}]
        }
        ours = {library.LIBRARIES[one] for one in re.findall(r'^\s+api\(project\(":(\w+)"\)\)', script, re.M)}
        alias = {key.replace("-", "."): value for key, value in CATALOG["libraries"].items()}
        theirs = [alias[one] for one in re.findall(r"^\s+implementation\(libs\.([\w.]+)\)", script, re.M)]
        # The Kotlin plugin adds its library.
        wanted = {"kotlin-stdlib": CATALOG["versions"]["kotlin"], **dict.fromkeys(ours, __version__)}
        for one in theirs:
            wanted[one["module"].partition(":")[2]] = CATALOG["versions"][one["version"]["ref"]]
        assert {key: found["version"] for key, found in listed.items()} == wanted
        assert all(found["scope"] == kinds[str(found["type"])] for found in listed.values())


def test_archives_hold_classes_sources_licence_and_rules(library: Any) -> None:
    made = make(library)
    with zipfile.ZipFile(made[f"edgesr-core-{__version__}.jar"]) as jar:
        assert jar.read("io/edgesr/core/Gallery.class") == b"Gallery"
        assert f"Implementation-Version: {__version__}\r\n".encode() in jar.read("META-INF/MANIFEST.MF")
        assert jar.read("META-INF/LICENSE") == (REPOSITORY / "LICENSE").read_bytes()
    with zipfile.ZipFile(made[f"edgesr-android-{__version__}.aar"]) as aar:
        assert f'minSdkVersion="{CATALOG["versions"]["minSdk"]}"' in aar.read("AndroidManifest.xml").decode()
        assert aar.read("proguard.txt") == (ROOT / "engine" / "consumer-rules.pro").read_bytes()
        assert {"LICENSE", "NOTICE", "R.txt"} <= set(aar.namelist())
        with aar.open("classes.jar") as content, zipfile.ZipFile(content) as jar:
            assert [name for name in jar.namelist() if name.endswith(".class")] == [
                "io/edgesr/engine/FaceRestorer.class"
            ]
    with zipfile.ZipFile(made[f"edgesr-android-{__version__}-sources.jar"]) as sources:
        source = ROOT / "engine" / "src" / "main" / "kotlin" / "io" / "edgesr" / "engine" / "FaceRestorer.kt"
        assert sources.read("io/edgesr/engine/FaceRestorer.kt") == source.read_bytes()


def test_equal_classes_give_equal_bytes(library: Any) -> None:
    before = {name: path.read_bytes() for name, path in make(library).items()}
    assert {name: path.read_bytes() for name, path in make(library).items()} == before


def test_every_function_of_the_page_is_there() -> None:
    """What the table of ``FaceRestorer`` names, with its parameters, is what the class declares."""
    source = (ROOT / "engine" / "src" / "main" / "kotlin" / "io" / "edgesr" / "engine" / "FaceRestorer.kt").read_text()
    declared = {
        (name, tuple(re.findall(r"(\w+): ", parameters)))
        for name, parameters in re.findall(r"^ +(?:override )?fun (\w+)\(([^)]*)\)", source, re.M)
    }
    table = PAGE.read_text().partition("| `FaceRestorer` |")[2].partition("\n\n")[0]
    named = [
        (name, tuple(filter(None, words.split(", "))))
        for name, words in re.findall(r"^\| `(\w+)\((.*?)\)`", table, re.M)
    ]
    assert len(named) == 8
    for name, words in named:
        assert any(name == one and words == given[: len(words)] for one, given in declared), name
