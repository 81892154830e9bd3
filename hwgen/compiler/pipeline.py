"""The order of instructions: loads run ahead of the work that needs them."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import UserError
from .memory import Buffers, Full
from .tensors import Region

__all__ = ["Item", "Need", "schedule"]

AHEAD = 8  # items whose loads may be asked for early
LAG = 2  # items that the units keep in their queues behind the one whose words are overwritten
STORED = 3  # items after which a store is likely to have ended


@dataclass
class Need:
    """A load of a region of a tensor (None: only room is taken, or constants are loaded)."""

    region: Region | None
    load: Callable[[], None]


@dataclass
class Item:
    """A piece of work of ``unit``, "array" or "vector": loads, each of which takes at most one
    range of a buffer, then ``compute``.

    ``constants`` load weights and parameters, ``needs`` activations. ``writes`` are the regions
    that ``compute`` stores, and ``frees`` are the owners whose ranges nobody needs after it.
    """

    layer: str
    unit: str
    constants: list[Callable[[], None]]
    needs: list[Need]
    compute: Callable[[], None]
    writes: list[Region] = field(default_factory=list)
    frees: list[object] = field(default_factory=list)


def _producers(items: Sequence[Item]) -> list[list[list[int]]]:
    """For each need of each item, the items that store it."""
    stores: dict[str, list[tuple[Region, int]]] = {}
    for number, item in enumerate(items):
        for region in item.writes:
            stores.setdefault(region.tensor.root, []).append((region, number))

    def of(number: int, need: Need) -> list[int]:
        if need.region is None:
            return []
        among = stores.get(need.region.tensor.root, [])
        return [n for region, n in among if n < number and region.overlaps(need.region)]

    return [[of(number, need) for need in item.needs] for number, item in enumerate(items)]


def _order(items: Sequence[Item], producers: list[list[list[int]]]) -> list[int]:
    """Items of a unit keep their order. Those of the vector unit come as soon as what they read is
    likely to be stored, so that it works beside the array.
    """
    queues = {unit: deque() for unit in ("vector", "array")}
    for number, item in enumerate(items):
        queues[item.unit].append(number)
    order: list[int] = []
    place: dict[int, int] = {}

    def age(number: int) -> int | None:
        """Items behind the newest producer; None if one has not come yet."""
        sources = [p for need in producers[number] for p in need]
        if any(p not in place for p in sources):
            return None
        return len(order) - max((place[p] for p in sources), default=-STORED)

    while queues["vector"] or queues["array"]:
        ages = {unit: age(queue[0]) for unit, queue in queues.items() if queue}
        ready = [unit for unit, value in ages.items() if value is not None]
        if len(ready) == 2:
            ready = ["vector"] if ages["vector"] > STORED else ["array"]
        number = queues[ready[0]].popleft()
        place[number] = len(order)
        order.append(number)
    return order


def schedule(buffers: Buffers, items: Sequence[Item]) -> None:
    """Emit all items, and their loads as early as the buffers allow.

    What is loaded must have been stored by an instruction that stands in the program. A load for
    the vector unit would wait long for that and hold up the array's; it is not asked for early. A
    range is
    overwritten only when LAG further items stand behind the one that used it: the load that waits
    for it holds up the fetch, and meanwhile the array has something to do.
    """
    producers = _producers(items)
    order = _order(items, producers)
    place = {number: at for at, number in enumerate(order)}
    constants = deque((at, -1, load) for at, n in enumerate(order) for load in items[n].constants)
    tensors: deque[tuple[int, int, Callable]] = deque()  # needed at, not before, load
    for at, number in enumerate(order):
        # The array's loads stand in the order of its work: one that waits delays nothing else.
        wait = STORED if items[number].unit == "vector" else 0
        for need, sources in zip(items[number].needs, producers[number], strict=True):
            after = max((place[p] + wait for p in sources), default=-1)
            tensors.append((at, after, need.load))
    freed: deque[list[object]] = deque()

    def free(leave: int) -> None:
        while len(freed) > leave:
            for owner in freed.popleft():
                buffers.release(owner)

    def run_ahead(queue: deque, now: int, ahead: int) -> None:
        while queue and queue[0][0] <= now + ahead:
            needed_at, after, load = queue[0]
            if needed_at > now and after >= now:
                return
            try:
                load()
            except Full:
                if needed_at > now:
                    return
                if not freed:
                    raise UserError(
                        f"layer {items[order[now]].layer}: a buffer is too small for one step; "
                        "raise memory.activation_words, memory.weight_words or "
                        "memory.parameter_words"
                    ) from None
                free(0)
                continue
            queue.popleft()

    for now, number in enumerate(order):
        free(LAG)
        for ahead in (0, AHEAD):  # first what this item itself still lacks
            run_ahead(constants, now, ahead)
            run_ahead(tensors, now, ahead)
        items[number].compute()
        freed.append(items[number].frees)
