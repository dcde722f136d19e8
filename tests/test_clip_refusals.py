"""``edgesr enhance`` of clips: what is not whole is refused, and an interrupted one leaves the earlier file."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from clips import in_every_container, make_clip, sound_packets
from conftest import Call
from scenes import Place
from whole_photos import KnownFaces, face_at

from edgesr.cli.main import run
from edgesr.faces import detection
from edgesr.faces.face import Face
from edgesr.images.imaging import Pixels


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> KnownFaces:
    """One tiny face is seen above the bars."""
    known = KnownFaces(face_at(Place((14.0, 12.0), 12.0)))
    monkeypatch.setattr(detection, "open_detector", lambda *_: known)
    return known


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return in_every_container(tmp_path_factory.mktemp("whole"))


CUTS = [
    (kind, share)
    for kind in ("mp4", "index first", "mov", "mkv", "live mkv", "webm", "avi")
    for share in (0.3, 0.6, 0.97)
]


@pytest.mark.parametrize(("kind", "share"), [*CUTS, ("fragments", 0.6), ("fragments", 0.9), ("fragments", "moof")])
def test_a_clip_cut_short_is_refused(
    kind: str, share: Any, whole: dict[str, Path], call: Call, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    source = whole[kind]
    cut = tmp_path / f"cut{source.suffix}"
    content = source.read_bytes()
    # Between the head of a fragment and its frames no box is cut.
    end = content.rindex(b"mdat") - 4 if share == "moof" else int(len(content) * share)
    cut.write_bytes(content[:end])
    out = tmp_path / "out.mp4"
    out.write_bytes(b"earlier")
    code, answer, _ = call("enhance", cut, "-o", out, "--model", tiny_checkpoint, "--force")
    assert (code, answer["ok"]) == (5, False)
    assert "cut" in answer["error"]
    assert out.read_bytes() == b"earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == [cut.name, "out.mp4"]


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: make_clip(path, pixels="yuv420p10le", colours=(9, 1, 9, 18)), "HDR (HLG)"),
        (lambda path: make_clip(path, pixels="yuv420p10le", colours=(9, 1, 9, 16)), "HDR (PQ)"),
        (lambda path: make_clip(path, colours=(8, 1, 1, 1)), "matrix coefficients 8"),
        (lambda path: make_clip(path, colours=(1, 1, 1, 8)), "transfer characteristics 8"),
        (lambda path: sound_alone(path), "no moving picture"),
        (lambda path: shutil.copy(make_clip(path.with_name("a.gif"), codec="gif", pixels="rgb8"), path), "no video"),
        (lambda path: path.write_bytes(b""), "no video"),
        (lambda path: path.write_bytes(b"no video"), "no video"),
        (lambda path: path.write_bytes(PLAYLIST), "no video"),
        (lambda path: holed(make_clip(path)), "cannot read"),
        (lambda path: sector_lost(make_clip(path.with_name("a.mkv")), path), "is damaged at byte"),
        (lambda path: joined(path), "changes from 96x64 to 64x64"),
        (lambda path: None, "no file"),
    ],
    ids=[
        "HLG",
        "PQ",
        "YCgCo",
        "linear",
        "sound",
        "GIF",
        "empty",
        "text",
        "playlist",
        "hole",
        "sector",
        "sizes",
        "missing",
    ],
)
def test_what_cannot_be_kept_or_read_is_refused_by_name(
    make: Callable[[Path], object], words: str, call: Call, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "in.mp4"
    make(clip)
    before = sorted(tmp_path.iterdir())
    code, answer, _ = call("enhance", clip, "-o", tmp_path / "out.mp4", "--model", tiny_checkpoint)
    assert code == 5
    assert words in answer["error"]
    assert answer["hint"] or words == "no file"
    assert sorted(tmp_path.iterdir()) == before


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as file:
        file.mux(sound_packets(file.add_stream("aac", rate=48000)))


def holed(path: Path) -> None:
    """A bad block on a card: the second half of a frame is zero."""
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        packet = next(file.demux(video=0))
    end = packet.pos + packet.size
    content[end - packet.size // 2 : end] = bytes(packet.size // 2)
    path.write_bytes(content)


def sector_lost(whole: Path, path: Path) -> None:
    """Zeros over a block's head: FFmpeg goes on at the next cluster, without the frames between."""
    content = bytearray(whole.read_bytes())
    with av.open(str(whole)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    at = packets[len(packets) // 2].pos
    content[at - 8 : at + 64] = bytes(72)
    path.write_bytes(content)


def joined(path: Path) -> None:
    """Two clips of different sizes behind one another, as recorders of calls leave them."""
    parts = [make_clip(path.with_name(f"{width}.webm"), (width, 64), codec="libvpx-vp9") for width in (96, 64)]
    with av.open(str(path), "w", format="webm") as file:
        stream = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as source:
                stream = stream or file.add_stream_from_template(source.streams.video[0], opaque=True)
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        packet.pts, packet.dts = packet.pts + 1000 * number, packet.dts + 1000 * number
                        file.mux(packet)
        assert stream is not None


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Files of this process end at so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_disk_that_fills_up_leaves_the_earlier_clip(
    name: str, share: float, whole: dict[str, Path], call: Call, tiny_checkpoint: Path, tmp_path: Path,
    full_disk: Callable[[int], None],
) -> None:  # fmt: skip
    out = tmp_path / name
    command = ("enhance", whole["mp4"], "-o", out, "--model", tiny_checkpoint, "--force")
    assert call(*command)[0] == 0
    earlier = out.read_bytes()
    full_disk(int(share * len(earlier)))
    code, answer, _ = call(*command)
    assert code == 5
    assert str(out) in answer["error"]
    assert out.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [out]


def test_ctrl_c_leaves_nothing(
    whole: dict[str, Path], tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(KnownFaces):
        left = 4

        def detect(self, photo: Pixels, long_side: int | None = 1024) -> list[Face]:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGINT)
            return super().detect(photo, long_side)

    detector = Interrupted(face_at(Place((14.0, 12.0), 12.0)))
    monkeypatch.setattr(detection, "open_detector", lambda *_: detector)
    command = ["enhance", str(whole["mp4"]), "-o", str(tmp_path / "out.mp4"), "--model", str(tiny_checkpoint)]
    assert run([*command, "--upscale", "1"]) == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.avi", "out.webm", "out.wmv", "out"])
def test_what_is_not_written_is_a_usage_error(name: str, whole: dict[str, Path], call: Call, tmp_path: Path) -> None:
    code, answer, _ = call("enhance", whole["mp4"], "-o", tmp_path / name)
    assert (code, answer["hint"]) == (2, "use .mp4, .m4v, .mov, .mkv")
