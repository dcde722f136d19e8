"""The iOS booth as far as it can be checked without Swift: the package's folders, the sources, how the check counts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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
