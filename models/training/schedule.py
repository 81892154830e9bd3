"""The learning rate as a function of the step, and which parameters decay."""

import math

from torch import nn

from models.quantizers import Quantizer
from models.training.config import Schedule

__all__ = ["parameter_groups", "rate_at"]


def rate_at(schedule: Schedule, step: int, steps_per_epoch: int) -> float:
    """The learning rate of step ``step`` (from 0)."""
    if schedule.policy == "steps":
        passed = sum(step >= epoch * steps_per_epoch for epoch in schedule.at)
        return schedule.rate * schedule.factor**passed
    total = schedule.epochs * steps_per_epoch
    rise = schedule.warmup * total
    if step < rise:
        return schedule.rate * (step + 1) / (rise + 1)
    return schedule.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weights decay; thresholds, batch norms, biases, clips and steps do not."""
    steps = {
        id(p) for m in model.modules() if isinstance(m, Quantizer) for p in m.parameters(False)
    }
    parameters = [p for p in model.parameters() if p.requires_grad]
    decaying = [p for p in parameters if p.dim() > 1 and id(p) not in steps]
    others = [p for p in parameters if p.dim() <= 1 or id(p) in steps]
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
