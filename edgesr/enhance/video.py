"""Enhancing a clip: earlier frames in which a face was large and sharp are the exemplars for where it is tiny."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from edgesr.enhance.clip import Clip, Frame, open_clip
from edgesr.enhance.clip_file import opened
from edgesr.enhance.clip_write import format_of, write_clip
from edgesr.enhance.faces import find_faces, side_of
from edgesr.enhance.grain import add_grain, grain_for
from edgesr.enhance.paste import paste, scaled, upscale
from edgesr.enhance.regions import Network, factor_for, network_for
from edgesr.enhance.run import DEFAULTS, Enhancer, Settings
from edgesr.enhance.whose import Judge
from edgesr.errors import InputOutputError, UsageError
from edgesr.faces.alignment import crop_face
from edgesr.faces.descriptor import describe
from edgesr.faces.face import Detector, Face
from edgesr.files.atomic import file_aside
from edgesr.gallery.build import empty_gallery, encode_entries
from edgesr.gallery.format import Entry, Gallery
from edgesr.gallery.photos import Candidate, landmarks_of
from edgesr.gallery.quality import LEAST_SIZE
from edgesr.gallery.quality import judge as judge_quality
from edgesr.images.imaging import Pixels
from edgesr.release import __version__

MOST_MEGAPIXELS = 8.3
"""The most megapixels of an output's frame: 4K."""

SCANNED = 12
"""Frames looked at before, spread over the clip, to choose how large the output must be."""

POOL, APART = 8, 5
"""The latest frames kept as exemplars of a face, and how many lie between two at least: neighbours are alike."""

FORGOTTEN = 15
"""Frames after which a face that was lost is another one."""

STILL = 0.03
"""A face that moved by less than this share of its side is held half where it was: landmarks tremble."""


@dataclasses.dataclass(eq=False)
class Track:
    """A face through the frames."""

    face: Face
    seen: int
    """The last frame it was in."""
    stored: int = -APART
    """The last frame that became an exemplar."""
    pool: dict[str, list[Entry]] = dataclasses.field(default_factory=dict)
    """The exemplars by network, the latest last."""


@dataclasses.dataclass(frozen=True)
class ClipResult:
    """What became of a clip. ``faces`` and ``restored`` count faces in frames; ``exemplars``: frames stored as such;
    ``with_exemplars``: restored faces that had at least one."""

    frames: int
    size: tuple[int, int]
    factor: int
    faces: int
    restored: int
    exemplars: int
    with_exemplars: int
    notes: tuple[str, ...] = ()
    """What of the clip could not be kept."""
    changed: bool = True
    """False: no face gained, and the output is the clip's own file."""


class ClipEnhancer:
    """Enhances frames in their order."""

    def __init__(
        self, networks: Sequence[Network], detector: Detector, settings: Settings, judge: Judge | None = None
    ) -> None:
        self.networks, self.detector, self.settings = list(networks), detector, settings
        self.judge = judge
        self.enhancer = Enhancer(networks, detector, settings, judge)
        self.tracks: list[Track] = []
        self.faces = self.restored = self.exemplars = self.with_exemplars = 0

    def frame(self, number: int, frame: Pixels, factor: int) -> Pixels:
        """A frame uint8 [H, W, 3], ``factor`` times as large, with its faces restored."""
        self.tracks = [track for track in self.tracks if number - track.seen <= FORGOTTEN]
        pasted = []
        found = find_faces(frame, self.detector, self.settings.tiny)
        for face in found:
            self.faces += 1
            track = self._follow(face, number)
            self._store(track, frame, number)
            networks = [self._with_pool(network, track, len(found)) for network in self.networks]
            done = self.enhancer.restore(frame, track.face, networks)
            if done.restored and done.sr is not None:
                self.restored += 1
                self.with_exemplars += bool(done.exemplars)
                pasted.append((done.sr, track.face))
        result = upscale(frame, factor)
        grains = [grain_for(frame, sr, face.alignment) for sr, face in pasted if self.settings.grain]
        for sr, face in pasted:
            paste(result, sr, scaled(face.alignment, factor), self.settings.strength)
        for grain in grains:
            add_grain(result, grain, factor, self.settings.strength)
        return result

    def _follow(self, face: Face, number: int) -> Track:
        """The track that this face goes on, or a new one."""
        free = [track for track in self.tracks if track.seen < number]
        centre = np.array(face.alignment.centre)
        near = [(float(np.hypot(*(centre - track.face.alignment.centre))), track) for track in free]
        distance, track = min(near, key=lambda pair: pair[0], default=(np.inf, None))
        side = face.alignment.side
        if track is None or distance > 0.5 * side or not 0.6 < side / track.face.alignment.side < 1.7:
            track = Track(face, number)
            self.tracks.append(track)
            return track
        moved = np.abs(face.landmarks - track.face.landmarks).max()
        if track.seen == number - 1 and moved < STILL * side:
            face = dataclasses.replace(face, landmarks=(face.landmarks + track.face.landmarks) / 2)
        track.face, track.seen = face, number
        return track

    def _store(self, track: Track, frame: Pixels, number: int) -> None:
        """Keep this frame's face as an exemplar of the networks that it is large enough for, if it is good enough."""
        side = side_of(track.face)
        networks = [network for network in self.networks if network.hr_size <= side]
        if number - track.stored < APART or not networks:
            return
        size = max(network.hr_size for network in networks)
        crop = crop_face(frame, track.face.alignment, size)
        landmarks = landmarks_of(track.face, size)
        try:
            # The side was checked above, by each network's own size.
            quality = judge_quality(crop, landmarks, max(track.face.alignment.side, LEAST_SIZE))
        except InputOutputError:
            return
        if quality.reasons:
            return
        sha = hashlib.sha256(number.to_bytes(8, "little") + crop.tobytes()).hexdigest()
        shown = Candidate(Path(), sha, crop, landmarks, quality, describe(crop, landmarks))
        for network in networks:
            base = network.gallery or empty_gallery([network.model], "fp16")
            pool = track.pool.setdefault(network.model.name, [])
            pool += encode_entries([shown], [network.model], base)
            del pool[:-POOL]
        track.stored = number
        self.exemplars += 1

    def _with_pool(self, network: Network, track: Track, faces: int) -> Network:
        """The network with its gallery and the earlier frames of this face, in a frame that shows so many faces."""
        pool = track.pool.get(network.model.name, [])
        gallery = network.gallery
        if gallery is not None and not self._may_be_used(gallery, faces):
            gallery = gallery.replace(entries=())
        if not pool:
            return Network(network.model, gallery)
        base = gallery or empty_gallery([network.model], "fp16")
        # Entries of the clip have no embeddings; they are of this very face, so nobody has to judge them.
        return Network(network.model, base.replace(entries=(*base.entries, *pool)))

    def _may_be_used(self, gallery: Gallery, faces: int) -> bool:
        """Whether it can be told whose face it is, or there is but one, or the user says so."""
        return faces < 2 or self.settings.trusting or (self.judge is not None and self.judge.tells(gallery))


def enhance_clip(
    source: Path | Clip,
    target: Path,
    networks: Sequence[Network],
    detector: Detector,
    settings: Settings = DEFAULTS,
    judge: Judge | None = None,
    progress: Callable[[Iterable[Frame], int], Iterable[Frame]] = lambda frames, _: frames,
) -> ClipResult:
    """Enhance a clip. Its sound, subtitles, chapters and tags are copied, its frames keep their times, their colours'
    meaning and their pixels' aspect. Memory: a frame and its output, and those that the codec looks ahead.

    ``networks`` may have galleries, to which the clip's own frames are added. ``settings.upscale`` None chooses how
    many times larger the output is, for the whole clip, from the faces in some of its frames.

    A clip in which no face gained and that is not enlarged stays its own file, to the byte, where its suffix stays.

    Raises:
        InputOutputError: it cannot be read or written, is cut short or HDR, or has no frames.
        UsageError: a suffix that is not written, or an output beyond 4K that was asked for.
        UnavailableError: no PyAV.
    """
    format_of(target)
    clip = (source if isinstance(source, Clip) else open_clip(source)).without(settings.strip)
    factor = choose_factor(clip, networks, detector, settings)
    # Codecs take even sides alone.
    width, height = (side * factor // 2 * 2 for side in (clip.width, clip.height))
    notes = list(clip.notes)
    if (width, height) != (clip.width * factor, clip.height * factor):
        notes.append("its last column or row was left out: H.264 takes even sides")
    if clip.fine_colours and factor == 1:
        notes.append("its colours are stored at half its width and height now (4:2:0)")
    run = ClipEnhancer(networks, detector, settings, judge)
    changed = True
    try:
        with (
            opened(clip.path) as container,
            write_clip(target, (width, height), clip.look, tags(clip, settings)) as writer,
        ):
            notes += writer.copy(container, clip)
            for number, frame in enumerate(progress(clip.read(), clip.frames)):
                pixels = run.frame(number, frame.pixels, factor)[:height, :width]
                writer.write(dataclasses.replace(frame, pixels=pixels))
            if writer.frames < clip.frames:
                raise InputOutputError(f"{clip.path} gave {writer.frames} of {clip.frames} frames", "it looks damaged")
            same_kind = clip.path.suffix.lower() == target.suffix.lower()
            if not run.restored and factor == 1 and same_kind and not settings.strip:
                raise _UnchangedError
    except _UnchangedError:
        with file_aside(target) as aside:
            shutil.copyfile(clip.path, aside)
        changed, notes, width, height = False, [], clip.width, clip.height
    counts = (run.faces, run.restored, run.exemplars, run.with_exemplars)
    return ClipResult(clip.frames, (width, height), factor, *counts, tuple(notes), changed)


class _UnchangedError(Exception):
    """Nothing was changed: what was written aside is not wanted."""


def tags(clip: Clip, settings: Settings) -> dict[str, str]:
    """The clip's own, and who changed it."""
    done = "faces edited with another person's photos" if settings.allow_other else "faces enhanced"
    before = next((value for name, value in clip.tags.items() if name.lower() == "comment"), None)
    others = {name: value for name, value in clip.tags.items() if name.lower() != "comment"}  # MKV writes it large
    mark = f"{done} by edgesr {__version__}" + (f"; {before}" if before else "")
    return others | {"comment": mark}


def choose_factor(clip: Clip, networks: Sequence[Network], detector: Detector, settings: Settings) -> int:
    """How many times larger the output is: as for a photo, from the median face of those that gain."""
    megapixels = min(settings.megapixels, MOST_MEGAPIXELS)
    size = (clip.width, clip.height)
    if settings.upscale is not None:
        if settings.upscale > 1 and settings.upscale**2 * size[0] * size[1] > megapixels * 1e6:
            raise UsageError(
                f"{settings.upscale} times as large its frames have more than {megapixels:g} megapixels",
                "choose a smaller --upscale",
            )
        return settings.upscale
    if settings.strength == 0:
        return 1
    every = max(1, clip.frames // SCANNED)
    sides = []
    for number, frame in enumerate(clip.read()):
        if number % every == 0:
            for face in find_faces(frame.pixels, detector, settings.tiny):
                network, _ = network_for(side_of(face), networks)
                if network is not None:
                    sides.append((side_of(face), network.hr_size))
    if not sides:
        return 1
    return factor_for([sorted(sides)[len(sides) // 2]], size, megapixels)[0]
