"""Clips made and looked at through PyAV alone, so that nothing of the project judges itself."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

BARS = np.array([(126, 128, 128), (235, 128, 128), (120, 100, 170), (140, 100, 100), (100, 168, 120), (24, 128, 128)])
"""Y, Cb and Cr of greys and of colours that every matrix can show."""

EVEN = tuple(range(0, 600, 100))
UNEVEN = (0, 100, 130, 460, 480, 600)
"""Times of six frames in 600ths of a second."""

FINE = {"libx264": {"crf": "2"}, "libvpx-vp9": {"crf": "4", "b": "0"}, "mpeg4": {"qmin": "1", "qmax": "2"}}

SAMPLES: dict[str, tuple[Any, float]] = {"flt": (np.float32, 0.6), "s16": (np.int16, 2e4), "s32": (np.int32, 1e9)}


@dataclasses.dataclass
class Shown:
    """What a player finds in a clip: ``colours`` are matrix, range, primaries and transfer, ``bars`` [frames, 6, 3]."""

    times: list[Fraction]
    size: tuple[int, int]
    aspect: Fraction | None
    turn: int
    colours: tuple[int, int, int, int]
    bars: npt.NDArray[np.float64]
    codec: str
    sound: list[tuple[str, list[bytes], float]]
    """Of each stream: codec, packets, and where it starts in seconds."""
    tags: dict[str, str]
    chapters: list[str]


def make_clip(
    path: Path,
    size: tuple[int, int] = (96, 64),
    times: tuple[int, ...] = EVEN,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    colours: tuple[int, int, int, int] = (1, 1, 1, 1),
    aspect: Fraction | None = None,
    turn: int = 0,
    mirror: bool = False,
    sounds: tuple[str, ...] = (),
    tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Six bars in the middle of each frame, and a white block that moves above them."""
    with av.open(str(path), "w", container_options=options or {}) as file:
        file.metadata.update(tags or {})
        base = Fraction(1, 6) if path.suffix == ".avi" else Fraction(1, 600)
        stream: Any = file.add_stream(codec, rate=6, time_base=base, options=FINE.get(codec, {}))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = *size, pixels
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = colours
        if aspect:
            context.sample_aspect_ratio = stream.sample_aspect_ratio = aspect
        if turn or mirror:
            stream.set_display_rotation(turn, hflip=mirror)
        tracks = [(file.add_stream(name, rate=48000), []) for name in sounds]
        if tags and "title" in tags:
            marks = [("first", 0, 300), ("second", 300, 700)]
            file.set_chapters(
                [
                    {"id": i, "start": a, "end": b, "time_base": Fraction(1, 600), "metadata": {"title": t}}
                    for i, (t, a, b) in enumerate(marks)
                ]
            )
        for number, time in enumerate(times):
            frame = drawn(size, number).reformat(format=pixels)
            frame.pts, frame.time_base = int(time / 600 / base), base
            frame.color_range = colours[1]
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        for track, _ in tracks:
            for packet in sound_packets(track):
                file.mux(packet)
    return path


def drawn(size: tuple[int, int], number: int) -> Any:
    width, height = size
    planes = np.empty((height, width, 3), np.uint8)
    planes[:] = (90, 128, 128)
    for i, bar in enumerate(BARS):
        planes[height // 2 :, width * i // 6 : width * (i + 1) // 6] = bar
    planes[2:14, 4 + 8 * number : 16 + 8 * number] = (200, 128, 128)
    frame = av.VideoFrame(width, height, "yuv444p")
    for plane, level in zip(frame.planes, planes.transpose(2, 0, 1), strict=True):
        padded = np.zeros((height, plane.line_size), np.uint8)
        padded[:, :width] = level
        plane.update(padded.tobytes())
    return frame


def sound_packets(track: Any) -> list[Any]:
    packets = []
    form, size = track.codec_context.format.name, track.codec_context.frame_size or 960
    for start in range(0, 48000, size):
        wave = np.sin(np.arange(start, start + size) * 0.05)
        kind, most = SAMPLES[form.removesuffix("p")]
        planes = (np.stack([wave, wave]) * most).astype(kind)
        packed = planes if form.endswith("p") else planes.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), form, "stereo")
        frame.sample_rate, frame.pts = 48000, start
        packets += track.encode(frame)
    return packets + track.encode(None)


def shown(path: Path) -> Shown:
    """What is in a clip, by FFmpeg's own reading of it."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
        times = [frame.pts * stream.time_base for frame in frames]
        first = frames[0]
        colours = (first.colorspace, first.color_range, first.color_primaries, first.color_trc)
        bars = np.array([bars_of(frame) for frame in frames])
        size, aspect, codec = (stream.width, stream.height), stream.sample_aspect_ratio, stream.codec_context.name
        tags, chapters = dict(file.metadata), [c["metadata"].get("title", "") for c in file.chapters()]
        turn = first.rotation
    sound = []
    with av.open(str(path)) as file:
        packets: dict[int, list[bytes]] = {s.index: [] for s in file.streams.audio}
        for packet in file.demux(*file.streams.audio) if packets else ():
            if packet.size:
                packets[packet.stream_index].append(bytes(packet))
        for s in file.streams.audio:
            start = float(s.start_time * s.time_base) if s.start_time is not None else 0.0
            sound.append((s.codec_context.name, packets[s.index], start))
    return Shown(times, size, aspect, turn, colours, bars, codec, sound, tags, chapters)


def bars_of(frame: Any) -> npt.NDArray[np.float64]:
    """Levels in the middle of each bar, [6, 3]."""
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = frame.reformat(format="yuv420p")
    levels = []
    for plane, shift in zip(frame.planes, (0, 1, 1), strict=True):
        rows, columns = -(-frame.height >> shift), -(-frame.width >> shift)
        image = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns].astype(float)
        middle = image[int(rows * 0.7) : int(rows * 0.8)]
        levels.append([middle[:, int(columns * (i + 0.4) / 6) : int(columns * (i + 0.6) / 6)].mean() for i in range(6)])
    return np.array(levels).T


def in_every_container(folder: Path) -> dict[str, Path]:
    """A clip in every container that is read, by its name."""
    aac: dict[str, Any] = {"sounds": ("aac",)}
    return {
        "mp4": make_clip(folder / "a.mp4", **aac),
        "index first": make_clip(folder / "first.mp4", **aac, options={"movflags": "faststart"}),
        "fragments": make_clip(folder / "fragments.mp4", options={"movflags": "frag_every_frame+empty_moov"}),
        "mov": make_clip(folder / "a.mov", **aac),
        "mkv": make_clip(folder / "a.mkv", **aac),
        "live mkv": make_clip(folder / "live.mkv", **aac, options={"live": "1"}),
        "webm": make_clip(folder / "a.webm", codec="libvpx-vp9", sounds=("libopus",)),
        "avi": make_clip(folder / "a.avi", codec="mpeg4", colours=(2, 0, 2, 2), sounds=("mp3",)),
    }
