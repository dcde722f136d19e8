"""Writes tests/data/galleries: sample galleries for the readers of every language, and what they decode to.

    python tests/make_galleries.py     (needs OpenCV)

The photos are the sample faces, London set, CC-BY 4.0 (edgesr/samples/ATTRIBUTION.md). Those in ``v1`` were written in
version 1 of the format and stay; of each there is what it is upgraded to, under the same name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from edgesr.gallery.format import Gallery, read_gallery, write_gallery
from edgesr.models.interface import separate

FOLDER = Path(__file__).parent / "data" / "galleries"
OLD = FOLDER / "v1"
SHOWN = 8
"""Features of each entry that are written out; the rest is in their hash."""


def decoding(gallery: Gallery) -> dict[str, Any]:
    """What a reader must make of a gallery. Numbers are exact: float32 as the shortest decimal that names it."""
    sections = [
        {
            "feature_space": section.feature_space,
            "scale": section.scale,
            "lr_size": section.lr_size,
            "dtype": section.dtype,
            "maps": [one.to_list() for one in section.maps],
            "codes": [code.to_list() for code in section.codes],
            "feature_scales": None if section.steps is None else {name: float(v) for name, v in section.steps.items()},
        }
        for section in gallery.sections
    ]
    entries = []
    for entry in gallery.entries:
        features: list[Any] = []
        for section, stored in zip(gallery.sections, entry.features, strict=True):
            if stored is None:
                features.append(None)
                continue
            floats = [one[0] for one in separate(section.floats([stored]))]
            features.append(
                {
                    "stored_sha256": [hashlib.sha256(array.tobytes()).hexdigest() for array in stored],
                    "floats_sha256": [hashlib.sha256(one.astype("<f4").tobytes()).hexdigest() for one in floats],
                    "first_floats": [[float(str(value)) for value in one.reshape(-1)[:SHOWN]] for one in floats],
                }
            )
        entries.append(
            {
                "photo_sha256": entry.photo_sha256,
                "quality": dict(entry.quality),
                "pose": dict(entry.pose),
                "name": entry.name,
                "features": features,
                "descriptor": [float(str(value)) for value in entry.descriptor],
                "embedding": None if entry.embedding is None else [float(str(v)) for v in entry.embedding],
            }
        )
    extensions = dict(gallery.extensions)
    return {"embedder": gallery.embedder, "extensions": extensions, "sections": sections, "entries": entries}


def of_two_networks() -> Gallery:
    """Three people's photos for two tiny networks, of which the second was not at hand for one photo."""
    from conftest import TINY, lively

    from edgesr.api import Model
    from edgesr.data.samples import FOLDER as PHOTOS
    from edgesr.faces.detection import open_detector
    from edgesr.gallery.build import empty_gallery, encode_entries
    from edgesr.gallery.photos import Candidate, look
    from edgesr.runtime.torch import TorchRuntime

    spaces = {"tiny-of-the-tests": TINY, "tiny-too": TINY.replace(scale=8, lr_size=4)}
    models = [
        Model(TorchRuntime(lively(config)), name, name, {"f_ref": 0.01, "g_ref": 0.01})
        for name, config in spaces.items()
    ]
    detector = open_detector(report=print)
    seen = [look(path, detector, models[0].config.hr_size) for path in sorted(PHOTOS.glob("*_1.jpg"))[:3]]
    blank = empty_gallery(models)
    photos = [one for one in seen if isinstance(one, Candidate)]
    entries = list(encode_entries(photos, models, blank, keep_names=True))
    entries[1] = dataclasses.replace(entries[1], features=(entries[1].features[0], None))
    return blank.replace(entries=tuple(entries), extensions={"booth": '{"theme":"dark"}'})


def make() -> None:
    from galleries import of_two_networks as of_two_maps
    from make_toy_bundle import make as of_a_toy

    made = {path.stem: read_gallery(path) for path in sorted(OLD.glob("*.gallery"))}
    made |= {"two-networks": of_two_networks(), "two-maps-and-a-code": of_two_maps(1, 2, 3), "toy-maps": of_a_toy()}
    for name, gallery in made.items():
        write_gallery(FOLDER / f"{name}.gallery", gallery)
        (FOLDER / f"{name}.gallery").chmod(0o644)  # these are public
        read = decoding(read_gallery(FOLDER / f"{name}.gallery"))
        (FOLDER / f"{name}.json").write_text(json.dumps(read, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make()
