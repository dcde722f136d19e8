"""Outputs are complete or absent, whoever else writes there, whatever their names, and whoever is killed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgesr.errors import InputOutputError
from edgesr.files import exchange, leftovers
from edgesr.files.atomic import cannot_write, file_aside, folder_aside, refuse_unwritable
from edgesr.files.claims import claimed

LONG = "n" * 246 + ".png"
WRITE = (
    "from pathlib import Path; out = Path('out')\n"
    "from edgesr.files.atomic import *; from edgesr.files.claims import *\n"
)


@pytest.fixture(autouse=True)
def swept_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    leftovers._swept.clear()


@contextlib.contextmanager
def in_another(code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``code`` after WRITE and has said so much as a line; it is killed at the end."""
    child = subprocess.Popen([sys.executable, "-c", WRITE + code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        yield child
    finally:
        child.kill()
        child.wait()


def write_file(output: Path, text: str = "new") -> None:
    with file_aside(output) as aside:
        aside.write_text(text)


def write_folder(output: Path, text: str = "new") -> None:
    with folder_aside(output) as aside:
        (aside / "inner").mkdir()
        (aside / "inner" / "file").write_text(text)


def content(output: Path) -> str:
    return (output / "inner" / "file" if output.is_dir() else output).read_text()


WRITERS = pytest.mark.parametrize("write", [write_file, write_folder])


@WRITERS
@pytest.mark.parametrize(
    "name", ["out", LONG, "-dash", " space ", "é" * 120, os.fsdecode(b"caf\xe9.jpg"), "a\nb.\x1bc"]
)
def test_any_name_is_written_and_replaced(write, name: str) -> None:
    for text in ("old", "new"):
        write(Path("deep/er") / name, text)
        assert content(Path("deep/er") / name) == text
    assert [path.name for path in Path("deep/er").iterdir()] == [name], "nothing is left aside"


@WRITERS
def test_what_fails_leaves_what_stood_there_and_no_folder_made_for_it(write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("out"), "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
    for output in (Path("out"), Path("new/er")):
        with pytest.raises(KeyboardInterrupt):
            write(output)
    assert content(Path("out")) == "old"
    assert [path.name for path in Path().iterdir()] == ["out"]


def test_without_exchange_a_failed_folder_brings_the_old_back(monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(Path("out"), "old")
    monkeypatch.setattr(exchange, "exchange", lambda *_: False)
    rename = Path.rename

    def fails_for_the_new(self: Path, to: Path) -> Path:
        if self.name.endswith("-new"):
            raise KeyboardInterrupt
        return rename(self, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fails_for_the_new)
        with pytest.raises(KeyboardInterrupt):
            write_folder(Path("out"))
    assert content(Path("out")) == "old"
    write_folder(Path("out"))
    assert content(Path("out")) == "new"
    assert [path.name for path in Path().iterdir()] == ["out"]


@WRITERS
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "link to a fifo"])
def test_what_is_no_file_is_refused_and_stays(write, kind: str) -> None:
    output = Path("out")
    if kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("out")
    elif kind == "device":
        output = Path("/dev/full")
    else:
        os.mkfifo("out" if kind == "fifo" else "pipe")
        if kind != "fifo":
            output.symlink_to("pipe")
    before = output.lstat()
    with pytest.raises(InputOutputError, match=r"it is a (pipe|device)"):
        write(output)
    assert output.lstat() == before


def test_a_folder_is_no_file_and_a_file_no_folder() -> None:
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(InputOutputError, match="it is a folder"):
        write_file(Path("folder"))
    with pytest.raises(InputOutputError, match="is no folder"):
        write_folder(Path("file"))
    with pytest.raises(InputOutputError, match="cannot write"):
        write_file(Path("file/below"))


def test_links_planted_where_we_write_are_not_followed() -> None:
    """Names are taken, not shared: whatever lies there already is left alone."""
    Path("victim").write_text("mine")
    taken = leftovers.name_aside(Path("out"), leftovers.NEW)
    head, number, role = taken.name.rsplit("-", 2)
    Path(f"{head}-{int(number) + 1}-{role}").symlink_to("victim")
    with pytest.raises(InputOutputError, match="cannot write out"):
        write_file(Path("out"))
    write_file(Path("out"))
    assert (Path("victim").read_text(), Path("out").read_text()) == ("mine", "new")


def test_permissions_are_those_of_any_new_file_or_of_the_one_before() -> None:
    Path("any").touch()
    write_file(Path("new"))
    write_folder(Path("folder"))
    modes = [stat.S_IMODE(Path(name).stat().st_mode) for name in ("any", "new", "folder/inner/file")]
    assert len(set(modes)) == 1
    Path("new").chmod(0o600)
    write_file(Path("new"))
    assert stat.S_IMODE(Path("new").stat().st_mode) == 0o600


@WRITERS
def test_of_two_writers_every_read_is_whole(write) -> None:
    """Both write; a reader never finds anything between."""
    texts = ["a" * 100_000, "b" * 70_000]
    write(Path("out"), texts[0])
    stop = threading.Event()

    def keep_writing(text: str) -> None:
        while not stop.is_set():
            write(Path("out"), text)

    threads = [threading.Thread(target=keep_writing, args=(text,)) for text in texts]
    for thread in threads if write is write_file else threads[:1]:
        thread.start()
    reads = []
    for _ in range(200):
        with contextlib.suppress(FileNotFoundError):  # of a folder: its inner file went while its name was looked up
            reads.append(content(Path("out")))
    stop.set()
    for thread in threads:
        if thread.ident:
            thread.join()
    assert len(reads) > 100
    assert set(reads) <= set(texts)


@WRITERS
def test_the_next_run_sweeps_what_the_killed_left_and_nothing_else(write) -> None:
    others = [".edgesr-enhance.jsonl", ".edgesr-notes", "out.partial"]
    for name in others:
        Path(name).touch()
    aside = "file_aside" if write is write_file else "folder_aside"
    hold = f"with {aside}(out) as aside: print('there', flush=True); __import__('time').sleep(60)"
    with in_another(hold):
        write(Path("out"))
        assert len(list(Path().iterdir())) == len(others) + 2, "of one who lives"
    leftovers._swept.clear()
    write(Path("out"))
    assert sorted(path.name for path in Path().iterdir()) == sorted([*others, "out"])


def test_the_old_folder_of_a_half_done_replacement_is_brought_back() -> None:
    """Where a file system knows no exchange and its writer was killed between the two renames."""
    write_folder(Path("out"), "old")
    killed = """
from edgesr.files import atomic
atomic.exchange.exchange = lambda *_: False
rename = Path.rename
def kill(self, to):
    if self.name.endswith('-new'): __import__('os').kill(__import__('os').getpid(), 9)
    return rename(self, to)
Path.rename = kill
with folder_aside(out) as aside: (aside / 'half').touch()
"""
    code = subprocess.run([sys.executable, "-c", WRITE + killed], check=False).returncode
    assert (code, Path("out").exists()) == (-signal.SIGKILL, False)
    leftovers._swept.clear()
    write_file(Path("other"))
    leftovers.recover(Path("out"))
    assert content(Path("out")) == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["other", "out"]


def test_another_machines_leftover_is_swept_after_a_day() -> None:
    mine = leftovers.name_aside(Path("out"), leftovers.NEW)
    parts = mine.name.split("-")
    foreign = Path("-".join([*parts[:2], "0" * 6, *parts[3:]]))
    foreign.touch()
    write_file(Path("out"))
    assert foreign.exists()
    os.utime(foreign, (0, 0))
    leftovers._swept.clear()
    write_file(Path("out"))
    assert not foreign.exists()


def test_a_folder_that_is_not_ours_is_refused_before_any_work() -> None:
    mine = os.geteuid()
    refuse_unwritable(Path("sharp/new"))
    if not mine:  # root may write anywhere
        os.seteuid(65534)
    try:
        with pytest.raises(InputOutputError, match=r"cannot write /edgesr-nowhere/sharp: .*check its permissions"):
            refuse_unwritable(Path("/edgesr-nowhere/sharp"))
    finally:
        os.seteuid(mine)


@pytest.mark.parametrize(("code", "hint"), [("EROFS", "choose a place"), ("EACCES", "permissions"), ("ENOSPC", "free")])
def test_what_to_try_depends_on_why_nothing_can_be_written(code: str, hint: str) -> None:
    number = getattr(errno, code)
    assert hint in cannot_write(Path("a.png"), OSError(number, os.strerror(number))).hint


def test_who_comes_second_is_told_who_is_at_it() -> None:
    hold = "with claimed(out): print('there', flush=True); __import__('time').sleep(60)"
    with in_another(hold) as other:
        with (
            pytest.raises(InputOutputError, match=rf"out is being made by process {other.pid} \(-c\)"),
            claimed(Path("out")),
        ):
            pass
        with claimed(Path("elsewhere")):
            pass
    assert [path.name for path in Path().iterdir()] == [next(Path().glob(".edgesr-*.claim")).name], "of the killed one"
    with claimed(Path("deep/other")), claimed(Path("deep/other")):
        pass
    with claimed(Path("elsewhere")):
        pass
    assert list(Path().iterdir()) == []


def test_one_waits_for_the_other_and_threads_are_others_too() -> None:
    order: list[str] = []

    def second() -> None:
        with contextlib.suppress(InputOutputError), claimed(Path("out")):
            order.append("not refused")
        with claimed(Path("out"), wait=True):
            order.append("second")

    with claimed(Path("out")):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder in which nobody can make a file")
def test_who_waits_where_nothing_can_be_made_is_told_so() -> None:
    with pytest.raises(InputOutputError, match=r"cannot write /proc/out"), claimed(Path("/proc/out"), wait=True):
        pass


def test_a_work_folder_is_gone_afterwards_and_those_of_the_killed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hold = f"""
import tempfile; tempfile.tempdir = {json.dumps(str(tmp_path))}
from edgesr.files.leftovers import work_folder
with work_folder('x') as folder: (folder / 'big').touch(); print('there', flush=True); __import__('time').sleep(60)
"""
    with in_another(hold):
        assert len(list(tmp_path.iterdir())) == 1
    with leftovers.work_folder("y") as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []
