"""Clips: made for the test from a sample face that moves and shrinks (London set; no real clip exists here)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Call, lively
from scenes import Place, faces
from test_enhance import tiny_model
from whole_photos import KnownFaces, composed, face_at, gallery_of

from edgesr.api import Model
from edgesr.data.samples import sample_faces
from edgesr.enhance import Network, Settings
from edgesr.enhance.clip import Frame, Look, open_clip
from edgesr.enhance.clip_write import write_clip
from edgesr.enhance.temporal import GAPS, PAPER, temporal_table
from edgesr.enhance.video import APART, ClipEnhancer, enhance_clip
from edgesr.errors import InputOutputError
from edgesr.faces.face import Face
from edgesr.images.imaging import Pixels
from edgesr.models import save_checkpoint

SIZE = (201, 180)
"""An odd width, which codecs do not take."""


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(32)


def places(sides: Sequence[float]) -> list[Place]:
    return [Place((95.0 + 0.5 * i, 90.0), side, 0.02 * i) for i, side in enumerate(sides)]


class Following(KnownFaces):
    """A detector that knows a clip: the face of the frame whose stamp it finds in the corner."""

    def __init__(self, path: Sequence[Place]) -> None:
        super().__init__()
        self.path = [face_at(place) for place in path]

    def detect(self, photo: Pixels, long_side: int | None = 1024) -> list[Face]:
        if long_side is None:
            return []
        return [self.path[min(round(float(photo[:8, :8].mean()) / 8), len(self.path) - 1)]]


def frames_of(path: Sequence[Place]) -> list[Pixels]:
    frames = []
    for i, place in enumerate(path):
        frame = composed(SIZE, [(faces()[0], place)], fine=2).copy()
        frame[:8, :8] = 8 * i
        frames.append(frame)
    return frames


SHRINKING = places([140.0] * 7 + [110.0, 85.0, 62.0, 44.0, 44.0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "shrinking.mp4"
    with write_clip(path, (200, 180), Look(Fraction(20), Fraction(1, 20))) as writer:
        for frame in frames_of(SHRINKING):
            writer.write(Frame(frame[:, :200]))
    return path


def test_clips_come_back(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), (10 * i, 128, 255 - 10 * i), np.uint8) for i in range(12)]
    path = tmp_path / "a.mp4"
    with write_clip(path, (64, 48), Look(Fraction(25, 2), Fraction(2, 25))) as writer:
        for frame in frames:
            writer.write(Frame(frame))
    clip = open_clip(path)
    assert (clip.width, clip.height, clip.frames) == (64, 48, 12)
    assert clip.look.rate == Fraction(25, 2)
    for i, (read, frame) in enumerate(zip(clip.read(), frames, strict=True)):
        assert np.abs(read.pixels.astype(int) - frame).mean() < 1.5, "colours in their order"
        assert read.time is not None
        assert read.time * clip.look.base == i * Fraction(2, 25)


def test_earlier_sharp_frames_are_the_exemplars(model: Model) -> None:
    """Where the face is small it is restored with frames in which it was large; without those it would have none."""
    frames = frames_of(SHRINKING)
    run = ClipEnhancer([Network(model)], Following(SHRINKING), Settings())
    outputs = [run.frame(i, frame, 1) for i, frame in enumerate(frames)]
    stored = run.exemplars
    assert stored == 1 + 6 // APART
    small = [i for i, place in enumerate(SHRINKING) if place.side < 96]
    assert run.restored == len(small)
    assert run.with_exemplars == run.restored
    alone = ClipEnhancer([Network(model)], Following(SHRINKING[8:]), Settings())
    frame = frames[8].copy()
    frame[:8, :8] = 0
    assert alone.frame(0, frame, 1).shape == frames[0].shape
    assert (alone.restored, alone.with_exemplars) == (1, 0)
    np.testing.assert_array_equal(outputs[3], frames[3])
    assert (outputs[9] != frames[9]).any()


def test_a_frame_is_an_exemplar_of_the_networks_that_it_is_large_enough_for(model: Model) -> None:
    """A network for larger faces takes no exemplars from one for smaller ones."""
    frames = frames_of(SHRINKING)
    run = ClipEnhancer([Network(model), Network(tiny_model(64))], Following(SHRINKING), Settings())
    for i, frame in enumerate(frames):
        run.frame(i, frame, 1)
    assert run.exemplars == 1 + 6 // APART
    (track,) = run.tracks
    assert track.pool.keys() == {model.name}, "the other's faces have 256 pixels"
    assert run.with_exemplars == sum(place.side < 48 for place in SHRINKING)


@pytest.mark.parametrize(
    ("sides", "settings", "served"),
    [([40.0], Settings(), 1), ([40.0, 42.0], Settings(), 0), ([40.0, 42.0], Settings(assume_same_person=True), 2)],
)
def test_of_several_faces_that_nobody_can_tell_none_gets_the_gallery(
    model: Model, sides: list[float], settings: Settings, served: int
) -> None:
    shown = [Place((60.0 + 80 * i, 90.0), side) for i, side in enumerate(sides)]
    mine = gallery_of(model, [sample_faces(128)[0].exemplar])
    run = ClipEnhancer([Network(model, mine)], KnownFaces(*map(face_at, shown)), settings)
    run.frame(0, frames_of(places([40.0]))[0], 1)
    assert (run.restored, run.with_exemplars) == (len(sides), served)


def test_another_face_gets_no_exemplars_of_the_first(model: Model) -> None:
    path = [*places([140.0] * 3), Place((170.0, 30.0), 40.0)]
    run = ClipEnhancer([Network(model)], Following(path), Settings())
    for i, frame in enumerate(frames_of(path)):
        run.frame(i, frame, 1)
    assert run.exemplars == 1
    assert (run.restored, run.with_exemplars) == (1, 0)


def test_a_clip_is_enhanced_whole_or_not_at_all(model: Model, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    result = enhance_clip(clip, out, [Network(model)], Following(SHRINKING), Settings(upscale=2))
    written = open_clip(out)
    assert (written.width, written.height, written.frames) == (400, 360, 12)
    assert written.look.rate == 20
    assert result.frames == 12
    assert result.with_exemplars > 0

    class Failing(Following):
        def detect(self, photo: Pixels, long_side: int | None = 1024) -> list[Face]:  # noqa: ARG002
            raise InputOutputError("no more")

    with pytest.raises(InputOutputError, match="no more"):
        enhance_clip(clip, tmp_path / "half.mp4", [Network(model)], Failing(SHRINKING), Settings(upscale=1))
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_the_table_of_gaps(model: Model, clip: Path) -> None:
    still = Following(places([140.0] * 12))
    rows = temporal_table(clip, model, still, gaps=(1, 5, 30))
    assert [row.exemplar for row in rows] == ["bicubic", "none", "blank", "1", "5"], "30 frames are too many for it"
    assert len({row.frames for row in rows}) == 1
    assert rows[0].frames == 7
    assert set(PAPER) - {"blank"} <= set(map(str, GAPS)), "the paper's gaps are measured where a clip is long enough"
    assert all(np.isfinite(row.psnr) and -1 <= row.ssim <= 1 for row in rows)
    with pytest.raises(InputOutputError, match="in 0 frames only"):
        temporal_table(clip, model, Following(places([40.0] * 12)))


@pytest.mark.faces
@pytest.mark.slow
def test_the_command(call: Call, clip: Path, model: Model, yunet: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "tiny-32"
    save_checkpoint(
        checkpoint, "tiny-32", lively(TINY.replace(lr_size=32)), training={}, feature_scales=model.feature_scales
    )
    out = tmp_path / "out.mp4"
    command = ("enhance", clip, "--model", checkpoint, "--detector", yunet)
    code, answer, _ = call(*command, "-o", out)
    assert code == 0
    row = answer["outputs"][0]
    assert (row["frames"], row["exemplar_frames"] > 0, row["faces_with_exemplars"] > 0) == (12, True, True)
    assert call(*command, "-o", out)[0] == 2, "it exists"
    assert call(*command, "-o", tmp_path / "b.mp4", "--compare")[0] == 2
    assert call(*command)[0] == 2
    code, answer, _ = call(*command, "--temporal-table")
    assert code == 0
    beside = {row["exemplar"]: row["paper"] for row in answer["rows"]}
    assert (beside["none"], beside["blank"]) == (None, {"psnr": 36.81, "ssim": 0.9207})
    assert [row["exemplar"] for row in answer["rows"]][:4] == ["bicubic", "none", "blank", "1"]
