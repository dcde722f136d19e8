"""What the photo booths' tools keep: one network's work is never taken for another's."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
X4, X8 = (REPOSITORY / "edgesr" / "checkpoints" / f"hime-small-{scale}-photo-int8" for scale in ("x4", "x8"))


@pytest.fixture
def kept_work() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kept_work", REPOSITORY / "tools" / "kept_work.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def converted(kept_work: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was converted so far: a converter's stand-in writes the checkpoint's name where the bundle would be."""
    names: list[str] = []

    def run(command: list[Any], **_: Any) -> None:
        named, output = (command[command.index(option) + 1] for option in ("--checkpoint", "--output"))
        output.mkdir(exist_ok=True)
        (output / "name").write_text(str(named))
        names.append(str(named))
        if failures:
            raise failures.pop()

    failures: list[BaseException] = []
    monkeypatch.setattr(kept_work.subprocess, "run", run)
    monkeypatch.setattr(kept_work, "failures", failures, raising=False)
    return names


def test_a_network_is_a_shipped_name_or_a_folder(kept_work: ModuleType, tmp_path: Path) -> None:
    assert kept_work.forms(kept_work.NETWORK) == {"float": X4.with_name("hime-small-x4-photo"), "int8": X4}
    assert kept_work.forms("hime-small-x8-photo")["int8"] == X8
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert kept_work.forms(str(folder)) == {"float": folder}
    (tmp_path / "mine-int8").mkdir()
    assert kept_work.forms(str(folder)) == {"float": folder, "int8": tmp_path / "mine-int8"}
    with pytest.raises(SystemExit, match="no checkpoint 'nobodys'"):
        kept_work.forms("nobodys")


def test_from_one_network_to_another_and_back(kept_work: ModuleType, converted: list[str], tmp_path: Path) -> None:
    def bundle(checkpoint: Path) -> str:
        return (kept_work.bundle(tmp_path, "tflite", "int8", checkpoint, ("tools",)) / "name").read_text()

    for checkpoint in (X4, X4, X8, X8, X4):
        assert bundle(checkpoint) == checkpoint.name
    assert converted == [X4.name, X8.name, X4.name]
    kept_work.failures.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):  # when the other's bundle lies there already
        bundle(X8)
    assert bundle(X4) == X4.name
    kept_work.forget(tmp_path, "int8", "int8")
    assert list(tmp_path.iterdir()) == []
    assert bundle(X4) == X4.name
    mine = tmp_path / "mine-int8"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    assert bundle(mine) == str(mine)


def test_an_int8_twin_that_departs_is_spared_but_for_the_shipped_booths(
    kept_work: ModuleType, converted: list[str], tmp_path: Path
) -> None:
    def spared(checkpoint: Path) -> Path | None:
        return kept_work.spared(tmp_path, "coreml", "int8", checkpoint, ("tools",))

    kept_work.failures.append(subprocess.CalledProcessError(1, "convert"))
    assert spared(X8) is None
    assert spared(X8) is None
    assert converted == [X8.name]  # what was refused is not tried again
    kept_work.failures.append(subprocess.CalledProcessError(1, "convert"))
    with pytest.raises(subprocess.CalledProcessError):
        spared(X4)
    kept_work.failures.append(subprocess.CalledProcessError(3, "convert"))
    (tmp_path / "bundle-int8.refused").unlink()
    with pytest.raises(subprocess.CalledProcessError):  # a missing converter is no verdict
        spared(X8)
    assert spared(X8) == tmp_path / "bundle-int8"


def test_of_a_form_that_a_network_has_not_nothing_of_another_stays(
    kept_work: ModuleType, converted: list[str], tmp_path: Path
) -> None:
    def form(checkpoint: Path | None) -> Path | None:
        return kept_work.form(tmp_path, "tflite", "int8", "int8", checkpoint, ("tools",))

    assert form(X4) == tmp_path / "bundle-int8"
    assert form(None) is None
    assert list(tmp_path.iterdir()) == []
    assert form(X8) == tmp_path / "bundle-int8"
    assert converted == [X4.name, X8.name]


def test_files_elsewhere_count_by_their_paths(kept_work: ModuleType, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    one, other = (kept_work.digest(tmp_path / name) for name in ("one", "other"))
    assert one != other
    assert one == kept_work.digest(tmp_path / "one")
