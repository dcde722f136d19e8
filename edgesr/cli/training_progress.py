"""A training run as it shows on a terminal and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgesr.cli import progress

if TYPE_CHECKING:
    from edgesr.data.faces import EvalPair
    from edgesr.training.config import Progress
    from edgesr.training.trainer import Trainer


def fit(
    trainer: Trainer,
    label: str,
    *,
    validation: list[EvalPair] | None = None,
    validate_every: int = 1000,
    max_minutes: float | None = None,
    visible: bool = True,
) -> dict[str, float]:
    """Train and show how far it is, from the first step on; returns the last validation's figures."""
    last: dict[str, float] = {}
    with progress.job(label, trainer.config.steps, trainer.step, unit="step", soon=True, visible=visible) as shown:

        def on_step(at: Progress) -> None:
            rate = f"loss {at.loss:.4f}, {at.samples_per_second:.1f} samples/s"
            shown.at(at.step, rate)
            if at.validation:
                last.update(at.validation)
                shown.say(f"step {at.step}: {rate}; {describe(at.validation)}")

        try:
            trainer.fit(
                validation=validation,
                validate_every=validate_every,
                max_minutes=max_minutes,
                on_step=on_step,
                tick=shown.at,
            )
        except KeyboardInterrupt as stop:
            stop.hint = f"the same command goes on from step {trainer.step}"  # type: ignore[attr-defined]
            raise
    return last


def describe(validation: dict[str, float]) -> str:
    """One line of a validation's figures, in dB."""
    return ", ".join(f"{name} {value:.2f}" for name, value in validation.items())
