"""How exactly a HIME-large's flow finds a shift that is known.

    python benchmarks/known_shifts.py CHECKPOINT FACES --split val

Each photo is its own exemplar, shifted by so many LR pixels in eight directions, and the LR face is made of the photo
as it is. The error is the mean distance in LR pixels between the estimated flow and the shift, over what lies inside
the exemplar; a flow of zeros errs by the shift itself. Intervals are 95 % over people.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from edgesr.data.degradation import lr_faces
from edgesr.data.faces import load_faces, read_eval_list
from edgesr.errors import EdgesrError
from edgesr.evaluation.metrics import over_people
from edgesr.models import load_checkpoint
from edgesr.models.hime_large.known_shifts import errors
from edgesr.models.hime_large.network import HIMELarge


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="of a HIME-large")
    parser.add_argument("faces", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--every", type=int, default=2, help="only every so many photos")
    parser.add_argument("--shifts", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="LR pixels")
    parser.add_argument("--degradations", nargs="+", default=["bicubic", "phone-2"])
    arguments = parser.parse_args()
    model = load_checkpoint(arguments.checkpoint).model.eval()
    if not isinstance(model, HIMELarge):
        parser.error(f"{arguments.checkpoint} has no flow: a HIME-large is asked for")
    pairs = read_eval_list(arguments.faces, arguments.split, model.config.hr_size)[:: arguments.every]
    hr = load_faces([pair.target for pair in pairs], model.config.hr_size).float().div(255)
    people = [pair.person for pair in pairs]
    for degradation in arguments.degradations:
        lr = lr_faces(hr, model.config.scale, degradation, torch.Generator().manual_seed(0))
        for shift in arguments.shifts:
            error = over_people(errors(model, hr, lr, shift).tolist(), people)
            found = f"{error.mean:.3f} [{error.low:.3f}, {error.high:.3f}]"
            print(f"{degradation}, {len(pairs)} faces, shift of {shift:g}: {found}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(f"known_shifts: {error}")
