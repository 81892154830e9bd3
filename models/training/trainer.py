"""The training loop: everything a step does follows from the checkpoint before it and its number.

Order of the data, augmentation and dropout are drawn from generators seeded with (seed, epoch,
step), so that a run killed at any moment continues from its last checkpoint to the same weights,
bit for bit (on the same machine, with the same number of threads and processes).
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from hwgen.errors import UserError
from models.data import Dataset, augmented
from models.layers import threshold_penalty
from models.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from models.training.config import Training, config_of
from models.training.distributed import Place
from models.training.evaluate import Evaluation, evaluate, pixels
from models.training.metrics import Metrics
from models.training.precision import half_type
from models.training.schedule import parameter_groups, rate_at

__all__ = ["Trainer"]

LOG_EVERY = 20
Progress = Callable[[int, int, dict[str, float]], None]


class Trainer:
    """Trains ``model`` as ``config`` says, with its state in ``folder``.

    ``teacher`` answers for distillation. If the folder holds a checkpoint of the same run, training
    continues from it; one of another run is a user's error.
    """

    def __init__(
        self,
        config: Training,
        model: nn.Module,
        data: Dataset,
        folder: Path,
        place: Place,
        teacher: nn.Module | None = None,
    ):
        self.config, self.data, self.folder, self.place = config, data, folder, place
        self.model = model.to(place.device, memory_format=torch.channels_last).train()
        self.teacher = teacher.to(place.device).eval() if teacher is not None else None
        self.path = folder / "checkpoint.pt"
        schedule = config.schedule
        self.steps_per_epoch = max(1, len(data.train) // schedule.batch)
        self.steps = schedule.epochs * self.steps_per_epoch
        self.step, self._shuffled = 0, (-1, None)
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.model, schedule.weight_decay),
            lr=schedule.rate,
            momentum=schedule.momentum,
            nesterov=schedule.nesterov and schedule.momentum > 0,
        )
        half = half_type(place.device) if config.mixed_precision else None
        self.cast = {"device_type": place.device.type, "dtype": half, "enabled": half is not None}
        scaling = half is torch.float16
        self.scaler = torch.amp.GradScaler(place.device.type, enabled=scaling)
        if self.path.is_file():
            self._resume()

    @property
    def finished(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.steps

    def run(self, progress: Progress | None = None) -> Evaluation:
        """Train to the end and test. Until then only validation images, if any, are looked at."""
        metrics = Metrics(self.folder, self.step) if self.place.first else None
        module = self._joined()
        saved, summed = time.monotonic(), 0
        total = torch.zeros(2, device=self.place.device)
        try:
            while not self.finished:
                total += self._train_step(module)
                self.step, summed = self.step + 1, summed + 1
                ended = self.step % self.steps_per_epoch == 0
                if not ended and self.step % LOG_EVERY:
                    continue
                loss, penalty = (value / summed for value in total.tolist())
                shown = {"loss": loss, "rate": self._rate(self.step - 1)}
                if self.config.gating is not None:
                    shown["penalty"] = penalty
                summed = 0
                total.zero_()
                self._stop_if_broken(shown["loss"])
                if ended and self.place.first:
                    shown |= self._tested()
                if metrics:
                    metrics.add(self.step, **shown)
                if progress:
                    progress(self.step, self.steps, shown)
                late = time.monotonic() - saved > self.config.checkpoint_seconds
                if ended or self.place.any(late):
                    self.save()
                    saved = time.monotonic()
        finally:
            if metrics:
                metrics.close()
        return evaluate(self.model, self.data.test, self.place.device)

    def _joined(self) -> nn.Module:
        """The model, or its copy that exchanges gradients with the other processes."""
        if self.step == 0:
            # Learned steps take their first value from the first batch: from the whole one, so
            # that it does not depend on the number of processes.
            with torch.no_grad():
                self.model(self._batch(whole=True)[0])
        if self.place.world == 1:
            return self.model
        devices = [self.place.device] if self.place.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(self.model, device_ids=devices)

    def _batch(self, whole: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Images and labels of this step, and of this process."""
        epoch, within = divmod(self.step, self.steps_per_epoch)
        batch = self.config.schedule.batch
        indices = self._order(epoch)[within * batch : (within + 1) * batch]
        if not whole:
            indices = indices[self.place.rank :: self.place.world]
        images, labels = self.data.train.batch(indices)
        chance = torch.Generator()
        chance.manual_seed(_mixed(self.config.seed, epoch, within, self.place.rank))
        augment = self.config.data.augment
        images = augmented(images, flip=augment.flip, crop=augment.crop, generator=chance)
        return pixels(images, self.place.device), labels.to(self.place.device)

    def _order(self, epoch: int) -> torch.Tensor:
        """The order of the training images in ``epoch``."""
        if self._shuffled[0] != epoch:
            generator = torch.Generator().manual_seed(_mixed(self.config.seed, epoch))
            self._shuffled = epoch, torch.randperm(len(self.data.train), generator=generator)
        return self._shuffled[1]

    def _rate(self, step: int) -> float:
        return rate_at(self.config.schedule, step, self.steps_per_epoch)

    def _train_step(self, module: nn.Module) -> torch.Tensor:
        """Loss, and the part of it that is the penalty of the gates."""
        torch.manual_seed(_mixed(self.config.seed, self.step, self.place.rank, 1))  # dropout
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(self.step)
        images, labels = self._batch()
        with torch.autocast(**self.cast):
            loss = self._loss(images, labels, module(images).float())
            penalty = self._penalty(loss)
            loss = loss + penalty
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.stack((loss, penalty)).detach()

    def _loss(self, images, labels, answers) -> torch.Tensor:
        loss = F.cross_entropy(answers, labels)
        if self.teacher is not None:
            choice = self.config.distillation
            with torch.no_grad():
                taught = self.teacher(images).float() / choice.temperature
            learned = F.log_softmax(answers / choice.temperature, dim=1)
            far = F.kl_div(learned, taught.log_softmax(1), reduction="batchmean", log_target=True)
            far = far * choice.temperature**2  # Gradients as large as without a temperature.
            loss = torch.lerp(loss, far, choice.weight)
        return loss

    def _penalty(self, loss: torch.Tensor) -> torch.Tensor:
        if self.config.gating is None:
            return torch.zeros_like(loss)
        return torch.zeros_like(loss) + self.config.gating.penalty * threshold_penalty(self.model)

    def _tested(self) -> dict[str, float]:
        source = self.data.validation or self.data.test
        found = evaluate(self.model, source, self.place.device)
        shown = {"accuracy": found.accuracy, "test_loss": found.loss}
        if found.works:
            shown["reduction"] = found.reduction
            shown |= {f"density/{name}": work.density for name, work in found.works.items()}
        return shown

    def _stop_if_broken(self, loss: float) -> None:
        if not self.place.any(not math.isfinite(loss)):
            return
        kept = "no checkpoint was written"
        if self.path.is_file():
            kept = f"{self.path} holds step {load_checkpoint(self.path)['step']}"
        raise UserError(
            f"loss is not a number at step {self.step}: training stopped, {kept}; "
            "try a lower schedule.rate"
        )

    def save(self) -> None:
        """Write the checkpoint, from the first process, unless its numbers are not finite."""
        state = self.model.state_dict()
        if not all(bool(t.isfinite().all()) for t in state.values() if t.is_floating_point()):
            self._stop_if_broken(math.nan)
        if self.place.first:
            content = {
                "config": self.config.model_dump(mode="json"),
                "step": self.step,
                "classes": list(self.data.classes),
                "shape": list(self.data.shape),
                "model": state,
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
            save_checkpoint(self.path, content)
        self.place.wait()

    def _resume(self) -> None:
        content = load_checkpoint(self.path)
        # Read as a run first, so that fields which are younger than the checkpoint do not differ.
        other = config_of(content, self.path).model_dump(mode="json")
        mine = self.config.model_dump(mode="json")
        if mine != other:
            name = _first_difference(mine, other)
            raise UserError(
                f"{self.path}: checkpoint of another run: {name}; use --fresh or another --out"
            )
        load_weights(self.model, content["model"], self.path)
        try:
            self.optimizer.load_state_dict(content["optimizer"])
            self.scaler.load_state_dict(content["scaler"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise UserError(f"{self.path}: checkpoint was edited: optimizer: {error}") from None
        self.step = content["step"]


def _mixed(*numbers: int) -> int:
    """One seed from several numbers, different for different ones."""
    seed = 0x9E3779B9
    for number in numbers:
        seed = (seed ^ (number + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**63
        seed ^= seed >> 31
    return seed


def _first_difference(mine: dict, other: dict, prefix: str = "") -> str:
    for key in mine:
        a, b = mine[key], other.get(key)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            return _first_difference(a, b, f"{prefix}{key}.")
        return f"{prefix}{key} was {b!r} and is {a!r}"
    return f"{prefix[:-1] or 'the configuration'} differs"
