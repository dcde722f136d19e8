"""Draws what a shipped network makes of the sample faces: docs/pictures/NETWORK.jpg.

    python tools/network_picture.py hime-small-x4-photo

A row for each person and kind of LR face (the network's own and `phone-1`, or `bicubic` alone), a column for each
method. The sample faces are of the London set, which has two photos of a person: the other one is the exemplar, so
nobody has three. The wrong person is the next one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import edgesr  # noqa: E402
from edgesr.data.samples import sample_faces  # noqa: E402
from edgesr.errors import EdgesrError  # noqa: E402
from edgesr.evaluation.methods import degrade  # noqa: E402
from edgesr.evaluation.metrics import psnr  # noqa: E402
from edgesr.files.atomic import file_aside  # noqa: E402
from edgesr.images.contact_sheet import SheetRow, contact_sheet  # noqa: E402
from edgesr.images.imaging import resize_bicubic  # noqa: E402

COLUMNS = ("exemplar", "LR", "bicubic", "no exemplar", "this exemplar", "wrong person's", "original")
PEOPLE, QUALITY = 4, 90


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "pictures", help="folder")
    given = parser.parse_args()
    try:
        for network in given.networks:
            draw(network, given.output / f"{network}.jpg")
    except EdgesrError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def draw(network: str, output: Path) -> None:
    """One network's picture."""
    model = edgesr.load(network)
    size = model.config.hr_size
    kinds = ["bicubic"] if model.degradation == "bicubic" else list(dict.fromkeys([model.degradation, "phone-1"]))
    faces = sample_faces(size)
    features = [model.encode([face.exemplar]) for face in faces]
    rows = []
    for i, face in enumerate(faces[:PEOPLE]):
        for kind in kinds:
            lr = degrade(face.target, model.config.scale, kind, face.person)
            galleries = (features[i][:0], features[i], features[(i + 1) % len(faces)])
            made = [resize_bicubic(lr, size, size), *(model.restore(lr, gallery)[0] for gallery in galleries)]
            noted = [(image, f"{psnr(image, face.target):.2f} dB") for image in made]
            rows.append(SheetRow(kind, [(face.exemplar, ""), (lr, f"{len(lr)} px"), *noted, (face.target, "")]))
    output.parent.mkdir(parents=True, exist_ok=True)
    with file_aside(output) as aside:
        contact_sheet(COLUMNS, rows, size).save(aside, "JPEG", quality=QUALITY)


if __name__ == "__main__":
    sys.exit(main())
