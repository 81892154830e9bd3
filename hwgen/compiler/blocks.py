"""Output channels in blocks that the array computes together."""

from dataclasses import dataclass

import numpy as np

from ..config import Config
from .layer import Convolution

__all__ = ["Block", "blocks_of"]


@dataclass(frozen=True)
class Block:
    """Output channels that are computed together.

    ``channels`` are in the order of their slots. ``planes`` are the planes of the input that they
    see, ``outputs`` the planes of the output that the block's neighbours and it write: blocks with
    the same outputs follow each other, the first one ``opens`` and the last one ``closes`` them.
    """

    channels: np.ndarray
    slots: int
    planes: tuple[int, ...]
    outputs: range
    opens: bool
    closes: bool


def _parts(layer: Convolution) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Output channels that need the same input planes, in both passes: all, unless the convolution
    has groups.
    """
    seen = [part.seen(layer.input.lanes) for part in layer.products]
    found: dict[bytes, list[int]] = {}
    for channel in range(len(layer.weights)):
        key = b"".join(planes[channel].tobytes() for planes in seen)
        found.setdefault(key, []).append(channel)
    result = []
    for channels in found.values():
        of_part = zip(layer.products, seen, strict=True)
        planes = {
            p.planes.start + int(n) for p, s in of_part for n in np.flatnonzero(s[channels[0]])
        }
        result.append((np.array(channels), tuple(sorted(planes))))
    return result


def _dealt(config: Config, layer: Convolution, block: np.ndarray) -> np.ndarray:
    """Order of a block's channels over the slots: the densest go to the least loaded group that
    has room.
    """
    density, groups = layer.density, config.groups
    if layer.gate is None or density is None or groups == 1:
        return block
    per_group = config.array.group * -(-len(block) // config.array.engines)
    if len(block) != per_group * groups:
        return block
    load, members = np.zeros(groups), [[] for _ in range(groups)]
    for channel in block[np.argsort(-density[block], kind="stable")]:
        open_groups = [g for g in range(groups) if len(members[g]) < per_group]
        group = min(open_groups, key=lambda g: load[g])
        members[group].append(channel)
        load[group] += density[channel]
    return np.concatenate([np.array(m, block.dtype) for m in members])


def blocks_of(config: Config, layer: Convolution) -> list[Block]:
    """The blocks of a layer, in order."""
    engines, size = config.array.engines, config.array.engines * config.array.slots
    lanes = layer.output.lanes
    found = []
    for channels, planes in _parts(layer):
        count = -(-len(channels) // size)
        each = -(-len(channels) // (count * engines)) * engines
        for first in range(0, len(channels), each):
            found.append((channels[first : first + each], planes))
    places = [layer.channels[channels] // lanes for channels, _ in found]
    # Neighbours that write into one plane share its room: planes are stored as a whole.
    runs: list[tuple[list[int], range]] = []
    for number, place in enumerate(places):
        own = range(int(place.min()), int(place.max()) + 1)
        members = [number]
        while any(own.start < r.stop and r.start < own.stop for _, r in runs):
            others, other = runs.pop()
            members = others + members
            own = range(min(own.start, other.start), max(own.stop, other.stop))
        runs.append((members, own))
    return [
        Block(
            _dealt(config, layer, found[number][0]),
            -(-len(found[number][0]) // engines),
            found[number][1],
            outputs,
            number == members[0],
            number == members[-1],
        )
        for members, outputs in runs
        for number in members
    ]
