"""Packing the booths' libraries: what is there gives way to what is whole, or stays, and a sentence says why."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from edgesr.errors import EXIT_IO, EXIT_OK
from edgesr.release import __version__

REPOSITORY = Path(__file__).parent.parent
BOOTHS = ("android", "ios", "web")

pytestmark = pytest.mark.skipif(not (REPOSITORY / "web_demo").is_dir(), reason="no checkout")

Pack = Callable[[Path], int]


def program(booth: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    tools = REPOSITORY / f"{booth}_demo" / "tools"
    monkeypatch.syspath_prepend(str(tools))
    spec = importlib.util.spec_from_file_location(f"{booth}_library", tools / "library.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=BOOTHS)
def pack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pack]:
    """Calls a booth's program; in place of what Kotlin's compiler and npm make, there is a file of one word."""
    before = set(sys.modules)
    library = program(request.param, monkeypatch)

    def packed(folder: Path) -> int:
        monkeypatch.setattr(sys, "argv", ["library.py", str(folder)])
        if request.param == "android":
            monkeypatch.setattr(library, "OUTPUT", folder)
            monkeypatch.setattr(library, "REPOSITORY", tmp_path)
            library.main()
            return EXIT_OK
        code: int = library.main(folder) if request.param == "web" else library.main()
        return code

    if request.param == "android":
        made = tmp_path / "work" / "classes" / "core" / "Gallery.class"
        made.parent.mkdir(parents=True)
        made.write_bytes(b"class")
        nothing = dict.fromkeys(("modules", "compile_noted"), lambda *_: None)
        compiler = SimpleNamespace(versions={"kotlin": "2", "tensorflowLite": "2", "minSdk": "26"}, **nothing)
        monkeypatch.setattr(library, "WORK", tmp_path / "work")
        monkeypatch.setattr(library, "Compiler", lambda: compiler)
    if request.param == "web":

        def run(command: list[str], *_: object) -> None:
            if "pack" in command:
                (Path(command[-1]) / f"edgesr-web-{__version__}.tgz").write_bytes(b"package")

        monkeypatch.setattr(library.build, "prepared", lambda: (["npm"], {}))
        monkeypatch.setattr(library.build, "run", run)
        monkeypatch.setattr(library, "complete", lambda *_: None)
    yield packed
    for name in set(sys.modules) - before:
        if "_demo/tools" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_library_is_packed_again_over_what_is_there(pack: Pack, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert pack(out) == EXIT_OK
    first = files(out)
    assert first
    assert pack(out) == EXIT_OK
    assert files(out) == first, "and nothing beside it"


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(
    pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    try:
        code = pack(tmp_path / "file" / "out")
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    assert code == EXIT_IO
    said = capsys.readouterr().err
    assert "cannot write" in said
    assert "\n  try: " in said
    assert (tmp_path / "file").read_text() == "mine"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".edgesr-")]
