"""What are more exemplars worth than the network was trained with, and what do more slots cost? No promise, figures.

    python benchmarks/exemplar_count.py [--faces ../shared/faces] [--split val] [--counts 3 4 5] [--model NETWORK]
                                        [--degradation phone-1]
    python benchmarks/exemplar_count.py --time [--counts 3 5] [--rounds 25]

Each face is restored with so many of its person's photos: those of the list and then the others in the folder, which
are targets of the list themselves. *Wrong*: as many of the next person's, and how often it then passes as that one.
PSNR in dB, distance to the original and verification by dlib; intervals are 95 % over people. ``--time``: CPU
milliseconds of the int8 restorer on ExecuTorch with so many slots, in turns, and the ratio to the first by round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from int8_restorer import LOWERING, bundle, in_turns, restorer

import edgesr
from edgesr.data.faces import EvalPair, read_eval_list
from edgesr.data.layout import with_more_exemplars
from edgesr.errors import EdgesrError
from edgesr.evaluation.methods import Methods
from edgesr.evaluation.metrics import over_people, psnr
from edgesr.evaluation.verification import Verification
from edgesr.faces.identity import IdentityMeter, open_embedder

KNOWN_BY = 3
"""Photos by which a person is verified, whatever a face was restored with."""
FIGURES = ("psnr", "distance", "verified")


def judge(model_name: str, faces: Path, split: str, counts: Sequence[int], degradation: str | None) -> None:
    """Print a line for each count, with the right person's photos and with a wrong one's."""
    model = edgesr.load(model_name, least_slots=max(counts), threads=1)
    pairs = read_eval_list(faces, split, model.config.hr_size)
    degradation = degradation or model.degradation
    methods = Methods(model.runtime, pairs, counts=(KNOWN_BY,), degradation=degradation)
    embedder = open_embedder(needed=True)
    assert embedder is not None
    meter = IdentityMeter(embedder)
    verification = Verification(meter, pairs, KNOWN_BY)
    first = {pair.person: pair for pair in reversed(pairs)}
    people = sorted(first)
    found: dict[tuple[str, int], list[tuple[str, float, float, float]]] = {}
    for pair in pairs:
        truth, lr = methods.target(pair)
        other = first[people[(people.index(pair.person) + 1) % len(people)]]
        for whose, shown in (("right", pair), ("wrong", other)):
            for count in counts:
                photos = photos_of(shown)[:count]
                if len(photos) < count:
                    continue
                face = methods.restored_with(lr, photos)
                distance = meter.compare(face, truth)["identity_distance"]
                verified = verification.passes(meter.vector(face, truth), shown.exemplars)
                found.setdefault((whose, count), []).append((pair.person, psnr(face, truth), distance, verified))
    print(f"{model.name}, {split}, {degradation}")
    for (whose, count), rows in sorted(found.items()):
        of = [row[0] for row in rows]
        shares = [over_people([row[i] for row in rows], of) for i in range(1, len(FIGURES) + 1)]
        told = "  ".join(f"{n} {s.mean:.3f} [{s.low:.3f}, {s.high:.3f}]" for n, s in zip(FIGURES, shares, strict=True))
        print(f"{whose} {count}  {len(rows)} faces  {told}", flush=True)


def photos_of(pair: EvalPair) -> list[Path]:
    """The exemplars of the list, and then what else there is of the person."""
    return list(with_more_exemplars(pair, sys.maxsize).exemplars)


def compare(checkpoint: str, counts: Sequence[int], rounds: int) -> None:
    """Print milliseconds and ratios of so many slots."""
    with tempfile.TemporaryDirectory() as folder:
        made = {n: bundle("executorch", "int8", LOWERING, n, checkpoint, Path(folder)) for n in counts}
        taken = in_turns({str(n): restorer(one, one.runtime(1)) for n, one in made.items()}, rounds)
    for name, milliseconds in taken.items():
        p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
        r10, ratio, r90 = np.percentile(np.divide(milliseconds, taken[str(counts[0])]), [10, 50, 90])
        print(f"{name} slots  {median:.2f} ms [{p10:.2f}, {p90:.2f}]  {ratio:.2f} [{r10:.2f}, {r90:.2f}]")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--split", default="val")
    parser.add_argument("--counts", type=int, nargs="+", default=[3, 4, 5])
    parser.add_argument("--model", default=edgesr.DEFAULT_CHECKPOINT)
    parser.add_argument("--degradation", help="default: what the network was trained for")
    parser.add_argument("--time", action="store_true", help="measure time instead")
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args()
    # ExecuTorch's Python runtime wakes torch's other threads, which would wait, spinning, on this process's clock.
    torch.set_num_threads(1)
    if given.time:
        compare(given.model, given.counts, given.rounds)
    else:
        judge(given.model, given.faces, given.split, given.counts, given.degradation)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
