"""How much of a run was in which mode of the MAC units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..compiler.program import Program
from ..config import Config

__all__ = ["ModeCounts", "counts_by_mode"]


@dataclass
class ModeCounts:
    """Operations in a mode, as :class:`~hwgen.cycles.model.Prediction` has them of all modes."""

    dot_products: int = 0
    vectors: int = 0
    vector_pushes: int = 0


def counts_by_mode(
    config: Config,
    program: Program,
    fired: Sequence[np.ndarray],
    trimmed: Sequence[np.ndarray] = (),
) -> dict[int, ModeCounts]:
    """For each mode that a PASS of ``program`` is in, by its number, what is done in it; ``fired``
    are the decisions of the gates (slot of the block, position), in order, ``trimmed`` perhaps for
    each pass the modes of its vectors (chunk, position).
    """
    groups, engines = config.groups, config.array.engines
    found: dict[int, ModeCounts] = {}
    decisions, tasks, vectors = iter(fired), None, iter(trimmed)
    for step in program.steps:
        if step.name != "PASS":
            continue
        fields = step.fields
        chunks, positions = fields["chunks"], fields["positions"]
        if trimmed:
            for mode, count in zip(*np.unique(next(vectors), return_counts=True), strict=True):
                counts = found.setdefault(int(mode), ModeCounts())
                counts.dot_products += int(count) * fields["slots"] * engines
                counts.vectors += int(count)
                counts.vector_pushes += int(count) * groups
            continue
        counts = found.setdefault(fields["mode"], ModeCounts())
        if fields["conditional"]:
            counts.dot_products += chunks * int(tasks.sum())
            counts.vectors += chunks * int(tasks.any(axis=0).sum())
            of_groups = tasks.reshape(groups, -1, positions).any(axis=1)
            counts.vector_pushes += chunks * int(of_groups.sum())
            continue
        counts.dot_products += chunks * positions * fields["slots"] * engines
        counts.vectors += chunks * positions
        counts.vector_pushes += chunks * positions * groups
        if fields["gate"]:
            tasks = np.asarray(next(decisions), bool)
    return found
