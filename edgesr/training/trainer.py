"""The training loop, on Lightning Fabric: Charbonnier loss, Adam, warm-up and cosine, EMA, exact resume.

A run is a folder: ``state.safetensors`` to go on from, ``checkpoint/`` with the averaged weights so far, and
``log.csv``. A step's batch depends on (seed, step) alone, so a resumed run does what an uninterrupted one does.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from edgesr.data.batches import BatchSampler, Curriculum
from edgesr.data.faces import EvalPair, FaceSet
from edgesr.errors import CheckpointError, EdgesrError, InputOutputError, UsageError
from edgesr.evaluation import evaluate
from edgesr.models.checkpoint import read_tensors, save_checkpoint
from edgesr.models.config import HIMEConfig
from edgesr.models.hime import HIME
from edgesr.runtime.torch import TorchRuntime
from edgesr.training.feature_scales import measure_feature_scales
from edgesr.training.interruption import uninterrupted
from edgesr.training.losses import charbonnier


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything a run's result depends on, besides the photos and the network's configuration."""

    steps: int = 16_000
    batch_size: int = 16
    learning_rate: float = 6e-4
    warmup_steps: int = 200
    gradient_clip: float = 1.0
    ema: float = 0.999
    precision: str = "bf16-mixed"
    seed: int = 0
    curriculum: Curriculum = Curriculum()


@dataclasses.dataclass
class Progress:
    """What the loop tells its caller after a step."""

    step: int
    steps: int
    loss: float
    samples_per_second: float
    validation: dict[str, float] | None = None


class Trainer:
    """One run in one folder. Construct, then ``fit``; constructing again on the same folder resumes it."""

    def __init__(
        self,
        run: Path,
        name: str,
        network: HIMEConfig,
        config: TrainConfig,
        faces: FaceSet,
        *,
        init: dict[str, Tensor] | None = None,
        fabric: Fabric | None = None,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self.run, self.name, self.config, self.faces = run, name, config, faces
        self.provenance = provenance or {}
        self.fabric = fabric or Fabric(accelerator="auto", devices=1, precision=config.precision)  # type: ignore[arg-type]
        self.data_identity = _digest({"photos": faces.images, **(init or {})}, [name, *faces.names])
        torch.manual_seed(config.seed)
        model = HIME(network)
        if init is not None:
            model.load_state_dict(init)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(model.parameters(), config.learning_rate, betas=(0.9, 0.99))
        self.wrapped, self.optimizer = self.fabric.setup(model, optimizer)
        self.model = model
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.sampler = BatchSampler(
            faces, network.scale, config.batch_size, config.curriculum, config.seed, self.fabric.device
        )
        self.step = 0
        if self._state_file.exists():
            self._resume()
        elif self.checkpoint.exists():
            raise UsageError(
                f"{self.checkpoint} exists, but there is no {self._state_file.name} to go on from",
                "choose another --output, or start from its weights with --init",
            )

    @property
    def _state_file(self) -> Path:
        return self.run / "state.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Folder of the averaged weights."""
        return self.run / "checkpoint"

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then cosine to 0 at the last step."""
        warm = min(1.0, (step + 1) / self.config.warmup_steps)
        return self.config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.config.steps))

    def train_step(self) -> Tensor:
        """One step of the optimizer; returns the loss, still on the device."""
        batch = self.sampler.batch(self.step, self.step / self.config.steps, self.fabric.global_rank)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        sr, _ = self.wrapped(batch.lr, batch.exemplars, batch.valid)
        loss = charbonnier(sr, batch.hr)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        # Weights, averages and step belong together: interrupted between them, a run could not be resumed exactly.
        with uninterrupted(), torch.no_grad():
            self.optimizer.step()
            self.step += 1
            # Early averages would otherwise remember the initialisation.
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            state = self.model.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [state[k] for k in self.average], 1 - decay)
        return loss.detach()

    def fit(
        self,
        *,
        validation: list[EvalPair] | None = None,
        validate_every: int = 1000,
        save_every_seconds: float = 300,
        max_minutes: float | None = None,
        on_step: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """Train to the last step, or until ``max_minutes`` are over or Ctrl-C; saves in every case.

        Raises:
            EdgesrError: the loss is not finite; the state saved last is from before that.
        """
        started = saved = time.monotonic()
        first = self.step
        losses: list[Tensor] = []
        try:
            while self.step < self.config.steps:
                losses.append(self.train_step())
                now = time.monotonic()
                validate = validation is not None and (
                    self.step % validate_every == 0 or self.step == self.config.steps
                )
                if self.step % 20 == 0 or validate:
                    mean = float(torch.stack(losses).mean())
                    losses.clear()
                    if not math.isfinite(mean):
                        raise self._diverged(f"the loss is {mean}")
                    rate = (self.step - first) * self.config.batch_size / (now - started)
                    progress = Progress(self.step, self.config.steps, mean, rate)
                    if validate:
                        progress.validation = self.validate(validation or [])
                    self._log(progress)
                    on_step(progress)
                if now - saved > save_every_seconds or validate:
                    self.save()
                    saved = now
                if max_minutes is not None and now - started > max_minutes * 60:
                    break
        except EdgesrError:
            raise
        except BaseException:
            if self.step > first and _finite(self.model):
                self.save()
            raise
        self.save()

    def averaged_model(self) -> HIME:
        """A copy of the network with the averaged weights, on the CPU."""
        model = HIME(self.model.config)
        model.load_state_dict({k: v.cpu() for k, v in self.average.items()})
        return model.eval().requires_grad_(False)

    def validate(self, pairs: list[EvalPair]) -> dict[str, float]:
        """PSNR in dB of the averaged weights on ``pairs``, with the two diagnostics of exemplar use."""
        result = evaluate(TorchRuntime(self.averaged_model()), pairs, counts=(0, 1, 3), with_target=True)
        measured = {method: result.interval(method).mean for method in result.psnr}
        most = max(method for method in measured if method.startswith("n="))
        gap = result.interval(most, minus="wrong-person")
        return measured | {"right-minus-wrong": gap.mean, "right-minus-wrong-low": gap.low}

    def save(self) -> None:
        """Write the state and the checkpoint; each is complete or keeps what stood there before.

        Raises:
            EdgesrError: the weights are not finite; what stands there is the last good state.
            InputOutputError: it cannot be written.
        """
        if self.fabric.global_rank != 0:
            return
        if not _finite(self.model):
            raise self._diverged("the weights are not finite")
        model = self.averaged_model()
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{k}": v for k, v in state.items() if isinstance(v, Tensor)}
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        aside = self._state_file.with_suffix(".partial")
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            safetensors.torch.save_file(tensors, aside, metadata={"step": str(self.step), "run": self._identity()})
            aside.replace(self._state_file)
        except (OSError, safetensors.SafetensorError) as error:
            raise InputOutputError(f"cannot write {self._state_file}: {error}", "is the disk full?") from error
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()
        training = {**self.provenance, "step": self.step, "train_config": dataclasses.asdict(self.config)}
        scales = measure_feature_scales(model, self.faces.images)
        save_checkpoint(self.checkpoint, self.name, model, training=training, feature_scales=scales)

    def _diverged(self, what: str) -> EdgesrError:
        kept = f"; {self._state_file} holds the last good state" if self._state_file.exists() else ""
        return EdgesrError(f"{what} at step {self.step}", f"lower --learning-rate{kept}")

    def _identity(self) -> str:
        """What a state must agree on to be resumed."""
        described = {
            "network": self.model.config.to_dict(),
            "train": dataclasses.asdict(self.config),
            "photos, people, name and initial weights": self.data_identity,
        }
        return json.dumps(described, sort_keys=True)

    def _resume(self) -> None:
        tensors = read_tensors(self._state_file)
        with safetensors.safe_open(self._state_file, framework="pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("run") != self._identity():
            raise CheckpointError(
                f"{self.run} holds a run with other settings, photos or initial weights",
                "give the same ones to go on, or another --output",
            )
        self.model.load_state_dict(_below("model.", tensors))
        for name, value in _below("average.", tensors).items():
            self.average[name].copy_(value)
        packed = self.optimizer.state_dict()
        packed["state"] = {}
        for key, value in _below("adam.", tensors).items():
            index, name = key.split(".", 1)
            packed["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(packed)
        self.step = int(metadata["step"])

    def _log(self, progress: Progress) -> None:
        if self.fabric.global_rank != 0:
            return
        row: dict[str, float] = {
            "step": progress.step,
            "loss": progress.loss,
            "learning_rate": self.learning_rate(progress.step - 1),
            "samples_per_second": progress.samples_per_second,
        }
        self._append("log.csv", row)
        if progress.validation:
            self._append("validation.csv", {"step": progress.step, **progress.validation})

    def _append(self, name: str, row: dict[str, float]) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        path = self.run / name
        new = not path.exists()
        with path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 6) for k, v in row.items()})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _digest(tensors: dict[str, Tensor], names: list[str]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode())
    for key, tensor in sorted(tensors.items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())
