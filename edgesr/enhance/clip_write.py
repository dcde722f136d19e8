"""Writing video clips: H.264, with the sound, times, colours and tags of the clip that they are made from."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgesr.enhance.clip import Clip, Frame, Look, decoded
from edgesr.enhance.clip_colour import Converter
from edgesr.enhance.clip_file import count_packets, load_av, opened
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.atomic import cannot_write, file_aside

if TYPE_CHECKING:
    from av.container import InputContainer

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""What is written, and FFmpeg's name of it. AVI keeps neither times nor colours, WebM takes no H.264."""

X264 = {"crf": "16", "preset": "fast", "rc-lookahead": "10", "threads": "4"}
"""Hardly to be told from the frames given. Frames looked ahead and threads are memory, and threads change the bytes."""


class ClipWriter:
    """A clip that is being written."""

    def __init__(self, path: Path, kind: str, size: tuple[int, int], look: Look, tags: dict[str, str]) -> None:
        """``size``: width and height, even. ``tags``: of the whole file."""
        av = load_av()
        self.frames = 0
        self.packets: dict[int, int] = {}
        """Packets of sound that was written, by its stream's number, where they stay as they are."""
        self._size, self._look = size, look
        self._convert = Converter(look.colours)
        self._last: int | None = None
        self._durations: dict[int, int] = {}
        self._told: dict[int, int | None] = {}
        self._sound: Iterator[Any] = iter(())
        self._heard: Any = None
        # Apple's names of tags are kept in a table of their own alone.
        apple = kind != "matroska" and any(name.startswith("com.") for name in tags)
        options = {"movflags": "+use_metadata_tags"} if apple else {}
        self._file = av.open(os.path.abspath(path), "w", format=kind, container_options=options)  # noqa: PTH100
        self._file.metadata.update(tags)
        try:
            stream = self._file.add_stream("libx264", look.rate, options=dict(X264), time_base=look.base)
        except ValueError as error:
            raise UnavailableError("this PyAV has no encoder for H.264", "pip install its own wheel") from error
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = *size, "yuv420p"
        context.color_range, context.colorspace = 2 if look.colours.full else 1, look.colours.matrix
        context.color_primaries, context.color_trc = look.colours.primaries, look.colours.transfer
        if look.aspect:
            context.sample_aspect_ratio = stream.sample_aspect_ratio = look.aspect
        self._stream = stream

    def copy(self, container: InputContainer, source: Clip) -> tuple[str, ...]:
        """Take over the sound, subtitles, chapters and the streams' own tags of an open clip; before the first frame.

        Returns what this format does not take.
        """
        notes = []
        here = {}
        for stream in container.streams:
            if stream.type == "video" and stream.index == source.stream:
                self._stream.metadata.update(source.stream_tags(stream))
            if stream.type not in ("audio", "subtitle"):
                continue
            if source.strip and stream.type == "subtitle":  # drones write the place there, frame by frame
                notes.append(f"its subtitles ({stream.index}), which may name the place, were left out")
                continue
            if not _takes(self._file.format.name, stream):
                name = stream.codec_context.name if stream.codec_context else "of a codec that is not known"
                kind = self._file.format.name
                notes.append(f"its {stream.type} stream {stream.index} ({name}) was left out: {kind} does not take it")
                continue
            copy = self._file.add_stream_from_template(stream)
            copy.metadata.update(source.stream_tags(stream))
            copy.disposition = stream.disposition
            here[stream.index] = copy
            if stream.type == "audio" and not stream.codec_context.name.startswith("pcm"):
                self.packets[copy.index] = 0
        if (chapters := container.chapters()) and source.strip != "metadata":
            self._file.set_chapters(chapters)
        if here:
            wanted = [stream for stream in container.streams if stream.index in here]
            packets = (packet for packet in container.demux(wanted) if packet.size)
            if self._file.format.name == "matroska":  # has no edit list to hide what comes before the start
                packets = (packet for packet in packets if not packet.is_discard)
            self._sound = ((here[packet.stream_index], packet) for packet in packets)
        return tuple(notes)

    def write(self, frame: Frame) -> None:
        """A frame of the clip's size; without a time it comes one after the last."""
        if frame.pixels.shape[1::-1] != self._size:
            raise ValueError(f"a frame of {frame.pixels.shape[1::-1]} in a clip of {self._size}")
        step = frame.duration or max(1, round(1 / (self._look.rate * self._look.base)))
        time = frame.time
        if time is None or (self._last is not None and time <= self._last):  # times that stand still are no times
            time = 0 if self._last is None else self._last + (step if time is None else 1)
        coded = self._convert.frame(frame.pixels)
        coded.pts, coded.time_base = time, self._look.base
        self._last, self._durations[time] = time, step
        for packet in self._stream.encode(coded):
            self._mux(packet)
        self.frames += 1

    def finish(self) -> None:
        """Write what is left."""
        for packet in self._stream.encode(None):
            self._mux(packet)
        self._mux_sound(None)
        self._file.close()

    def abandon(self) -> None:
        """Close a file that nobody wants."""
        with contextlib.suppress(Exception):
            self._file.close()

    def _mux(self, packet: Any) -> None:
        packet.duration = self._durations.pop(packet.pts, packet.duration)
        self._mux_sound(float(packet.dts * packet.time_base))
        self._file.mux(packet)

    def _mux_sound(self, until: float | None) -> None:
        """Sound up to ``until`` seconds, all of it where None: players want to find it beside its picture."""
        while True:
            self._heard = self._heard or next(self._sound, None)
            if self._heard is None:
                return
            stream, packet = self._heard
            time = packet.dts if packet.dts is not None else packet.pts
            if until is not None and time is not None and float(time * packet.time_base) > until:
                return
            packet.stream = stream
            last = self._told.get(stream.index)
            if time is not None and last is not None and time <= last:  # a muxer refuses times that stand still
                time = packet.dts = last + 1
                packet.pts = max(packet.pts if packet.pts is not None else time, time)
            self._told[stream.index] = time
            self._file.mux(packet)
            if stream.index in self.packets:
                self.packets[stream.index] += 1
            self._heard = None


@contextlib.contextmanager
def write_clip(
    path: Path, size: tuple[int, int], look: Look, tags: dict[str, str] | None = None
) -> Iterator[ClipWriter]:
    """A clip to write frames to; it is there at the end, complete and read back, or not at all.

    Raises:
        UsageError: a suffix that is not written.
        InputOutputError: it cannot be written, or cannot be read again as it was written.
        UnavailableError: no PyAV, or one without H.264.
    """
    kind = format_of(path)
    av = load_av()
    with file_aside(path) as aside:
        writer = None
        try:
            writer = ClipWriter(aside, kind, size, look, tags or {})
            yield writer
            writer.finish()
        except BaseException as error:
            if writer is not None:
                writer.abandon()
            if isinstance(error, av.FFmpegError):
                if isinstance(error, OSError):
                    raise cannot_write(path, OSError(error.errno, error.strerror)) from error
                raise InputOutputError(f"cannot write {path}: {error.strerror}", "another format may: .mkv") from error
            raise
        _read_back(aside, path, writer)


def format_of(path: Path) -> str:
    """FFmpeg's name of the format that a suffix means.

    Raises:
        UsageError: it is not written.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError as error:
        raise UsageError(f"cannot write {path.name!r} as a clip", f"use {', '.join(FORMATS)}") from error


def _read_back(aside: Path, path: Path, writer: ClipWriter) -> None:
    """A disk that fills up, or a muxer that gives up, may only show in the file."""
    try:
        with opened(aside, ignore_editlist="1") as container:
            counted, _ = count_packets(container, aside, 0)
        with opened(aside) as container:
            frames = sum(1 for _ in decoded(container, aside))
    except InputOutputError as error:
        raise InputOutputError(
            f"{path} could not be read back: {error.what}", "free some space, and try again"
        ) from error
    wanted = {0: writer.frames} | writer.packets
    if frames != writer.frames or any(counted.get(number, 0) != count for number, count in wanted.items()):
        raise InputOutputError(
            f"{path} was not written whole: {frames} of {writer.frames} frames", "free some space, and try again"
        )


def _takes(kind: str, stream: Any) -> bool:
    """Whether a format holds a stream as it is: a header is written to see."""
    av = load_av()
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True
