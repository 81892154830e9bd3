"""Which plan a layer gets: the one with the best estimate, or, of the best few, the one that the
cycle model finds fastest when the layer runs alone.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ..config import Config
from ..files import write_atomic
from .blocks import blocks_of
from .convolution import Lowering
from .decisions import decisions
from .layer import Convolution
from .memory import Buffers, NoRoom
from .pipeline import schedule
from .program import Builder
from .tensors import Tensor
from .tiles import DENSITY, Plan, ranked_plans
from .weights import spread_of

__all__ = ["DECIDERS", "Choice", "choose", "cycles_alone"]

DECIDERS = ("estimate", "model")
BEST = 2
"""Plans that the model is asked about beside the best one of each order."""

HOPELESS = 1.5  # times the best estimate: not asked about
STEPS_OF_DENSITY = 64
"""Densities are rounded for the model, so that layers that are alike are asked about once."""


@dataclass(frozen=True)
class Choice:
    """The plan of a layer, who has decided on it, and what others would cost.

    ``plans``: the chosen one, then the best one of each other order. Their ``cycles`` are estimates
    or, ``by`` "model", those of the layer alone.
    """

    by: str
    plans: tuple[Plan, ...]

    @property
    def plan(self) -> Plan:
        """The chosen one."""
        return self.plans[0]


def _best_of_each(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """The first plan of each order, the first of all first."""
    best: dict[str, Plan] = {}
    for plan in plans:
        best.setdefault(plan.order, plan)
    return tuple(best.values())


def choose(
    config: Config,
    layer: Convolution,
    order: str | None = None,
    reserve: int = 0,
    by: str = "estimate",
) -> Choice:
    """The plan for ``layer``; ``order``: only plans of this one; ``reserve``: words of the
    activation buffer for others; ``by``: one of DECIDERS.
    """
    blocks = blocks_of(config, layer)
    plans = ranked_plans(config, Buffers(config), layer, blocks, order, reserve)
    best = _best_of_each(plans)
    if by == "estimate":
        return Choice(by, best)
    hopeful = [plan for plan in best if plan.cycles < HOPELESS * plans[0].cycles]
    asked = dict.fromkeys([*hopeful, *plans[:BEST]])
    exact = [replace(plan, cycles=cycles_alone(config, layer, plan)) for plan in asked]
    return Choice(by, _best_of_each(sorted(exact, key=lambda plan: plan.cycles)))


def cycles_alone(config: Config, layer: Convolution, plan: Plan) -> float:
    """Cycles of ``layer`` alone, with decisions that are made up for its density: exact, and
    remembered from call to call.
    """
    layer = _normalized(layer)
    kept = _folder() / f"{_key(config, layer, plan)}.json"
    try:
        return json.loads(kept.read_text())["cycles"]
    except (OSError, ValueError, KeyError, TypeError):
        cycles = _cycles(config, layer, plan)
    write_atomic(kept, json.dumps({"layer": layer.name, "cycles": cycles}))
    return cycles


def _cycles(config: Config, layer: Convolution, plan: Plan) -> float:
    # The model imports what drives accelerators, and that the compiler.
    from ..bench.masks import lumpy
    from ..cycles import predict

    builder, buffers = Builder(), Buffers(config)
    try:
        items = Lowering(config, builder, buffers, layer, plan=plan, begins=True).items()
        schedule(config, buffers, items)
    except NoRoom:
        return float("inf")
    program = builder.finish()
    fired = None
    if layer.gate is not None:
        output = layer.output
        shape = (output.images, len(layer.channels), output.rows, output.columns)
        masks = lumpy(shape, float(layer.density[0]), np.random.default_rng(0))
        fired = decisions(config, program, {layer.name: masks})
    return predict(config, program, fired).cycles


def _normalized(layer: Convolution) -> Convolution:
    """The layer at a place in memory that does not depend on the others, with one density."""

    def at(tensor: Tensor, start: int) -> Tensor:
        first = tensor.first_plane * tensor.plane_words * tensor.lanes
        return replace(tensor, offset=start + first)

    room = 1 << 30  # between its tensors
    density = layer.density
    if layer.gate is not None:
        mean = DENSITY if density is None else float(np.mean(density))
        rounded = max(1, round(mean * STEPS_OF_DENSITY)) / STEPS_OF_DENSITY
        density = np.full(len(layer.channels), rounded)
    return replace(
        layer,
        input=at(layer.input, 0),
        output=at(layer.output, room),
        residual=None if layer.residual is None else at(layer.residual, 2 * room),
        density=density,
    )


def _key(config: Config, layer: Convolution, plan: Plan) -> str:
    """Of all that decides on the cycles: shapes and how products are made and weights are stored,
    not what the weights are.
    """
    parts = [
        (part.how, part.planes, _digest(part.chosen), spread_of(config, layer, part.how.mode))
        for part in layer.products
    ]
    facts = (
        config.hash,
        _sources(),
        layer.input,
        layer.output,
        layer.residual,
        layer.weights.shape,
        layer.stride,
        layer.padding,
        parts,
        _digest(layer.channels),
        None if layer.gate is None else float(layer.density[0]),
        replace(plan, cycles=0.0),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@cache
def _sources() -> str:
    """Digest of the compiler and of the cycle model."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("compiler", "cycles", "isa", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".h", ".cpp"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _folder() -> Path:
    from ..simulator.rtl.build import cache_folder

    return cache_folder() / "plans"
