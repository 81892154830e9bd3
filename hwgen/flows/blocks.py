"""From the cells of each module to the cost of each block of a hierarchy."""

import re
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Block", "block_tree", "flatten"]

HELPER = re.compile(
    r"(ram|record_memory|credit_queue|stream_fifo|fork|strobe_join|round_robin)(_.*)?"
)
"""Memories, queues, forks and arbiters are counted in the block that holds them."""

VARIANT = re.compile(r"_\d+$")


@dataclass
class Block:
    """A block of the design: what it holds itself, helpers included, and the blocks within it.

    Attributes
    ----------
    name : str
        Name of its module.
    instances : int
        How often it stands in the design, over all instances of its parents.
    own : Counter
        Resources of all these instances, without those of the blocks within.
    children : list of Block
        Sorted by name.
    """

    name: str
    instances: int
    own: Counter
    children: list["Block"] = field(default_factory=list)

    @property
    def total(self) -> Counter:
        """Resources of the block and all within it."""
        total = Counter(self.own)
        for child in self.children:
            for resource, amount in child.total.items():
                total[resource] += amount
        return total

    def as_dict(self, resources: tuple[str, ...]) -> dict:
        """For JSON."""
        return {
            "name": self.name,
            "instances": self.instances,
            "own": {resource: round(self.own[resource], 4) for resource in resources},
            "total": {resource: round(self.total[resource], 4) for resource in resources},
            "children": [child.as_dict(resources) for child in self.children],
        }


def block_tree(
    top: str, contents: dict[str, Counter], costs: dict[str, Counter], instances: int = 1
) -> Block:
    """The hierarchy below ``top``.

    Parameters
    ----------
    top
        Module to begin with.
    contents
        For each module, how many of which cells and modules it instantiates.
    costs
        For each module, the resources of its own cells.
    instances
        How often ``top`` stands in the design.
    """
    own, inside = Counter(), Counter()

    def collect(module: str, count: int):
        for resource, amount in costs[module].items():
            own[resource] += amount * count
        for child, times in contents[module].items():
            if child not in contents:
                continue
            if HELPER.fullmatch(child):
                collect(child, count * times)
            else:
                inside[child] += count * times

    collect(top, instances)
    children = [block_tree(child, contents, costs, inside[child]) for child in sorted(inside)]
    return Block(top, instances, own, children)


def flatten(block: Block, path: str = "") -> dict[str, Block]:
    """Blocks by path from the top, parents first; the top has the path ``""``.

    Variants of a module that the emitter numbers (``tap_walker_2``) keep their numbers only where
    siblings would share a path.
    """
    found = {path: block}
    names = Counter(VARIANT.sub("", child.name) for child in block.children)
    for child in block.children:
        plain = VARIANT.sub("", child.name)
        name = plain if names[plain] == 1 else child.name
        found |= flatten(child, f"{path}/{name}".lstrip("/"))
    return found
