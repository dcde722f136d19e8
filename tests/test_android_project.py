"""The Android project's two builds are one: modules, versions, sources; and what cannot be compiled here is read."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "android_demo"
ANDROID = "{http://schemas.android.com/apk/res/android}"
NOT_BUILT = {"engine-executorch"}
EXECUTORCH_API = {"EValue", "Module", "Tensor"}
"""Classes of org.pytorch.executorch that the twin may use."""
EXECUTORCH_CALLS = {
    "Module": {"load", "execute", "destroy"},
    "Tensor": {"fromBlob", "dataAsFloatArray"},
    "EValue": {"from", "toTensor"},
}

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no checkout")


def catalog() -> dict[str, Any]:
    return tomllib.loads((ROOT / "gradle" / "libs.versions.toml").read_text())


def plain_build(name: str, variable: str) -> Any:
    """A constant of one of the plain build's programs, without running it."""
    for node in ast.parse((ROOT / "tools" / name).read_text()).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == variable for t in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} has no {variable}")


def kotlin(module: str, part: str = "main") -> dict[Path, str]:
    found = {p: p.read_text() for p in sorted((ROOT / module / "src" / part / "kotlin").rglob("*.kt"))}
    assert found or part == "test"
    return found


def package_of(source: str) -> str:
    found = re.search(r"^package ([\w.]+)$", source, re.M)
    return found[1] if found else ""


def without_text(source: str) -> str:
    """Kotlin without comments and strings."""
    literal = r"'(?:\\.|[^'\\])'|\"(?:\\.|\$\{[^}]*\}|[^\"\\])*\""
    kept = {"'": "' '", '"': '""', "/": ""}
    return re.sub(rf"{literal}|/\*.*?\*/|//[^\n]*", lambda found: kept[found[0][0]], source, flags=re.S)


def test_both_builds_have_the_same_modules() -> None:
    included = re.search(r"include\((.*)\)", (ROOT / "settings.gradle.kts").read_text())
    assert included is not None
    gradle = {name.removeprefix(":") for name in re.findall(r'"([^"]+)"', included[1])}
    plain: dict[str, list[str]] = plain_build("compiling.py", "MODULES")
    assert gradle == set(plain) | NOT_BUILT
    for module in gradle:
        script = (ROOT / module / "build.gradle.kts").read_text()
        uses = set(re.findall(r'project\(":([\w-]+)"\)', script))
        # `api` hands on what a module uses itself.
        reached = uses | {
            u
            for one in uses
            for u in re.findall(r'api\(project\(":([\w-]+)"', (ROOT / one / "build.gradle.kts").read_text())
        }
        assert module in NOT_BUILT or reached == set(plain[module]), module


def test_versions_stand_in_the_catalog_alone() -> None:
    versions = catalog()["versions"]
    assert (versions["minSdk"], versions["compileSdk"], versions["targetSdk"]) == ("28", "35", "35")
    for script in ROOT.rglob("*.gradle.kts"):
        text = script.read_text()
        assert not re.search(r"(minSdk|compileSdk|targetSdk|versionCode) = \d|:\d+\.\d+", text), script
    for library in catalog()["libraries"].values():
        assert library["version"]["ref"] in versions
    assert plain_build("pom.py", "FRAMEWORK").startswith("15-")  # Android 15 is API 35
    build = "".join(program.read_text() for program in (ROOT / "tools").glob("*.py"))
    for literal in (versions["kotlin"], versions["tensorflowLite"], versions["robolectric"], versions["executorch"]):
        assert f'"{literal}"' not in build
    for used in (
        "kotlin",
        "minSdk",
        "targetSdk",
        "versionCode",
        "tensorflowLite",
        "junit",
        "robolectric",
    ):
        assert re.search(rf"""["']{used}["']""", build), used
    manifest = (ROOT / "app" / "src" / "main" / "AndroidManifest.xml").read_text()
    assert "uses-sdk" not in manifest
    assert "versionCode" not in manifest


def test_executorch_is_the_release_that_makes_the_models() -> None:
    pinned = re.search(r"^executorch==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert catalog()["versions"]["executorch"] == pinned[1]


def test_the_application_is_the_same() -> None:
    script = (ROOT / "app" / "build.gradle.kts").read_text()
    assert f'namespace = "{plain_build("compiling.py", "PACKAGE")}"' in script
    assert all(f'"{abi}"' in script for abi in plain_build("package.py", "ABIS"))
    assert 'noCompress += "tflite"' in script
    assert "make android-assets" in script


@pytest.mark.parametrize("module", ["core", "engine", "engine-executorch", "app"])
def test_sources_lie_where_their_package_says(module: str) -> None:
    for path, text in (kotlin(module) | kotlin(module, "test")).items():
        assert package_of(text), path
        assert path.parent.as_posix().endswith("kotlin/" + package_of(text).replace(".", "/")), path
        bare = without_text(text)
        for pair in ("()", "{}", "[]"):
            assert bare.count(pair[0]) == bare.count(pair[1]), f"{path}: {pair}"


def test_imports_run_one_way() -> None:
    forbidden = {
        "core": r"android|androidx|org\.tensorflow|org\.pytorch|javax\.imageio|java\.awt|io\.edgesr\.(engine|booth)",
        "engine": r"androidx|org\.pytorch|io\.edgesr\.booth|android\.(view|widget|app)",
        "engine-executorch": r"android|org\.tensorflow|io\.edgesr\.booth",
        "app": r"androidx|org\.tensorflow|org\.pytorch|com\.google|java\.net\.",
    }
    for module, pattern in forbidden.items():
        for path, text in kotlin(module).items():
            for name in re.findall(r"^import ([\w.]+)", text, re.M):
                assert not re.match(rf"({pattern})(\.|$)", name), f"{path} imports {name}"


def test_the_executorch_twin_uses_what_exists() -> None:
    ours = kotlin("core") | kotlin("engine")
    declared = {
        f"{package_of(text)}.{name}"
        for text in ours.values()
        for name in re.findall(r"^(?:\w+ )*(?:class|interface|object) (\w+)", text, re.M)
    }
    interface = next(text for path, text in ours.items() if path.name == "Engine.kt")
    body = interface[interface.index("interface Engine ") :].partition("\n}")[0]
    members = set(re.findall(r"^    (?:val|fun) (\w+)", body, re.M)) | {"close"}
    for path, text in kotlin("engine-executorch").items():
        bare = without_text(text)
        for name in re.findall(r"^import ([\w.]+)", text, re.M):
            package, _, last = name.rpartition(".")
            if package == "org.pytorch.executorch":
                assert last in EXECUTORCH_API, name
            elif name.startswith("io.edgesr"):
                assert name in declared, name
            else:
                assert package.startswith("java."), name
            code = re.sub(r"^import .*$", "", bare, flags=re.M)
            assert re.search(rf"\b{last}\b", code) or f"[{last}]" in text or f"@throws {last}" in text, (
                f"{path}: {last} is not used"
            )
        assert members <= set(re.findall(r"override (?:val|fun) (\w+)", bare))
        assert set(re.findall(r"\bModule\.(\w+)|\bmodule\.(\w+)", bare)) <= {
            (a, b) for a in ("", *EXECUTORCH_CALLS["Module"]) for b in ("", *EXECUTORCH_CALLS["Module"])
        }
        assert set(re.findall(r"\bTensor\.(\w+)", bare)) <= EXECUTORCH_CALLS["Tensor"]
        assert set(re.findall(r"\bEValue\.(\w+)", bare)) <= EXECUTORCH_CALLS["EValue"]


def test_the_manifest_names_what_exists_and_no_network() -> None:
    manifest = ET.parse(ROOT / "app" / "src" / "main" / "AndroidManifest.xml").getroot()
    asked = [node.get(f"{ANDROID}name") for node in manifest.iter("uses-permission")]
    assert asked == ["android.permission.CAMERA"]
    declared = "\n".join(kotlin("app").values())
    for kind in ("application", "activity", "provider"):
        for node in manifest.iter(kind):
            name = str(node.get(f"{ANDROID}name"))
            assert re.search(rf"^class {name.rpartition('.')[2]}\b", declared, re.M), name
    application = manifest.find("application")
    assert application is not None
    assert application.get(f"{ANDROID}allowBackup") == "false"
    exported = [n.get(f"{ANDROID}name") for n in manifest.iter() if n.get(f"{ANDROID}exported") == "true"]
    assert exported == ["io.edgesr.booth.HomeActivity"]


def test_every_resource_is_there_and_used() -> None:
    res = ROOT / "app" / "src" / "main" / "res"
    texts = "\n".join([*kotlin("app").values(), *(p.read_text() for p in res.rglob("*.xml"))])
    texts += (ROOT / "app" / "src" / "main" / "AndroidManifest.xml").read_text()
    strings = ET.parse(res / "values" / "strings.xml").getroot()
    names = {str(node.get("name")) for node in strings}
    used = set(re.findall(r"R\.(?:string|plurals)\.(\w+)|@string/(\w+)", texts))
    assert {a or b for a, b in used} == names
    for kind in ("drawable", "mipmap", "xml"):
        there = {p.stem for p in res.glob(f"{kind}*/*")}
        assert there == {a or b for a, b in re.findall(rf"R\.{kind}\.(\w+)|@{kind}/(\w+)", texts)}, kind
    light, night = (
        {str(n.get("name")) for n in ET.parse(res / folder / "colors.xml").getroot()}
        for folder in ("values", "values-night")
    )
    assert night == light - {"icon_back"}
    # Text that a person reads stands in strings.xml.
    for path, text in kotlin("app").items():
        assert not re.search(r'(?:setText|text = |contentDescription = )\(?"[A-Za-z]{3}', text), path


def test_nothing_made_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "android_demo"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    made = [
        name
        for name in listed.stdout.split()
        if name.endswith((".jar", ".apk", ".tflite", ".aar", ".gallery", ".p12", ".pte"))
    ]
    assert not made


@pytest.fixture
def jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The program that fetches the plain build's jars, with a repository of two files and a lock of these."""
    spec = importlib.util.spec_from_file_location("android_jars", ROOT / "tools" / "pom.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "REPOSITORY", tmp_path / "m2")
    lines = []
    for name in ("a/b/1/b-1.jar", "a/b/1/b-1.pom"):
        path = tmp_path / "m2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")
    monkeypatch.setattr(program, "LOCK", tmp_path / "maven.lock")
    program.LOCK.write_text("# what for\n" + "".join(lines))
    return program


def test_the_lock_is_of_the_versions_that_are_fetched() -> None:
    lines = [line for line in (ROOT / "tools" / "maven.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w./+-]+\.(jar|aar|pom)", line) for line in lines)
    names = {line.split()[1] for line in lines}
    versions = catalog()["versions"]
    for path in (
        f"org/jetbrains/kotlin/kotlin-compiler-embeddable/{versions['kotlin']}",
        f"org/tensorflow/tensorflow-lite/{versions['tensorflowLite']}",
        f"org/bytedeco/tensorflow-lite/{versions['tensorflowLiteHost']}",
        f"org/robolectric/robolectric/{versions['robolectric']}",
        f"org/robolectric/android-all/{plain_build('pom.py', 'FRAMEWORK')}",
    ):
        assert {Path(name).suffix for name in names if name.startswith(f"{path}/")} >= {".pom"}, path


def test_jars_of_the_locks_content_are_taken(jars: Any) -> None:
    jars.check()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a/b/1/b-1.jar", "another content"),
        ("a/b/1/b-1.pom", "another content"),
        ("a/c/1/c-1.jar", "unknown"),
        ("a/c/1/c-1.aar", "unknown"),
    ],
)
def test_a_jar_or_pom_of_another_content_is_refused_and_removed(name: str, says: str, jars: Any, capsys) -> None:
    path = jars.REPOSITORY / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(SystemExit) as ended:
        jars.check()
    assert ended.value.code == 1
    assert f"{name}: {says}" in capsys.readouterr().err
    assert not path.exists()
    jars.check()
