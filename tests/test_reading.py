"""Files that others made: nested without end, cut short, pipes. Every reader answers, and none waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from edgesr.ablations.budget import FILE as BUDGET
from edgesr.ablations.budget import read_budget
from edgesr.ablations.definitions import load_row
from edgesr.ablations.tables import load_table
from edgesr.benchmarking.device_results import read_device_results
from edgesr.bundle import open_bundle
from edgesr.cli.printable import one_line, printable
from edgesr.data.crops import CropFolder
from edgesr.data.faces import read_eval_list
from edgesr.errors import EdgesrError, InputOutputError
from edgesr.files import places
from edgesr.files.reading import read_table, read_text
from edgesr.gallery.format import read_gallery
from edgesr.images.imaging import read_image
from edgesr.models import load_checkpoint
from edgesr.models.hime.config import HIMEConfig
from edgesr.quantize.recipe import read_recipe
from edgesr.report.layers import read_sensitivity
from edgesr.report.report import read_report
from edgesr.training.config import TrainConfig
from edgesr.training.setup import network_config


def in_folder(name: str, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A reader of a folder that holds the file under ``name``."""

    def called(path: Path) -> Any:
        folder = path.with_name("folder")
        folder.mkdir()
        path.rename(folder / name)
        return read(folder)

    return called


def budget(folder: Path) -> Any:
    row = load_row(load_table("rfa").entries[0].row, HIMEConfig(), TrainConfig())
    return read_budget(folder, row, 1.0)


READERS: dict[str, Callable[[Path], Any]] = {
    "photo": read_image,
    "gallery": read_gallery,
    "network.json": lambda path: network_config(str(path)),
    "recipe.json": read_recipe,
    "recipe.toml": read_recipe,
    "device.json": read_device_results,
    "sensitivity.json": read_sensitivity,
    "report.json": read_report,
    "list.csv": lambda path: read_eval_list(path.parent, "test", 128, path),
    "manifest.csv": in_folder("manifest.csv", lambda folder: CropFolder(folder, 128)),
    "manifest.json": in_folder("manifest.json", open_bundle),
    "config.json": in_folder("config.json", load_checkpoint),
    "budget.json": in_folder(BUDGET, budget),
}
DEEP = b"[" * 200_000
CONTENTS = {
    "deep": DEEP,
    "deep object": b'{"a":' * 100_000,
    "deep table": b"a = " + DEEP,
    "empty": b"",
    "zeros": bytes(1000),
    "no UTF-8": b"split,target,ref1\n\xe9\xff",
    "short row": b"split,target,ref1\ntest,a.png\n",
    "one field": b"split,target,ref1\ntest\n",
    "long row": b"split,target,ref1\ntest,a.png,b.png,c.png\n",
    "open quote": b'split,target,ref1\n"test' + b"x" * 200_000,
    "a number": b"1" * 5000,
    "null": b"null",
    "marked": "\ufeff{}".encode(),
    "a list": b"[1, 2]",
    "wrong kinds": b'{"format": {}, "model": 3, "rules": 1, "rule": {}, "layers": [[]], "sensitivity": [null]}',
}

MEANT = {("network.json", "marked"), ("recipe.json", "marked"), ("recipe.toml", "empty")}
"""Everything by default."""


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_answers_whatever_it_reads(reader: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / reader
    path.write_bytes(CONTENTS[content])
    if (reader, content) in MEANT:
        READERS[reader](path)
        return
    with pytest.raises(EdgesrError) as refused:
        READERS[reader](path)
    assert refused.value.exit_code in (2, 5)


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_at_a_pipe(reader: str, tmp_path: Path) -> None:
    path = tmp_path / reader
    os.mkfifo(path)
    with pytest.raises(EdgesrError):
        READERS[reader](path)


def test_rows_may_leave_out_what_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffa,b,c\r\n1,2\r\n\r\n3,4,5,\r\n".encode())
    assert read_table(path, columns=("a",)) == [{"a": "1", "b": "2", "c": ""}, {"a": "3", "b": "4", "c": "5"}]
    with pytest.raises(InputOutputError, match=r"line 2 .* has 2 fields, its header 3"):
        read_table(path, columns=("c",))
    with pytest.raises(InputOutputError, match="more than 0 MiB"):
        read_text(path, most=5)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Jürgen 李 👩\u200d👧", "plain Jürgen 李 👩\u200d👧"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\rb\x08\x7f\x9b31m", "a\\x0db\\x08\\x7f\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("two\nlines\tand", "two\nlines\tand"),
    ],
)
def test_text_from_files_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert one_line(text) == shown.replace("\n", "\\n").replace("\t", "\\t")


@pytest.mark.parametrize("closed", ["0", "1", "2", "12", "012"])
def test_closed_streams_are_not_taken_by_the_next_file(closed: str, tmp_path: Path) -> None:
    script = (
        "import os, sys; from edgesr.cli import output; output.claim_stdout();"
        "file = os.open('out', os.O_CREAT | os.O_WRONLY); assert file > 2, file;"
        "output.say('said'); output.write('data'); os.write(2, b'native'); sys.stdin.read(); sys.exit(7)"
    )
    shut = " ".join(f"{number}<&-" if number == "0" else f"{number}>&-" for number in closed)
    command = f'exec "$0" -c "$1" {shut}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done
    assert done.stdout == ("" if "1" in closed else "data\n")
    assert (tmp_path / "out").read_bytes() == b""


def test_the_cache_lies_where_the_system_has_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert places.cache_folder() == tmp_path / ".cache" / "edgesr"
    for system, folder in ((MacOS, tmp_path / "Library" / "Caches" / "edgesr"), (Unix, tmp_path / ".cache" / "edgesr")):
        monkeypatch.setattr(platformdirs, "PlatformDirs", system)
        assert places.cache_folder() == folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert places.cache_folder() == tmp_path / "other" / "edgesr"


def test_without_a_home_the_cache_is_this_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = places.cache_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert not places.cache_folder().is_relative_to(tmp_path), "somebody else may write there"
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert not places.cache_folder().is_relative_to(tmp_path)
