"""Does the booth's page restore what PyTorch restores, with a network of one's own? (the London samples, any network)

    edgesr convert --target web --precision fp32 -c docs/training/pwave-x8-photo -o pwave-web
    python benchmarks/booth_restores.py pwave-web docs/training/pwave-x8-photo

`edgesr booth` serves the bundle, and headless Chromium opens its page, imports a gallery of the samples' exemplars and
restores their LR faces; PyTorch does the same with the exemplars that the page chose. Exit code 1 where a face of the
page is less than 40 dB from PyTorch's. Needs Chromium, Node and what `web_demo/tools/check.py` installs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import edgesr
from edgesr.api import Model
from edgesr.data.samples import sample_faces
from edgesr.errors import EdgesrError
from edgesr.evaluation.methods import degrade
from edgesr.evaluation.metrics import psnr
from edgesr.faces.descriptor import describe
from edgesr.gallery.build import empty_gallery
from edgesr.gallery.format import Entry, Gallery, write_gallery
from edgesr.models.interface import separate
from edgesr.runtime.base import unstacked

LEAST = 40.0
PAGE = Path(__file__).resolve().parent.parent / "web_demo" / "tools" / "in_the_booth.mjs"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="a web bundle")
    parser.add_argument("checkpoint", help="that it was made of")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "int8"], help="of the bundle's networks")
    parser.add_argument("--runs", type=int, default=20, help="timed runs of each graph")
    arguments = parser.parse_args()
    model = edgesr.load(arguments.checkpoint)
    gallery = gallery_of(model)
    config = model.config
    faces = [degrade(face.target, config.scale) for face in sample_faces(config.hr_size)]
    with tempfile.TemporaryDirectory() as scratch:
        write_gallery(Path(scratch) / "me.gallery", gallery)
        job = {
            "gallery": base64.b64encode((Path(scratch) / "me.gallery").read_bytes()).decode(),
            "faces": [face.reshape(-1).tolist() for face in faces],
            "side": config.lr_size,
            "precision": arguments.precision,
            "runs": arguments.runs,
        }
        found = in_the_booth(arguments.bundle, job, Path(scratch))
    from_torch = []
    for lr, one in zip(faces, found["restored"], strict=True):
        sr, _ = model.restore(lr, model.features_of(gallery, one["exemplars"]))
        from_torch.append(psnr(np.array(one["rgb"], np.uint8).reshape(sr.shape), sr))
    where = f"{model.name} {arguments.precision} in Chromium {found['browser']}"
    how_many = f"{len(faces)} faces with {len(found['restored'][0]['exemplars'])} exemplars"
    print(f"{where}: {how_many}, {min(from_torch):.1f} to {max(from_torch):.1f} dB from PyTorch")
    for row in found["measured"]:
        times = f"{row['median']:.0f} ms [{row['p10']:.0f}, {row['p90']:.0f}]"
        print(f"{row['graph']}, {row['provider']}: {times}")
    return 0 if min(from_torch) >= LEAST else 1


def gallery_of(model: Model) -> Gallery:
    """The exemplars of the sample people, a stored entry each."""
    blank, entries = empty_gallery([model]), []
    for face in sample_faces(model.config.hr_size):
        (features,) = unstacked(model.encode([face.exemplar]))
        kept = (blank.sections[0].pack(separate(features)),)
        sha256 = hashlib.sha256(face.exemplar.tobytes()).hexdigest()
        entries.append(Entry(kept, describe(face.exemplar, None), sha256, {}))
    return blank.replace(entries=tuple(entries))


def in_the_booth(bundle: Path, job: dict[str, Any], scratch: Path) -> Any:
    """What the page answers."""
    (scratch / "job.json").write_text(json.dumps(job))
    booth = [sys.executable, "-m", "edgesr.cli", "booth", "--no-browser", "--port", "0", "--bundle", str(bundle)]
    with subprocess.Popen(booth, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address:
                sys.exit("booth_restores: edgesr booth did not start")
            asked = ["node", str(PAGE), address, str(scratch / "job.json"), str(scratch / "answer.json")]
            subprocess.run(asked, check=True)
        finally:
            server.terminate()
    return json.loads((scratch / "answer.json").read_text())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(f"booth_restores: {error}")
