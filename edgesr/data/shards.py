"""Crops in sharded files, for sets that do not fit into memory: written once, read at random, by Apache Arrow.

``SHARDS/shards.json`` names the people, how many photos each has, and the files: Arrow IPC, memory-mapped, with the
crops' own bytes (PNG, JPEG) and a CRC of each. A person's photos lie next to each other. Decoding takes twenty times
as long as reading, so the next batch is decoded while the present one is trained on. Memory is that of two batches and
some 24 bytes a photo; pages of the mapped files are the system's to take back.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from edgesr.data.crops import part_names, write_list
from edgesr.data.layout import EVAL_LIST, MANIFEST, SHARD_INDEX, evaluation_files, manifest_rows, to_train_on
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.atomic import folder_aside
from edgesr.files.places import refuse_nested
from edgesr.files.reading import read_json
from edgesr.images.imaging import Pixels, read_bytes, read_reduced
from edgesr.models.description import sha256_of
from edgesr.process import threads

if TYPE_CHECKING:
    from edgesr.data.faces import Track

FORMAT, VERSION = "edgesr-shards", 1

ROWS = 8192
"""Photos of a file: some 60 MB of JPEG crops of 128 pixels, 250 MB of PNG."""

CHUNK = 64
"""Photos of a record batch, the unit that Arrow finds."""

DECODERS = 4
"""Threads that decode, at most; Pillow decodes without Python's lock."""

AGAIN = "edgesr data shard FOLDER -o SHARDS --force writes the shards again"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file of ``rows`` photos, its length and SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Written:
    """What ``write_shards`` made."""

    photos: int
    people: int
    shards: int
    evaluated: int
    """Photos of the evaluation list, copied beside the shards."""


def write_shards(
    folder: Path, out: Path, size: int, split: str = "train", *, rows: int = ROWS, track: Track = iter
) -> Written:
    """Write those of ``folder`` who are trained on into shards; the evaluation list and its photos come along as files.

    Raises:
        InputOutputError: a photo is unreadable or of another size, or ``out`` cannot be written.
        UsageError: no such split, or ``out`` is not to be replaced (``refuse_other``).
        UnavailableError: Arrow is not installed.
    """
    refuse_other(out, folder)
    arrow = _arrow()
    found = to_train_on(folder, split, size, 2)
    paths = [path for photos in found.values() for path in photos]
    schema = arrow.schema([("photo", arrow.binary()), ("crc", arrow.uint32())])
    shards: list[Shard] = []
    with folder_aside(out) as aside:
        shown = track(paths)
        for number in range(0, len(paths), rows):
            file = f"{split}-{number // rows:05}.arrow"
            count = min(rows, len(paths) - number)
            with arrow.OSFile(str(aside / file), "wb") as stream, arrow.ipc.new_file(stream, schema) as writer:
                for start in range(0, count, CHUNK):
                    content = [_crop(next(shown), size) for _ in range(min(CHUNK, count - start))]
                    columns = [arrow.array(content, arrow.binary()), arrow.array(map(zlib.crc32, content), "uint32")]
                    writer.write_batch(arrow.record_batch(columns, schema=schema))
            shards.append(Shard(file, count, (aside / file).stat().st_size, sha256_of(aside / file)))
        for _ in shown:  # a bar is at its end only once it is asked for more
            pass
        people = [[name, len(photos)] for name, photos in found.items()]
        described = {"format": FORMAT, "version": VERSION, "size": size, "split": split, "rows": rows, "people": people}
        index = described | {"shards": [dataclasses.asdict(shard) for shard in shards]}
        (aside / SHARD_INDEX).write_text(json.dumps(index), encoding="utf-8")
        files = evaluation_files(folder, size)
        for path in files:
            (aside / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aside / path.relative_to(folder))
        if files:
            shutil.copyfile(folder / EVAL_LIST, aside / EVAL_LIST)
            _write_manifest(folder, aside, size, files)
    return Written(len(paths), len(found), len(shards), len(files))


def _write_manifest(folder: Path, aside: Path, size: int, files: list[Path]) -> None:
    """What the folder's manifests, where it has any, say of the photos that come along."""
    if not (folder / MANIFEST).exists() and not part_names(folder):
        return
    along = {path.relative_to(folder / str(size)).as_posix() for path in files if folder / str(size) in path.parents}
    if rows := [row for row in manifest_rows(folder, size) if row["file"] in along]:
        columns = list(rows[0])
        write_list(aside / MANIFEST, columns, [[row.get(column, "") for column in columns] for row in rows], force=True)


def refuse_other(out: Path, folder: Path) -> None:
    """Raises UsageError: ``out`` and ``folder`` lie in each other, or ``out`` holds anything but shards."""
    refuse_nested(out, folder)
    if out.exists() and not (out / SHARD_INDEX).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} exists and holds no shards", "--force replaces shards only: choose another place")


class ShardedFaces:
    """The photos of a folder of shards, as ``FaceSet`` has them, but on the disk."""

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder, self.size, self._rows = folder, index["size"], index["rows"]
        self.names = [name for name, _ in index["people"]]
        self.person = torch.repeat_interleave(torch.tensor([count for _, count in index["people"]]))
        self.shards = [Shard(**shard) for shard in index["shards"]]
        self.device = torch.device("cpu")
        self._lock = threading.Lock()
        self._files: dict[int, Any] = {}
        count = min(DECODERS, max(1, threads.count()))
        self._pool = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._ahead: tuple[Tensor, list[concurrent.futures.Future[Pixels]]] | None = None

    @classmethod
    def open(cls, folder: Path, size: int, split: str) -> ShardedFaces:
        """Raises:
        InputOutputError: the index is damaged, or a shard is missing or of another length; it is named.
        UsageError: they are of another size or split.
        UnavailableError: Arrow is not installed.
        """
        _arrow()
        path = folder / SHARD_INDEX
        index = read_json(path, AGAIN)
        if not isinstance(index, dict) or (index.get("format"), index.get("version")) != (FORMAT, VERSION):
            raise InputOutputError(f"{path} is no index of shards that this edgesr reads", AGAIN)
        try:
            faces = cls(folder, index)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputOutputError(f"{path} is damaged", AGAIN) from error
        if (faces.size, index.get("split")) != (size, split):
            raise UsageError(
                f"{folder} has crops of {faces.size} pixels of {index.get('split')!r}, not {size} of {split!r}",
                f"edgesr data shard FOLDER -o SHARDS --size {size} --split {split}",
            )
        for shard in faces.shards:
            file = folder / shard.file
            if not file.is_file():
                raise InputOutputError(f"{file} is missing, one of {len(faces.shards)} shards", AGAIN)
            if file.stat().st_size != shard.bytes:
                raise InputOutputError(f"{file} has {file.stat().st_size:,} bytes, not {shard.bytes:,}: cut off", AGAIN)
        if sum(shard.rows for shard in faces.shards) != len(faces):
            raise InputOutputError(f"{path} is damaged: its people have not as many photos as its shards", AGAIN)
        return faces

    def __len__(self) -> int:
        return len(self.person)

    def to(self, device: torch.device) -> ShardedFaces:
        """The same, whose photos come on ``device``."""
        self.device = device
        return self

    def take(self, index: Tensor) -> Tensor:
        """Photos uint8 [N, 3, S, S] of indices [N].

        Raises:
            InputOutputError: a shard is damaged; it is named.
        """
        wanted, place = torch.unique(index, return_inverse=True)
        ahead, self._ahead = self._ahead, None
        decoded: Iterator[Pixels]
        if ahead is not None and torch.equal(ahead[0], wanted):
            decoded = (one.result() for one in ahead[1])
        else:
            decoded = self._pool.map(self._photo, wanted.tolist())
        images = np.stack(list(decoded)) if len(wanted) else np.empty((0, self.size, self.size, 3), np.uint8)
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()[place].to(self.device)

    def expect(self, index: Callable[[], Tensor]) -> None:
        """Begin to decode what the next ``take`` will ask for."""
        wanted = torch.unique(index())
        self._ahead = wanted, [self._pool.submit(self._photo, i) for i in wanted.tolist()]

    def fingerprint(self) -> dict[str, Tensor]:
        """What tells these photos from others: the hashes of the shards."""
        said = json.dumps([shard.sha256 for shard in self.shards])
        return {"shards": torch.frombuffer(bytearray(hashlib.sha256(said.encode()).digest()), dtype=torch.uint8)}

    def _photo(self, i: int) -> Pixels:
        number, row = divmod(i, self._rows)
        path = self.folder / self.shards[number].file
        arrow = _arrow()
        try:
            with self._lock:
                if number not in self._files:
                    self._files[number] = arrow.ipc.open_file(arrow.memory_map(str(path)))
                batch = self._files[number].get_batch(row // CHUNK)
            content, crc = (column[row % CHUNK].as_py() for column in batch.columns)
        except (arrow.ArrowException, OSError, IndexError, ValueError) as error:
            raise InputOutputError(f"{path} is damaged: photo {row} cannot be read", AGAIN) from error
        if content is None or zlib.crc32(content) != crc:
            raise InputOutputError(f"{path} is damaged: photo {row} is not what was written", AGAIN)
        return read_reduced(path, content)[0]


def _crop(path: Path, size: int) -> bytes:
    """A crop's file, which must be of that size."""
    content = read_bytes(path)
    shape = read_reduced(path, content)[0].shape
    if shape[:2] != (size, size):
        raise InputOutputError(
            f"{path} is {shape[1]}x{shape[0]}, not {size}x{size}",
            f"shards hold aligned crops: edgesr data prepare PHOTOS --size {size} makes them",
        )
    return content


def _arrow() -> Any:
    """pyarrow with its ``ipc``, imported where shards are used alone."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise UnavailableError("shards need pyarrow", "pip install 'edgesr[train]'") from error
    return pyarrow
