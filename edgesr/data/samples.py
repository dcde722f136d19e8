"""The sample faces in the package: six people of the London set (CC-BY 4.0), two photos each."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from edgesr.images.imaging import Pixels, read_image

FOLDER = Path(__file__).parent.parent / "samples"


@dataclasses.dataclass(frozen=True)
class SampleFace:
    """A target photo and another photo of the same person, uint8 [size, size, 3]."""

    person: str
    target: Pixels
    exemplar: Pixels


def sample_faces(size: int) -> list[SampleFace]:
    """The six people at ``size`` pixels: smiling as the target, neutral as the exemplar."""

    def photo(path: Path) -> Pixels:
        image = Image.fromarray(read_image(path))
        return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))

    return [
        SampleFace(
            path.name.removesuffix("_1.jpg"), photo(path.with_name(path.name.replace("_1.", "_2."))), photo(path)
        )
        for path in sorted(FOLDER.glob("*_1.jpg"))
    ]
