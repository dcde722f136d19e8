"""Writes tests/data/galleries: sample galleries for the readers of every language, and what they decode to.

    python tests/make_galleries.py     (needs OpenCV and dlib)

The photos are the sample faces, London set, CC-BY 4.0 (edgesr/samples/ATTRIBUTION.md).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edgesr.gallery.format import Gallery, read_gallery, write_gallery

FOLDER = Path(__file__).parent / "data" / "galleries"
SHOWN = 8
"""Features of each entry that are written out; the rest is in their hash."""


def decoding(gallery: Gallery) -> dict[str, Any]:
    """What a reader must make of a gallery. Numbers are exact: float32 as the shortest decimal that names it."""
    entries = []
    for i, entry in enumerate(gallery.entries):
        floats = gallery.floats([i])[0]
        entries.append(
            {
                "photo_sha256": entry.photo_sha256,
                "quality": dict(entry.quality),
                "pose": dict(entry.pose),
                "name": entry.name,
                "stored_sha256": hashlib.sha256(entry.features.tobytes()).hexdigest(),
                "floats_sha256": hashlib.sha256(floats.astype("<f4").tobytes()).hexdigest(),
                "first_floats": [float(str(value)) for value in floats.reshape(-1)[:SHOWN]],
                "descriptor": [float(str(value)) for value in entry.descriptor],
                "embedding": None if entry.embedding is None else [float(str(v)) for v in entry.embedding],
            }
        )
    scales = gallery.feature_scales
    return {
        "feature_space": gallery.feature_space,
        "scale": gallery.scale,
        "lr_size": gallery.lr_size,
        "dtype": gallery.dtype,
        "feature_parts": [[name, count] for name, count in gallery.feature_parts.items()],
        "feature_scales": None if scales is None else {name: float(value) for name, value in scales.items()},
        "embedder": gallery.embedder,
        "entries": entries,
    }


def make() -> None:
    from conftest import TINY, lively
    from test_gallery_format import the_example

    import edgesr
    from edgesr.api import Model
    from edgesr.data.samples import FOLDER as PHOTOS
    from edgesr.faces.detection import open_detector
    from edgesr.faces.identity import DlibEmbedder
    from edgesr.gallery.build import empty_gallery, encode_entries
    from edgesr.gallery.photos import Candidate, look
    from edgesr.runtime.torch import TorchRuntime

    FOLDER.mkdir(parents=True, exist_ok=True)
    made = {"example": the_example()}
    detector, embedder = open_detector(report=print), DlibEmbedder()
    tiny = Model(TorchRuntime(lively(TINY)), "tiny", "tiny-of-the-tests", {"f_ref": 0.01, "g_ref": 0.01})
    small = edgesr.load("hime-small-x4")

    def candidates(model: Model, count: int) -> list[Candidate]:
        seen = [look(path, detector, model.config.hr_size) for path in sorted(PHOTOS.glob("*_1.jpg"))[:count]]
        return [one for one in seen if isinstance(one, Candidate)]

    people = candidates(tiny, 4)
    blank = empty_gallery(tiny, "int8")
    made["tiny-int8-names"] = blank.replace(entries=encode_entries(people, tiny, blank, keep_names=True))
    faces = candidates(small, 4)
    vectors = {one.photo_sha256: embedder.embed(one.face, embedder.locate(one.face)[0]) for one in faces}
    blank = empty_gallery(tiny, "fp16", embedder.name)
    made["tiny-fp16-embeddings"] = blank.replace(entries=encode_entries(people, tiny, blank, embeddings=vectors))
    made["tiny-empty"] = empty_gallery(tiny, "int8")
    blank = empty_gallery(small, "int8")
    made["hime-small-x4-int8"] = blank.replace(entries=encode_entries(faces[:1], small, blank))
    for name, gallery in made.items():
        write_gallery(FOLDER / f"{name}.gallery", gallery)
        (FOLDER / f"{name}.gallery").chmod(0o644)  # these are public
        read = decoding(read_gallery(FOLDER / f"{name}.gallery"))
        (FOLDER / f"{name}.json").write_text(json.dumps(read, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make()
