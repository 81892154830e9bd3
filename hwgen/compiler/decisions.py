"""The decisions of a network's gates in the order of a program."""

from collections.abc import Mapping

import numpy as np

from ..config import Config
from .program import Program

__all__ = ["decisions"]


def decisions(
    config: Config, program: Program, masks: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """For each gated PASS which outputs fire: (slot of the block, position).

    ``masks`` has the decisions of each gated layer, (image, channel, row, column), for as many
    images as a run takes. This is what `hwgen.simulator.machine.Machine` finds by computing.
    """
    result = []
    for step in program.steps:
        if step.decided is None:
            continue
        what, slots = step.decided, config.array.engines * step.fields["slots"]
        part = masks[what.layer][np.ix_(what.images, what.channels, what.rows, what.columns)]
        fired = np.zeros((slots, step.fields["positions"]), bool)
        fired[: len(what.channels)] = part.swapaxes(0, 1).reshape(len(what.channels), -1)
        result.append(fired)
    return result
