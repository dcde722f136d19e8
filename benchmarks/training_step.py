"""Does a training step cost at most 1.1x its bare forward and backward? And which settings are fastest here?

Made-up photos, the real network. Every step is taken twice in turns: bare (forward, loss, backward on a batch that is
there already) and whole (batch, forward, loss, backward, clipping, Adam, averages). Exit code 1 where the median
ratio of the first variant, the trainer's own, is above 1.1.

    python benchmarks/training_step.py [--steps 20] [--threads 2] [--network hime-small-x4] [--batch-size 16] [--all]

``--all`` adds fp32 and the layout that is not channels-last. An allocator is chosen from outside, and worth a try
on CPU: LD_PRELOAD=/path/to/libjemalloc.so python benchmarks/training_step.py
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from edgesr.data.faces import FaceSet
from edgesr.models import PRESETS
from edgesr.models.hime.config import HIMEConfig
from edgesr.training.config import TrainConfig
from edgesr.training.trainer import Trainer

LIMIT = 1.1
WARM_UP = 3
PEOPLE, PHOTOS_EACH = 16, 4


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of each step."""

    bare: list[float]
    whole: list[float]
    batch_size: int

    @property
    def ratio(self) -> float:
        """Median over the steps: what else the machine does hits single steps."""
        return statistics.median(w / b for w, b in zip(self.whole, self.bare, strict=True))

    def __str__(self) -> str:
        rate = self.batch_size * len(self.whole) / sum(self.whole)
        outside = max(0.0, 1 - 1 / self.ratio)
        return f"{rate:7.1f} samples/s   whole/bare {self.ratio:.3f}   outside forward and backward {outside:.1%}"


def measure(network: HIMEConfig, precision: str, channels_last: bool, batch_size: int, steps: int) -> Timing:
    """Steps of a new run, in turns with their bare forward and backward on the same batches."""
    size, count = network.hr_size, PEOPLE * PHOTOS_EACH
    photos = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    person = torch.arange(PEOPLE).repeat_interleave(PHOTOS_EACH)
    faces = FaceSet(photos, person, [f"person{i}" for i in range(PEOPLE)])
    config = TrainConfig(batch_size=batch_size, precision=precision)
    bare, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Path(folder), "benchmark", network, config, faces)
        if not channels_last:
            trainer.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        for step in range(WARM_UP + steps):
            batch = trainer.sampler.batch(trainer.step, trainer.step / config.steps)

            def forward_and_backward(batch=batch, trainer=trainer) -> None:  # type: ignore[no-untyped-def]
                sr, _ = trainer.wrapped(batch.lr, batch.exemplars, batch.valid)
                loss, _ = trainer.objective(sr, batch.hr)
                trainer.optimizer.zero_grad()
                trainer.fabric.backward(loss)

            # Which one goes first alternates, so that neither always finds the caches warm.
            first, second = (forward_and_backward, trainer.train_step)[:: 1 if step % 2 else -1]
            seconds = {work: timed(work) for work in (first, second)}
            if step >= WARM_UP:
                bare.append(seconds[forward_and_backward])
                whole.append(seconds[trainer.train_step])
    return Timing(bare, whole, batch_size)


def timed(work: Callable[[], object]) -> float:
    """Seconds, with the device's work done before and after."""
    synchronize = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    synchronize()
    started = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, help="of the CPU; default: all cores")
    parser.add_argument("--network", choices=sorted(PRESETS), default="hime-small-x4")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--all", action="store_true", help="all variants, not only the trainer's own")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"{arguments.network}, batch {arguments.batch_size}, {device}", end="")
    print(", LD_PRELOAD " + os.environ["LD_PRELOAD"] if os.environ.get("LD_PRELOAD") else "")
    variants = [("bf16-mixed", True), ("bf16-mixed", False), ("32-true", True), ("32-true", False)]
    ratios = []
    for precision, channels_last in variants if arguments.all else variants[:1]:
        network = PRESETS[arguments.network]
        timing = measure(network, precision, channels_last, arguments.batch_size, arguments.steps)
        ratios.append(timing.ratio)
        layout = "channels-last" if channels_last else "contiguous"
        print(f"{precision:10} {layout:13} {timing}", flush=True)
    if ratios[0] > LIMIT:
        print(f"a step costs {ratios[0]:.3f}x its bare forward and backward; promised: {LIMIT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
