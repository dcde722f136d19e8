"""Opening video files through PyAV (FFmpeg inside its wheel), and telling whether one is whole."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from edgesr.errors import InputOutputError, UnavailableError
from edgesr.files.reading import no_file, open_plain
from edgesr.images.photo_formats import VIDEO, kind_of

if TYPE_CHECKING:
    from av.container import InputContainer

MOST_FRAME = 36_000_000
"""Pixels of a frame: 8K passes."""

FORMATS = "mov,matroska,avi"
"""FFmpeg's names of what is read: MP4, MOV, 3GP; MKV and WebM; AVI. Playlists would open other files and addresses."""

MATROSKA = b"\x1a\x45\xdf\xa3"
"""How every MKV and WebM starts."""

CLIP_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm", ".3gp"}

BOXES = frozenset(b"ftyp styp free skip wide uuid moov mdat moof mfra sidx emsg prft meta udta".split())
"""The outermost boxes of an MP4; what else lies behind a clip is not its own."""

CUT = "its end is missing: copy or download it again"


@dataclasses.dataclass(frozen=True)
class Contents:
    """What lies in a video file. ``frames``: of its picture, without those that its edit list hides."""

    frames: int
    packets: dict[int, int]
    """The packets of each sound and subtitle stream, by its number."""


def is_clip(path: Path) -> bool:
    """Whether a file is to be treated as a video: by its content, or by its suffix where that says nothing."""
    head = b""
    with contextlib.suppress(OSError, InputOutputError), open_plain(path) as stream:
        head = stream.read(1024)
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return avi or head[:4] == MATROSKA or kind_of(head)[1] == VIDEO or path.suffix.lower() in CLIP_SUFFIXES


@contextlib.contextmanager
def opened(path: Path, **options: str) -> Iterator[InputContainer]:
    """A video file to read from; FFmpeg's errors become ours.

    Raises:
        InputOutputError: no video, or damaged.
        UnavailableError: no PyAV.
    """
    av = load_av()
    limits = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "max_pixels": str(MOST_FRAME)}
    try:
        # An absolute path is never taken for an address. Old AVIs have titles in whatever code page.
        container = av.open(os.path.abspath(path), options=limits | options, metadata_errors="replace")  # noqa: PTH100
    except (av.FFmpegError, OSError) as error:
        raise InputOutputError(
            f"{path} is no video that can be read", "MP4, MOV, MKV, WebM and AVI are; else it is damaged or cut short"
        ) from error
    try:
        yield container
    except av.FFmpegError as error:
        raise InputOutputError(
            f"cannot read {path}: {error.strerror}", "the file looks damaged or cut short"
        ) from error
    finally:
        container.close()


def picture(container: InputContainer, path: Path) -> Any:
    """The video stream that players show; the first that is no cover of an album.

    Raises:
        InputOutputError: none, of an unknown codec, or its frames are too large.
    """
    av = load_av()
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise InputOutputError(f"{path} has no moving picture", "it holds sound alone")
    stream = next((stream for stream in streams if stream.disposition & av.stream.Disposition.default), streams[0])
    if stream.codec_context is None:
        raise InputOutputError(f"{path} has a picture whose codec is not known here", "make it H.264 first")
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < width * height <= MOST_FRAME:
        raise InputOutputError(f"{path} has frames of {width}x{height}", "at most 36 megapixels are read")
    return stream


def look_through(path: Path) -> Contents:
    """Read all of a video file without decoding it: cheap beside what follows.

    Raises:
        InputOutputError: it is missing, cut short, has fewer frames than its header says, or none.
    """
    _reaches_its_end(path)
    with opened(path) as container:
        shown = picture(container, path).index
        counted, hidden = count_packets(container, path, shown)
        said = container.streams[shown].frames
        exact = container.format.name.startswith("mov")  # an AVI counts frames that were dropped, others do not count
    if exact and counted.get(shown, 0) < said:
        # An edit list may hide some: count what is stored.
        with opened(path, ignore_editlist="1") as container:
            stored = count_packets(container, path, shown)[0].get(shown, 0)
        if stored < said:
            raise InputOutputError(f"{path} has {stored} of {said} frames", CUT)
    frames = counted.pop(shown, 0) - hidden
    if frames <= 0:
        raise InputOutputError(f"{path} has no frame that can be read", "the file looks damaged")
    return Contents(frames, counted)


def count_packets(container: InputContainer, path: Path, picture_index: int) -> tuple[dict[int, int], int]:
    """Packets of each stream, and how many of the picture's are hidden."""
    counted: dict[int, int] = {}
    hidden = 0
    streams = [s for s in container.streams if s.type in ("audio", "subtitle") or s.index == picture_index]
    for packet in container.demux(streams):
        if packet.size == 0 and packet.dts is None:
            continue  # the one that flushes a decoder
        if packet.is_corrupt:
            raise InputOutputError(f"{path} is cut short or damaged", CUT)
        counted[packet.stream_index] = counted.get(packet.stream_index, 0) + 1
        hidden += packet.stream_index == picture_index and packet.is_discard
    return counted, hidden


def _reaches_its_end(path: Path) -> None:
    """FFmpeg takes the end of a file for the end of a clip in containers without an index of their frames."""
    try:
        with open_plain(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(12)
            if head[:4] == MATROSKA:
                end = _end_of_matroska(stream, size, path)
            else:
                end = _end_of_chunks(stream, size, "little" if head[:4] == b"RIFF" else "big")
    except FileNotFoundError as error:
        raise no_file(path) from error
    except OSError as error:
        raise InputOutputError(f"cannot read {path}: {error.strerror or error}") from error
    if end > size:
        raise InputOutputError(f"{path} is cut short: it says {end} bytes and has {size}", CUT)


def _end_of_chunks(stream: BinaryIO, size: int, order: Any) -> int:
    """Where the last box of an MP4 ends ("big"), or the last RIFF of an AVI ("little"), by their own words."""
    position, name = 0, b""
    while position + 8 <= size:
        stream.seek(position)
        head = stream.read(16)
        if order == "little":
            if head[:4] != b"RIFF":
                break  # what lies behind the clip is not its own
            length = 8 + int.from_bytes(head[4:8], "little")
        else:
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            name = head[4:8]
            if name not in BOXES:
                break
        if length < 8:  # 0: up to the end
            break
        position += length
    return position + (8 if name == b"moof" else 0)  # behind which its frames lie


def _end_of_matroska(stream: BinaryIO, size: int, path: Path) -> int:
    """Where the last element ends; one of unknown length (a live recording) is entered, and so is each cluster.

    FFmpeg leaves out what it cannot make out, and frames with it, so that is refused within the part that holds them.
    """
    position, inside = 0, 0
    while position + 2 <= size:
        stream.seek(position)
        head = stream.read(12)
        kind = _length_of_number(head[0])
        length = _length_of_number(head[kind]) if kind <= 4 and kind < len(head) else 9
        if length > 8 or len(head) < kind + length:
            if position < min(inside, size) - len(head):
                raise InputOutputError(f"{path} is damaged at byte {position}", "copy or download it again")
            break
        name = head[:kind]
        value = int.from_bytes(head[kind : kind + length], "big") & ((1 << 7 * length) - 1)
        unknown = value == (1 << 7 * length) - 1
        position += kind + length
        if not unknown and position + value > size:
            return position + value
        if not unknown and name == b"\x18\x53\x80\x67":
            inside = position + value
        if not unknown and name not in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
            position += value
    return position if position > size else 0


def _length_of_number(first: int) -> int:
    """Bytes of a number of EBML, by its first: 1 to 8; 9 where it is none."""
    return 9 - first.bit_length()


def load_av() -> Any:
    """PyAV.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        import av
        import av.stream
    except ImportError as error:
        raise UnavailableError("video needs PyAV", "pip install 'edgesr[faces]'") from error
    return av
