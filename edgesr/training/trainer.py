"""The training loop, on Lightning Fabric: Adam, warm-up and cosine, EMA, exact resume, one process or several.

A run is a folder: ``state.safetensors`` to go on from, ``checkpoint/`` with the averaged weights so far, logs, and
``samples/``. A step's batch depends on (seed, step) alone, so a resumed run does what an uninterrupted one does.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from edgesr.data.batches import Batch, BatchSampler
from edgesr.data.faces import EvalPair, Faces
from edgesr.errors import EdgesrError, UsageError
from edgesr.evaluation.methods import evaluate
from edgesr.images.imaging import write_image
from edgesr.models.architecture import NetworkConfig
from edgesr.models.checkpoint import IN_RUN, save_checkpoint, sha256_of
from edgesr.models.description import CONFIG
from edgesr.models.network import Network
from edgesr.models.registry import architecture_of
from edgesr.process.memory import keep_freed_memory
from edgesr.process.termination import uninterrupted
from edgesr.runtime.base import Runtime
from edgesr.runtime.torch import TorchRuntime
from edgesr.training.config import Progress, TrainConfig
from edgesr.training.feature_scales import SAMPLE, measure_feature_scales
from edgesr.training.logs import Means, RunLog
from edgesr.training.losses import LossFiles, PerceptionLoss, Shown
from edgesr.training.parameters import equalising_groups, parameter_groups
from edgesr.training.processes import any_process, average_gradients, check_same_step, make_fabric
from edgesr.training.sample_sheet import sample_sheet
from edgesr.training.setup import pretraining_steps
from edgesr.training.state import (
    PHOTOS,
    STATE,
    below,
    digest,
    load_optimizer,
    optimizer_tensors,
    prefixed,
    read_state,
    write_state,
)

LOG_EVERY = 20
NO_FILES = LossFiles()


class Trainer:
    """One run in one folder. Construct, then ``fit``; constructing again on the same folder resumes it."""

    def __init__(
        self,
        run: Path,
        name: str,
        network: NetworkConfig,
        config: TrainConfig,
        faces: Faces,
        *,
        init: dict[str, Tensor] | None = None,
        teacher: Network | None = None,
        fabric: Fabric | None = None,
        loss_files: LossFiles = NO_FILES,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self.run, self.name, self.config, self.faces = run, name, config, faces
        self.loss_files = {k: sha256_of(v) for k, v in vars(loss_files).items() if v is not None}
        self.provenance = {**(provenance or {}), **({"loss_files": self.loss_files} if self.loss_files else {})}
        self.fabric = fabric or make_fabric(config.precision)
        if self.fabric.device.type == "cpu":
            keep_freed_memory()
        self.data_identity = digest({**faces.fingerprint(), **(init or {})}, [name, *faces.names])
        torch.manual_seed(config.seed)
        self.network, self.architecture = network, architecture_of(network)
        self.pretraining_steps = pretraining_steps(name, network, config)
        self.taught_by: Any = None
        if teacher is not None and self.pretraining_steps and self.architecture.taught:
            self.taught_by = teacher.to(self.fabric.device)
        model = self.build(init)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = parameter_groups(model, config.offset_learning_rate, config.rates, config.equalised)
        optimizer = torch.optim.Adam(groups, config.learning_rate, betas=config.betas)
        self.wrapped, self.optimizer = self.fabric.setup(model, optimizer)
        self.model: Any = model
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.objective = PerceptionLoss.build(config.loss, loss_files).to(self.fabric.device)
        if config.precision == "bf16-mixed" and self.objective.identity is not None:
            # Half of a step went into the embedder in float32; in bfloat16 its embeddings keep a cosine of 0.998.
            self.objective.identity.to(torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = self.objective.discriminator
        if self.discriminator is not None:
            rate, groups = config.discriminator_learning_rate, equalising_groups(self.discriminator, config.equalised)
            self.discriminator_optimizer = torch.optim.Adam(groups, rate, betas=config.betas)
        self.terms: dict[str, Tensor] = {}
        self.log = RunLog(run)
        of_batches = (config.batch_size, config.curriculum, config.seed, self.fabric.device, config.degradation)
        self.sampler = BatchSampler(faces, network.scale, *of_batches)
        self.step = 0
        if self._state_file.exists():
            self._resume()
            if self.checkpoint.exists() and not (self.checkpoint / CONFIG).is_file():
                raise UsageError(
                    f"{self.checkpoint} is damaged: it has no {CONFIG}",
                    f"remove it: {self._state_file.name} beside it has all that the run goes on from",
                )
        elif self.checkpoint.exists():
            raise UsageError(
                f"{self.checkpoint} exists, but there is no {self._state_file.name} to go on from",
                "choose another --output, or start from its weights with --init",
            )
        check_same_step(self.fabric, self.step)

    def build(self, init: dict[str, Tensor] | None) -> nn.Module:
        """The network to train: takes what a batch holds and gives SR faces first; a subclass may have another."""
        model: Network = self.architecture.build(self.network)
        if init is not None:
            model.load_state_dict(init)
        return model

    def compute(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """SR faces of a batch, the loss to descend, and its terms for the log."""
        sr, _, *smaller = self.wrapped(batch.lr, batch.exemplars, batch.valid)
        own = (batch.valid > 0) & ~batch.foreign
        loss, terms = self.objective(sr, batch.hr, Shown(batch.exemplars, own, batch.foreign))
        for face in smaller:
            smaller_loss, named = self.objective.of_smaller(face, batch.hr)
            loss, terms = loss + smaller_loss, terms | {f"smaller_{name}": value for name, value in named.items()}
        return sr, loss, terms

    def _pretrain(self, rank: int, processes: int) -> Tensor:
        """Gradients of a step of pretraining, outside DDP, whose forward pass is the whole network; returns loss."""
        # Photos are made outside autocast, in float32, as every batch's are.
        warps = self.sampler.known_warps(self.step, rank, processes, self.config.pretraining_warp)
        pair = self.sampler.pairs(self.step, rank, processes) if self.taught_by else None
        with self.fabric.autocast():
            loss: Tensor = self.architecture.pretraining_loss(self.model, warps)
            if pair is not None:
                taught = self.architecture.taught_loss(self.model, self.taught_by, *pair)
                self.terms = {"own": loss.detach(), "taught": taught.detach()}
                loss = loss + taught
        self.optimizer.zero_grad()
        loss.backward()
        average_gradients(self.fabric, self.model)
        return loss

    @property
    def _state_file(self) -> Path:
        return self.run / STATE

    @property
    def checkpoint(self) -> Path:
        """Folder of the averaged weights."""
        return self.run / IN_RUN

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then cosine to 0 at the last step."""
        return self.config.learning_rate * self._schedule(step)

    def _schedule(self, step: int) -> float:
        warm = min(1.0, (step + 1) / self.config.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * step / self.config.steps))

    def train_step(self) -> Tensor:
        """One step of the optimizer; returns the loss, still on the device, as ``terms`` are."""
        fabric, first = self.fabric, self.pretraining_steps
        of_processes = (fabric.global_rank, fabric.world_size)
        pretraining = self.step < first
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step) * (1.0 if pretraining else group["factor"])
        self.terms = {}
        if pretraining:
            loss = self._pretrain(*of_processes)
        else:
            progress = (self.step - first) / (self.config.steps - first)
            batch = self.sampler.batch(self.step, progress, *of_processes)
            sr, loss, terms = self.compute(batch)
            self.optimizer.zero_grad()
            fabric.backward(loss)
            self.terms = terms if len(terms) > 1 else {}
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        if self.discriminator is not None and not pretraining:
            self.terms["discriminator"] = self._judge(sr, batch.hr)
        # Weights, averages and step belong together: interrupted between them, a run could not be resumed exactly.
        with uninterrupted(), torch.no_grad():
            self.optimizer.step()
            if self.discriminator is not None and not pretraining:
                self.discriminator_optimizer.step()
            self.step += 1
            # Early averages would otherwise remember the initialisation.
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            state = self.model.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [state[k] for k in self.average], 1 - decay)
        return loss.detach()

    def _judge(self, sr: Tensor, hr: Tensor) -> Tensor:
        """Gradients of the discriminator, ready for its step; returns its loss."""
        assert self.discriminator is not None
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.config.discriminator_learning_rate * self._schedule(self.step) * group["factor"]
        # Of the step alone, so that a resumed run does the same.
        random = torch.Generator().manual_seed(
            (self.config.seed * 1_000_003 + self.step) * 64 + self.fabric.global_rank
        )
        loss = self.objective.discriminator_loss(sr, hr, random)
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        average_gradients(self.fabric, self.discriminator)
        return loss.detach()

    def fit(
        self,
        *,
        validation: list[EvalPair] | None = None,
        validate_every: int = 1000,
        save_every_seconds: float = 300,
        max_minutes: float | None = None,
        on_step: Callable[[Progress], None] = lambda progress: None,
        tick: Callable[[int], None] = lambda step: None,
    ) -> None:
        """Train to the last step, or until ``max_minutes`` are over or Ctrl-C; saves in every case.

        ``tick`` is told of every step; ``on_step`` of those whose loss is read, since that waits for the device.

        Raises:
            EdgesrError: the loss is not finite; the state saved last is from before that.
        """
        started = saved = time.monotonic()
        first, means = self.step, Means()
        lead, alone = self.fabric.is_global_zero, self.fabric.world_size == 1
        try:
            while self.step < self.config.steps:
                means.add({"loss": self.train_step(), **self.terms})
                now = time.monotonic()
                tick(self.step)
                validate = validation is not None and (
                    self.step % validate_every == 0 or self.step == self.config.steps
                )
                if self.step % LOG_EVERY == 0 or validate or self.step == self.pretraining_steps:
                    loss, terms = self._read(means)
                    rate = (self.step - first) * self.config.batch_size / (now - started)
                    progress = Progress(self.step, self.config.steps, loss, rate, terms)
                    if lead:
                        if validate:
                            progress.validation = self.validate(validation or [])
                        self._log(progress)
                        on_step(progress)
                if now - saved > save_every_seconds or validate:
                    self.save()
                    saved = now
                if validate and lead:
                    self.save_samples(validation or [])
                # Asking the other processes takes a moment, so it is not done at every step.
                asked = max_minutes is not None and (alone or self.step % LOG_EVERY == 0)
                if asked and any_process(self.fabric, now - started > (max_minutes or 0) * 60):
                    break
        except EdgesrError:
            raise
        except BaseException:
            if self.step > first and _finite(self.model):
                self.save()
            raise
        finally:
            self.log.close()
        self.save()

    def _read(self, means: Means) -> tuple[float, dict[str, float]]:
        """The mean loss and its terms, over all processes."""
        values = means.read()
        names = list(values)
        mean = self.fabric.all_reduce(torch.stack([values[name] for name in names]), reduce_op="mean")
        assert isinstance(mean, Tensor)
        terms = dict(zip(names, mean.tolist(), strict=True))
        loss = terms.pop("loss")
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        return loss, terms

    def averaged_model(self) -> Network:
        """A copy of the network with the averaged weights, on the CPU."""
        model: Network = self.architecture.build(self.network)
        model.load_state_dict({k: v.cpu() for k, v in self.average.items()})
        return model.eval().requires_grad_(False)

    def averaged_runtime(self) -> Runtime:
        """What is validated."""
        return TorchRuntime(self.averaged_model())

    def write_checkpoint(self) -> None:
        """The averaged weights so far."""
        model = self.averaged_model()
        every = max(1, len(self.faces) // SAMPLE)
        photos = self.faces.take(torch.arange(0, len(self.faces), every)[:SAMPLE])
        scales = measure_feature_scales(model, photos)
        save_checkpoint(self.checkpoint, self.name, model, training=self.described(), feature_scales=scales)

    def described(self) -> dict[str, Any]:
        """What a checkpoint says about how it came about."""
        return {**self.provenance, "step": self.step, "train_config": dataclasses.asdict(self.config)}

    def validate(self, pairs: list[EvalPair]) -> dict[str, float]:
        """PSNR in dB of the averaged weights on ``pairs``, with the two diagnostics of exemplar use."""
        runtime, degradation = self.averaged_runtime(), self.config.degradation
        result = evaluate(runtime, pairs, counts=(0, 1, 3), with_target=True, degradation=degradation)
        measured = {method: result.interval(method).mean for method in result.psnr}
        most = max(method for method in measured if method.startswith("n="))
        gap = result.interval(most, minus="wrong-person")
        return measured | {"right-minus-wrong": gap.mean, "right-minus-wrong-low": gap.low}

    def save_samples(self, pairs: list[EvalPair]) -> None:
        """A few restored faces as ``samples/step-NNNNNN.png``."""
        sheet = sample_sheet(self.averaged_runtime(), pairs, self.config.degradation)
        write_image(np.asarray(sheet), self.run / "samples" / f"step-{self.step:06}.png")

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
        tensors = prefixed("model.", self.model.state_dict()) | prefixed("average.", self.average)
        tensors |= optimizer_tensors("adam.", self.optimizer)
        if self.discriminator is not None:
            tensors |= prefixed("discriminator.", self.discriminator.state_dict())
            tensors |= optimizer_tensors("discriminator_adam.", self.discriminator_optimizer)
        write_state(self._state_file, tensors, self.step, self._identity())
        self.write_checkpoint()

    def _diverged(self, what: str) -> EdgesrError:
        kept = f"; {self._state_file} holds the last good state" if self._state_file.exists() else ""
        return EdgesrError(f"{what} at step {self.step}", f"lower --learning-rate{kept}")

    def _identity(self) -> str:
        """What a state must agree on to be resumed."""
        described = {
            "network": self.network.to_dict(),
            "train": self.config.identity(),
            PHOTOS: self.data_identity,
        }
        if self.loss_files:
            described["loss_files"] = self.loss_files
        return json.dumps(described, sort_keys=True)

    def _resume(self) -> None:
        tensors, self.step = read_state(self._state_file, self._identity())
        self.model.load_state_dict(below("model.", tensors))
        for name, value in below("average.", tensors).items():
            self.average[name].copy_(value)
        load_optimizer("adam.", tensors, self.optimizer)
        if self.discriminator is not None:
            self.discriminator.load_state_dict(below("discriminator.", tensors))
            load_optimizer("discriminator_adam.", tensors, self.discriminator_optimizer)

    def _log(self, progress: Progress) -> None:
        row = {
            "loss": progress.loss,
            **progress.terms,
            "learning_rate": self.learning_rate(progress.step - 1),
            "samples_per_second": progress.samples_per_second,
        }
        # Another loss, of other terms: a file of its own.
        self.log.append("log" if progress.step > self.pretraining_steps else "pretraining", progress.step, row)
        if progress.validation:
            self.log.append("validation", progress.step, progress.validation)


def _finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())
