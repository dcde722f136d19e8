"""A training run as it shows on a terminal and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesr.cli import output

if TYPE_CHECKING:
    from edgesr.data.faces import EvalPair
    from edgesr.training.config import Progress
    from edgesr.training.trainer import Trainer

LINE_EVERY = 200
"""Steps between lines of a log."""


def fit(
    trainer: Trainer,
    label: str,
    *,
    validation: list[EvalPair] | None = None,
    validate_every: int = 1000,
    max_minutes: float | None = None,
    visible: bool = True,
) -> dict[str, float]:
    """Train with a progress bar, or with a line now and then; returns the last validation's figures."""
    last: dict[str, float] = {}
    steps = trainer.config.steps
    with output.progress_bar(visible) as bar:
        task = bar.add_task(label, total=steps, completed=trainer.step)

        def on_step(progress: Progress) -> None:
            rate = f"loss {progress.loss:.4f}, {progress.samples_per_second:.0f} samples/s"
            bar.update(task, completed=progress.step, description=rate)
            if progress.validation:
                last.update(progress.validation)
                bar.console.print(f"step {progress.step}: {rate}; {describe(progress.validation)}")
            elif bar.disable and progress.step % LINE_EVERY == 0:
                output.say(f"step {progress.step}/{steps}: {rate}")

        trainer.fit(validation=validation, validate_every=validate_every, max_minutes=max_minutes, on_step=on_step)
    return last


def describe(validation: dict[str, float]) -> str:
    """One line of a validation's figures, in dB."""
    return ", ".join(f"{name} {value:.2f}" for name, value in validation.items())
