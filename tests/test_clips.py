"""``edgesr enhance`` of clips: what a clip is besides its faces stays as it was."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import UNEVEN, Shown, in_every_container, make_clip, shown
from conftest import Call
from scenes import Place
from whole_photos import KnownFaces, face_at

from edgesr.cli.main import run
from edgesr.faces import detection

ALL = {
    "title": "Feier",
    "comment": "in Köln",
    "creation_time": "2024-05-06T07:08:09Z",
    "location": "+52.5200+013.4050/",
}
BT2020, BT601_50, FULL = (9, 1, 9, 14), (5, 1, 5, 6), (1, 2, 1, 1)

Enhance = Callable[..., tuple[Shown, dict[str, Any]]]


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> KnownFaces:
    """One tiny face is seen above the bars."""
    known = KnownFaces(face_at(Place((14.0, 12.0), 12.0)))
    monkeypatch.setattr(detection, "open_detector", lambda *_: known)
    return known


@pytest.fixture
def enhance(call: Call, tiny_checkpoint: Path, tmp_path: Path) -> Enhance:
    """Enhance a clip into another: what is shown in it, and its row."""

    def enhanced(clip: Path, name: str = "out.mp4", upscale: int = 1) -> tuple[Shown, dict[str, Any]]:
        out = tmp_path / name
        code, answer, err = call("enhance", clip, "-o", out, "--model", tiny_checkpoint, "--upscale", upscale)
        assert code == 0, err
        assert answer["outputs"][0]["faces_restored"] > 0
        return shown(out), answer["outputs"][0]

    return enhanced


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return in_every_container(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("upscale", [1, 2])
@pytest.mark.parametrize(
    ("made", "colours"),
    [
        ({}, (1, 1, 1, 1)),
        ({"colours": BT601_50}, BT601_50),
        ({"colours": BT2020}, BT2020),
        ({"colours": FULL}, FULL),
        ({"colours": (1, 1, 12, 13)}, (1, 1, 12, 13)),
        ({"colours": (2, 0, 2, 2)}, (6, 1, 2, 2)),
        ({"colours": (2, 0, 2, 2), "size": (1280, 64)}, (1, 1, 2, 2)),
        ({"pixels": "yuv444p"}, (1, 1, 1, 1)),
        ({"pixels": "yuv420p10le"}, (1, 1, 1, 1)),
    ],
    ids=["709", "601", "2020", "full", "P3", "untagged", "untagged HD", "444", "10 bits"],
)
def test_colours_keep_their_levels_and_their_meaning(
    made: dict[str, Any], colours: tuple[int, ...], upscale: int, enhance: Enhance, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "in.mp4", **made)
    after, row = enhance(clip, "out.mp4", upscale)
    before = shown(clip)
    assert after.colours == colours
    assert after.codec == "h264"
    fine = made.get("pixels") == "yuv444p" and upscale == 1
    deep = made.get("pixels") == "yuv420p10le"
    assert row["notes"] == [
        *(["its 10 bits a sample became 8"] if deep else []),
        *(["its colours are stored at half its width and height now (4:2:0)"] if fine else []),
    ]
    difference = after.bars - before.bars
    assert np.abs(difference).max() <= 1.5
    assert np.abs(difference.mean((0, 1))).max() <= (0.9 if colours == FULL else 0.4), "no level sinks"


KINDS = ["mp4", "index first", "fragments", "mov", "mkv", "live mkv", "webm", "avi"]
PAIRS = [(kind, f"out.{to}") for kind in KINDS for to in ("mp4", "mov", "mkv") if (kind, to) != ("webm", "mov")]


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_any_container_becomes_any(kind: str, name: str, whole: dict[str, Path], enhance: Enhance) -> None:
    """Frames keep their times, sound its very bytes."""
    before = shown(whole[kind])
    after, row = enhance(whole[kind], name)
    assert len(after.times) == row["frames"] == 6
    np.testing.assert_allclose([float(t) for t in after.times], [float(t) for t in before.times], atol=0.003)
    assert row["notes"] == []
    assert [sound[0] for sound in after.sound] == [sound[0] for sound in before.sound]
    for (_, packets, start), (_, expected, begins) in zip(after.sound, before.sound, strict=True):
        assert packets[1:] == expected[-len(packets) + 1 :]
        assert len(packets) >= len(expected) - 1, "what MKV cannot hide may go"
        assert start == pytest.approx(begins, abs=0.03)


def test_what_a_clip_is_besides_its_frames_stays(enhance: Enhance, tmp_path: Path) -> None:
    aspect, sounds = Fraction(4, 3), ("aac", "pcm_s16le")
    clip = make_clip(tmp_path / "in.mov", times=UNEVEN, aspect=aspect, sounds=sounds, tags=ALL)
    before = shown(clip)
    after, row = enhance(clip, "out.mp4", 2)
    assert after.times == before.times
    assert after.aspect == aspect
    assert (after.size, row["size"]) == ((192, 128), [192, 128])
    assert [(name, b"".join(packets)) for name, packets, _ in after.sound] == [
        (name, b"".join(packets)) for name, packets, _ in before.sound
    ]
    assert after.chapters == ["first", "second"]
    assert row["notes"] == []
    assert {name: after.tags[name] for name in ("title", "location")} == {
        name: ALL[name] for name in ("title", "location")
    }
    assert after.tags["creation_time"].startswith("2024-05-06T07:08:09")
    assert after.tags["comment"].startswith("faces enhanced by edgesr")
    assert after.tags["comment"].endswith("; in Köln")


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_a_turned_clip_is_upright(turn: int, mirror: bool, enhance: Enhance, tmp_path: Path) -> None:
    """Its frames, and the shape of its pixels with them."""
    clip = make_clip(tmp_path / "in.mp4", turn=turn, mirror=mirror, aspect=Fraction(4, 3))
    out, _ = enhance(clip)
    sideways = abs(turn) == 90
    assert (out.turn, out.size, out.aspect) == (
        0,
        (64, 96) if sideways else (96, 64),
        Fraction(3, 4) if sideways else Fraction(4, 3),
    )
    with av.open(str(clip)) as file, av.open(str(tmp_path / "out.mp4")) as other:
        stored, upright = (next(f.decode(video=0)).to_ndarray(format="gray").astype(int) for f in (file, other))
    expected = np.rot90(stored, turn // 90)
    assert np.abs((np.fliplr(expected) if mirror else expected) - upright).mean() < 3


@pytest.mark.parametrize(
    ("made", "size", "note"),
    [
        ({"size": (97, 64), "pixels": "yuv444p"}, (96, 64), "last column"),
        ({"size": (96, 65), "pixels": "yuv444p"}, (96, 64), "last column or row"),
        ({"times": (0,)}, (96, 64), None),
        ({"codec": "qtrle", "pixels": "argb"}, (96, 64), "transparency"),
    ],
    ids=["odd width", "odd height", "one frame", "transparent"],
)
def test_unusual_clips(
    made: dict[str, Any], size: tuple[int, int], note: str | None, enhance: Enhance, tmp_path: Path
) -> None:
    after, row = enhance(make_clip(tmp_path / "in.mov", **made))
    assert after.size == size
    assert len(after.times) == len(made.get("times", range(6)))
    assert note is None or note in " ".join(row["notes"])


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("strip", ["--strip-location", "--strip-metadata"])
@pytest.mark.parametrize("found", [True, False], ids=["enhanced", "unchanged"])
def test_a_clips_place_and_people_can_be_left_out(
    name: str, strip: str, found: bool, call: Call, tiny_checkpoint: Path, tmp_path: Path, detector: KnownFaces
) -> None:
    """Also where nothing in it was changed and it would be copied."""
    clip = make_clip(tmp_path / name.replace("out", "in"), tags=ALL)
    if not found:
        detector.faces.clear()
    code, _, _ = call("enhance", clip, "-o", tmp_path / name, "-m", tiny_checkpoint, "--upscale", 1, strip)
    tags = {key.lower(): value for key, value in shown(tmp_path / name).tags.items()}
    assert code == 0
    assert not [key for key in tags if "location" in key]
    assert b"+52.52" not in (tmp_path / name).read_bytes()
    assert (tags.get("title") == ALL["title"]) == (strip == "--strip-location")
    assert ("Köln" in tags["comment"]) == (strip == "--strip-location")


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv"])
def test_a_clip_without_anything_to_restore_stays_its_own_file(
    kind: str, whole: dict[str, Path], call: Call, tiny_checkpoint: Path, tmp_path: Path, detector: KnownFaces
) -> None:
    detector.faces.clear()
    out = tmp_path / whole[kind].name
    code, answer, _ = call("enhance", whole[kind], "-o", out, "--model", tiny_checkpoint)
    assert (code, answer["outputs"][0]["status"]) == (0, "unchanged")
    assert out.read_bytes() == whole[kind].read_bytes()


def test_frames_that_a_phone_trimmed_away_stay_hidden(whole: dict[str, Path], enhance: Enhance, tmp_path: Path) -> None:
    """Its header counts them all the same; the clip is whole."""
    path = tmp_path / "trimmed.mp4"
    with av.open(str(whole["mp4"])) as source, av.open(str(path), "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                packet.pts, packet.dts = packet.pts - 4000, packet.dts - 4000
                file.mux(packet)
        assert stream.time_base
    with av.open(str(path)) as file:
        said = file.streams.video[0].frames
    before = shown(path)
    assert len(before.times) < said == 6
    after, row = enhance(path)
    assert after.times == before.times
    assert row["frames"] == len(before.times)


def test_sound_whose_times_stand_still_is_carried(whole: dict[str, Path], enhance: Enhance, tmp_path: Path) -> None:
    """As recorders of streams write it: MKV takes it, MP4 does not."""
    path = tmp_path / "still.mkv"
    with av.open(str(whole["mkv"])) as source, av.open(str(path), "w") as file:
        here = {stream.index: file.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    packet.pts = packet.dts = max(packet.pts, 0) // 100 * 100
                packet.stream = here[packet.stream_index]
                file.mux(packet)
    after, _ = enhance(path)
    assert b"".join(after.sound[0][1]) == b"".join(shown(path).sound[0][1])


NAMES = [b"\xff\xfe.mp4", b"http:--x.mp4", b"%03d.mp4", b"-y.mp4", b"n" * 246 + b".mp4", "Bär und\n.mp4".encode()]


@pytest.mark.parametrize("name", NAMES, ids=["not UTF-8", "address", "pattern", "option", "long", "line"])
def test_any_name_is_a_name(name: bytes, whole: dict[str, Path], tiny_checkpoint: Path, tmp_path: Path) -> None:
    clip, folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), tmp_path / "out"
    shutil.copy(whole["mp4"], clip)
    folder.mkdir()
    assert run(["enhance", "-o", str(folder), "--model", str(tiny_checkpoint), "--", str(clip)]) == 0
    assert [os.fsencode(path.name) for path in folder.iterdir()] == [name]
    assert len(shown(folder / clip.name).times) == 6


def test_without_pyav_clips_are_said_to_need_it(
    whole: dict[str, Path], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    code, answer, _ = call("enhance", whole["mp4"], "-o", tmp_path / "out.mp4")
    assert (code, answer["hint"]) == (3, "pip install 'edgesr[faces]'")


def test_a_clip_is_told_by_its_content(whole: dict[str, Path], enhance: Enhance, tmp_path: Path) -> None:
    for kind in ("mp4", "webm", "avi"):
        _, row = enhance(Path(shutil.copy(whole[kind], tmp_path / f"{kind}.jpg")), f"{kind}.mp4")
        assert row["frames"] == 6


def test_sound_that_does_not_fit_is_named(whole: dict[str, Path], enhance: Enhance) -> None:
    after, row = enhance(whole["webm"], "out.mov")
    assert not after.sound
    assert row["notes"] == ["its audio stream 1 (opus) was left out: mov does not take it"]
