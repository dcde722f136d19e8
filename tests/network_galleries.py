"""A gallery of two sample people for any network, and a face that is restored with it, for readers in other languages.

The photos are the sample faces, London set, CC-BY 4.0 (edgesr/samples/ATTRIBUTION.md).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from edgesr.api import Model
from edgesr.data.samples import sample_faces
from edgesr.evaluation.methods import degrade
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Entry, Gallery
from edgesr.models.interface import separate
from edgesr.runtime.base import unstacked


def sample_gallery(model: Model) -> Gallery:
    """The exemplars of the first two sample people."""
    blank, entries = empty_gallery([model]), []
    for number, face in enumerate(sample_faces(model.config.hr_size)[:2]):
        (features,) = unstacked(model.encode([face.exemplar]))
        sha256 = hashlib.sha256(face.exemplar.tobytes()).hexdigest()
        kept = (blank.sections[0].pack(separate(features)),)
        entries.append(Entry(kept, describe(face.exemplar, None), sha256, {"sharpness": 0.5 + number / 8}))
    return blank.replace(entries=tuple(entries))


def restored_with(model: Model, gallery: Gallery) -> dict[str, Any]:
    """The first sample person's LR face, the gallery's entries in the order in which they are given, the SR face and
    each exemplar's weights: lists of numbers, pixels as 0 to 255 row by row."""
    lr = degrade(sample_faces(model.config.hr_size)[0].target, model.config.scale)
    sr, weights = model.restore(lr, model.features_of(gallery, [1, 0]))
    return {
        "lr": lr.reshape(-1).tolist(),
        "exemplars": [1, 0],
        "sr": sr.reshape(-1).tolist(),
        "weights": np.asarray(weights).round(6).reshape(-1).tolist(),
    }
