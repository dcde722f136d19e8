"""The iOS booth as far as it can be checked without Swift: the package's folders, the sources, how the check counts."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "ios_demo"
TOOLS = ROOT / "tools"
MOST_LINES = 400

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no checkout")
sys.path.insert(0, str(TOOLS))


def sources(*folders: str) -> dict[Path, str]:
    found = {path: path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.swift"))}
    assert found
    return found


def code(source: str) -> str:
    """Without comments and texts."""
    return re.sub(r"//.*|\"(?:\\.|[^\"\\\n])*\"", '""', source)


def test_every_target_of_the_package_has_its_folder() -> None:
    package = (ROOT / "Package.swift").read_text()
    targets = re.findall(r"\.(target|testTarget)\(\s*name: \"(\w+)\"([^\n]*(?:\n(?!\s*\.).*)*)", package)
    assert len(targets) >= 9
    for kind, name, rest in targets:
        given = re.search(r"path: \"([^\"]+)\"", rest)
        folder = ROOT / (given[1] if given else f"{'Tests' if kind == 'testTarget' else 'Sources'}/{name}")
        assert list(folder.rglob("*.swift")), f"{name} has no sources in {folder}"


def test_the_core_knows_no_framework_of_apple() -> None:
    for path, source in sources("Sources/BoothCore").items():
        imports = set(re.findall(r"^\s*(?:@\w+ )?import (\w+)", source, re.M))
        assert imports <= {"Foundation", "Darwin", "Glibc"}, path


def test_nothing_is_forced_that_can_fail() -> None:
    for path, source in sources("Sources", "App").items():
        found = re.findall(r"[\w)\]]!(?![=\w])|\btry!|\bas!|\bfatalError\(|\bprecondition\(", code(source))
        assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_files_are_short() -> None:
    for path, source in sources("Sources", "App", "Tests", "host").items():
        assert len(source.splitlines()) <= MOST_LINES, path


def test_where_swift_cannot_be_had_one_line_says_so(tmp_path: Path) -> None:
    """Nobody but root can install what is missing."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    (tmp_path / "id").write_text("#!/usr/bin/bash\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    environment = {"PATH": str(tmp_path), "SWIFT_HERE_CACHE": str(tmp_path / "cache"), "HOME": os.environ["HOME"]}
    done = subprocess.run(
        ["/usr/bin/bash", TOOLS / "swift-here", "swift", "--version"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "swift: apt-get install mmdebstrap bubblewrap\n"


RUN = """◇ Test run started.
◇ Test thereAreFiles() started.
✔ Test thereAreFiles() passed after 0.001 seconds.
✔ Test cropsOfPhotos(_:) passed after 0.1 seconds.
✔ Suite GalleryTests passed after 0.2 seconds.
"""


@pytest.mark.parametrize(
    ("output", "returned", "expected"),
    [
        (RUN + "✔ Test run with 2 tests passed after 0.2 seconds.\n", 0, (2, 0)),
        (RUN + "✘ Test one() failed after 1 seconds with 1 issue.\n✘ Test run with 3 tests failed.\n", 1, (2, 1)),
        (RUN + "✘ Test one() skipped.\n✔ Test run with 3 tests passed after 0.2 seconds.\n", 0, (2, 1)),
        (RUN + "Fatal error: Index out of range\n", 1, (2, 1)),
        (RUN, 0, (2, 1)),
        ("", 0, (0, 1)),
    ],
)
def test_a_run_is_counted_as_it_ended(output: str, returned: int, expected: tuple[int, int]) -> None:
    import check

    assert check.counted(output, returned) == expected


EXAMPLE = ROOT / "Examples" / "RestoreFace" / "Sources" / "RestoreFace" / "RestoreFace.swift"


def test_the_page_shows_the_example_that_is_built() -> None:
    page = (ROOT.parent / "docs" / "tasks" / "swift-library.md").read_text()
    shown = re.findall(r"^```swift\n(.*?)^```$", page, re.M | re.S)
    assert shown == [EXAMPLE.read_text()]
    assert len([line for line in shown[0].splitlines() if line.strip() and not line.strip().startswith("//")]) <= 20


def test_every_name_of_the_page_is_public() -> None:
    page = (ROOT.parent / "docs" / "tasks" / "swift-library.md").read_text()
    public = "\n".join(re.findall(r"\b(?:public|case)\b.*", "\n".join(sources("Sources").values())))
    rows = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    words = set(re.findall(r"(?<=`)\.?(\w+)", rows))
    assert len(words) > 15
    assert {word for word in words if not re.search(rf"\b{word}\b", public)} == set()


def test_the_library_is_a_package_of_the_apps_own_sources(tmp_path: Path) -> None:
    from edgesr.release import __version__

    # The other booths have programs of this name too.
    spec = importlib.util.spec_from_file_location("ios_library", TOOLS / "library.py")
    assert spec is not None
    assert spec.loader is not None
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)

    archive = library.write(tmp_path)
    assert archive.name == f"EdgeSR-{__version__}.zip"
    again = library.write(tmp_path / "again")
    assert archive.read_bytes() == again.read_bytes(), "the same sources are the same bytes"
    with zipfile.ZipFile(archive) as opened:
        held = {name: opened.read(name).decode() for name in opened.namelist()}
    assert {name.split("/")[0] for name in held} == {"EdgeSR"}
    wanted = {"Package.swift", "README.md", "Resources.md", "NOTICE", "LICENSE"}
    assert wanted <= {name.removeprefix("EdgeSR/") for name in held}
    for path, text in sources("Sources").items():
        assert held[f"EdgeSR/{path.relative_to(ROOT)}"] == text
    assert not [name for name in held if "host" in name or "Tests" in name]
    texts = "\n".join(held[f"EdgeSR/{name}"] for name in wanted)
    assert "{version}" not in texts
    assert f"EdgeSR {__version__}" in texts
    ours, app = held["EdgeSR/Package.swift"], (ROOT / "Package.swift").read_text()
    assert "unsafeFlags" not in ours, "a package with them cannot be taken by its version"
    for pattern in (r"platforms: .*", r"\.library\(.*", r"swift-tools-version: .*", r"swiftLanguageModes: .*"):
        assert re.findall(pattern, ours) == re.findall(pattern, app), pattern


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("/// https://developer.apple.com/documentation/x/one\npublic struct One {\n    public let a = 1\n}\n", 0),
        ("public struct One {\n    public let a = 1\n}\n", 2),
        ("/// Not Apple's.\npublic enum One {\n    public struct Two {}\n}\n", 1),
        ("/// https://developer.apple.com/documentation/x/v\nextension View {\n    public func f() {}\n}\n", 1),
        (
            "extension View {\n    /// https://developer.apple.com/documentation/x/f\n    public func f() {}\n}\n",
            0,
        ),
        ("struct Hidden {\n    func f() {}\n}\n", 0),
        ("@MainActor public protocol One {}\n", 1),
    ],
)
def test_a_stand_in_without_its_page_is_found(tmp_path: Path, text: str, bare: int) -> None:
    import standins

    file = tmp_path / "File.swift"
    file.write_text(text)
    assert sum(one.page is None for one in standins.declarations(file)) == bare


def test_stand_ins_follow_apples_pages() -> None:
    import standins

    assert [(what, detail) for what, good, detail in standins.checks() if not good] == []


def test_a_build_without_models_ends_with_a_sentence_that_names_the_command(tmp_path: Path) -> None:
    import project

    objects = project.parse_project(project.PROJECT.read_text())["objects"]
    (phase,) = [one for one in objects.values() if one["isa"] == "PBXShellScriptBuildPhase"]

    def build() -> subprocess.CompletedProcess[str]:
        environment = {"SRCROOT": str(tmp_path), "PATH": os.environ["PATH"]}
        command = ["/bin/sh", "-c", phase["shellScript"]]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)

    detector, *networks = [tmp_path / "App" / path for path in sorted(project.models_made())]
    for there in ([], [detector], networks[:1], networks):
        for file in (detector, *networks):
            shutil.rmtree(file.parent, ignore_errors=True)
        for file in there:
            file.parent.mkdir(parents=True)
            file.write_text("{}")
        missing = build()
        assert missing.returncode != 0
        assert missing.stdout.startswith("error: ")
        assert "make ios-assets" in missing.stdout
    detector.parent.mkdir()
    detector.write_text("{}")
    assert build().returncode == 0
    for one in networks:  # either of the two is enough
        for other in networks:
            shutil.rmtree(other.parent, ignore_errors=True)
        one.parent.mkdir()
        one.write_text("{}")
        assert build().returncode == 0
