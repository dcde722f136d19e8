"""A gallery on disk is whole, its owner's alone, never lost to another process, and gone when it is removed."""

from __future__ import annotations

import dataclasses
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from galleries import entry, gallery

from edgesr.errors import GalleryError, InputOutputError, UsageError
from edgesr.gallery import edit, header
from edgesr.gallery.format import Gallery, encode_gallery, locked, read_gallery, write_gallery
from edgesr.gallery.header import MOST_ENTRIES, MOST_VECTOR, Header, Label, bytes_of, most_entries
from edgesr.gallery.storage import erase
from edgesr.models.interface import FeatureMap

OLD, NEW = gallery(1, 2), gallery(*range(10, 40))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A gallery of three entries."""
    file = tmp_path / "me.gallery"
    write_gallery(file, gallery(1, 2, 3))
    return file


def in_a_child(work: Callable[[], object]) -> int:
    """The pid of a forked process that does the work and ends; with 1 if it fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def wait(pid: int) -> int:
    """Exit code of a child; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def stored(made: Gallery) -> bytes:
    """The first entry's features."""
    held = made.entries[0].features[0]
    assert held is not None
    return held[0].tobytes()


def beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir() if other != path)


# For its owner alone


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "me.gallery"
    before = os.umask(0)
    try:
        write_gallery(path, gallery(1))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        write_gallery(path, gallery(2))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_it_was_never_readable_while_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.extend(p.stat().st_mode & 0o777 for p in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_gallery(tmp_path / "me.gallery", gallery(1))
    assert seen
    assert set(seen) == {0o600}


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link.gallery")
    link.symlink_to(path)
    write_gallery(link, gallery(7))
    assert link.is_symlink()
    assert len(read_gallery(path)) == 1


# Killed


def test_a_kill_at_a_random_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "me.gallery"
    contents = [b"".join(encode_gallery(one)) for one in (OLD, NEW)]
    write_gallery(path, OLD)

    def work() -> None:
        while True:
            write_gallery(path, NEW, erase_old=True)
            write_gallery(path, OLD, erase_old=True)

    random = np.random.default_rng(0)
    for _ in range(40):
        pid = in_a_child(work)
        time.sleep(random.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        assert wait(pid) == -signal.SIGKILL
        assert path.read_bytes() in contents
    write_gallery(path, OLD)
    assert beside(path) == []


def test_what_fails_leaves_the_old_and_nothing_beside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputOutputError, match="No space left"):
        write_gallery(path, gallery(5))
    assert path.read_bytes() == before
    assert beside(path) == []


# Several at once


def test_processes_that_add_at_once_lose_nothing(path: Path) -> None:
    def adds(start: int) -> Callable[[], object]:
        return lambda: [edit.add(path, [entry(start + i)]) for i in range(8)]

    children = [in_a_child(adds(start)) for start in (100, 200, 300)]
    assert [wait(pid) for pid in children] == [0, 0, 0]
    expected = {entry(seed).photo_sha256 for seed in (1, 2, 3, *(100 * n + i for n in (1, 2, 3) for i in range(8)))}
    assert {one.photo_sha256 for one in read_gallery(path).entries} == expected
    assert beside(path) == []


def test_the_lock_holds_off_other_threads_and_may_be_nested(path: Path) -> None:
    order: list[str] = []

    def other() -> None:
        with locked(path):
            order.append("other")

    with locked(path), locked(path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
    assert beside(path) == []


def test_the_lock_of_a_killed_process_holds_nobody(path: Path) -> None:
    def work() -> None:
        with locked(path):
            os.kill(os.getpid(), signal.SIGKILL)

    assert wait(in_a_child(work)) == -signal.SIGKILL
    edit.add(path, [entry(9)])
    assert len(read_gallery(path)) == 4
    assert beside(path) == []


def test_readers_never_see_a_half_erased_file(path: Path) -> None:
    def work() -> None:
        for _ in range(150):
            write_gallery(path, NEW, erase_old=True)
            write_gallery(path, OLD, erase_old=True)

    write_gallery(path, OLD)
    first = {stored(one) for one in (OLD, NEW)}
    pid = in_a_child(work)
    reads = 0
    while not os.waitpid(pid, os.WNOHANG)[0]:
        assert stored(read_gallery(path)) in first
        reads += 1
    assert reads > 3


# Added, found, removed


def test_adding_what_is_there_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    stored, new = edit.add(path, [entry(2)])
    assert (len(stored), new) == (3, [])
    assert path.read_bytes() == before


def test_a_gallery_has_an_end(path: Path) -> None:
    one = entry(1)
    many = [type(one)(**{**vars(one), "photo_sha256": f"{i:064x}"}) for i in range(MOST_ENTRIES)]
    with pytest.raises(GalleryError, match="more than"):
        edit.add(path, many)


def test_it_ends_where_its_features_fill_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = read_gallery(path).sections[0]
    an_entry = sum(bytes_of(*tensor) for tensor in section.tensors.values()) + 2 * bytes_of("F32", (MOST_VECTOR,))
    monkeypatch.setattr(header, "MOST_DATA", 3 * an_entry)
    assert most_entries([section]) == 3
    with pytest.raises(GalleryError, match="more than 3 entries"):
        edit.add(path, [entry(4)])
    assert edit.add(path, [entry(2)])[1] == [], "what is there needs no room"


def test_a_gallery_of_large_features_ends_earlier() -> None:
    """So that what is kept of many photos can be written: those of the networks for photos fill the file."""
    section = gallery(1).sections[0]
    sections = [
        dataclasses.replace(
            section, lr_size=size, maps=(FeatureMap("features", 128, size, (("f_ref", 128),)),), dtype="fp16"
        )
        for size in (16, 32, 64)
    ]
    assert most_entries(sections[:1]) == MOST_ENTRIES
    most = most_entries(sections)
    assert 300 < most < MOST_ENTRIES
    labels = tuple(Label(f"{i:064x}", {}, {}) for i in range(most))
    rows = (tuple(range(most)),) * len(sections)
    Header(tuple(sections), rows, "an embedder", labels, MOST_VECTOR, MOST_VECTOR).encode()


def test_an_entry_is_found_by_what_a_user_calls_it(tmp_path: Path) -> None:
    made = gallery(1, 2, 3, names=True)
    photo = tmp_path / "any name.jpg"
    photo.write_bytes(b"2")  # whose hash is that of entry 2
    sha256 = made.entries[1].photo_sha256
    for which in ("2", sha256, sha256[:6], "photo 2.jpg", str(photo)):
        assert edit.find(made, which) == 1, which


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("0", "no entry 0"),
        ("4", "no entry 4"),
        ("nobody.jpg", "of no entry"),
        ("ffffff", "of no entry"),
        ("../..", "of no entry"),
        ("", "of no entry"),
    ],
)
def test_what_names_no_entry_is_refused(path: Path, which: str, message: str) -> None:
    before = path.read_bytes()
    with pytest.raises(UsageError, match=message):
        edit.remove(path, ["1", which])
    assert path.read_bytes() == before


def test_a_removed_entry_leaves_nothing_in_the_file(path: Path) -> None:
    write_gallery(path, gallery(1, 2, 3, names=True, embedded=True))
    before = read_gallery(path)
    gone, old = before.entries[1], os.open(path, os.O_RDONLY)
    try:
        left, removed = edit.remove(path, ["2"])
        # Whoever still holds the old file open finds it empty: its bytes were overwritten, then cut off.
        assert os.fstat(old).st_size == 0
    finally:
        os.close(old)
    assert [i for i, _ in removed] == [1]
    content = path.read_bytes()
    assert gone.embedding is not None
    assert gone.features[0] is not None
    for what in (gone.features[0][0], gone.descriptor, gone.embedding):
        data = np.asarray(what).tobytes()
        assert all(data[at : at + 8] not in content for at in range(0, len(data) - 8, 4))
    for text in (gone.photo_sha256, gone.name):
        assert str(text).encode() not in content
    assert content == b"".join(encode_gallery(gallery(1, 3, names=True, embedded=True)))
    assert [one.photo_sha256 for one in left.entries] == [before.entries[i].photo_sha256 for i in (0, 2)]


def test_the_last_entry_can_be_removed_and_the_next_added(path: Path) -> None:
    edit.remove(path, ["1", "2", "3", "1"])
    assert len(read_gallery(path)) == 0
    edit.add(path, [entry(5)])
    assert len(read_gallery(path)) == 1


# Wiped


def test_a_wiped_gallery_is_overwritten_before_it_is_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[int, bytes]] = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            written.append((os.fstat(descriptor).st_size, os.pread(descriptor, 1 << 20, 0)))
        fsync(descriptor)

    size = path.stat().st_size
    monkeypatch.setattr(os, "fsync", look)
    assert erase(path) == size
    assert written == [(size, bytes(size))]
    assert list(path.parent.iterdir()) == []


def test_wiping_takes_what_a_killed_writer_left(path: Path) -> None:
    (path.parent / ".me.gallery.partial").write_bytes(path.read_bytes())
    erase(path)
    assert list(path.parent.iterdir()) == []
    (path.parent / ".me.gallery.partial").write_bytes(b"features")
    erase(path)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(InputOutputError, match="no file"):
        erase(path)


def test_somebodys_hard_link_is_left_alone(path: Path) -> None:
    copy = path.with_name("copy.gallery")
    copy.hardlink_to(path)
    edit.remove(path, ["2"])
    assert len(read_gallery(copy)) == 3
    copy2 = path.with_name("copy2.gallery")
    copy2.hardlink_to(path)
    erase(path)
    assert len(read_gallery(copy2)) == 2


def test_erasing_a_folder_is_refused_and_leaves_it_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a")
    with pytest.raises(InputOutputError, match="is no file"):
        erase(folder)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.jpg", "photos"]
