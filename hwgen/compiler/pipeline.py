"""The order of instructions: loads run ahead of the work that needs them."""

from collections import deque
from collections.abc import Callable, Sequence

from ..config import Config
from .item import Item
from .memory import Buffers, Full, NoRoom
from .order import producers, work_order

__all__ = ["schedule"]

AHEAD = 8  # items whose loads may be asked for early
LAG = 2  # items that the units keep in their queues behind the one whose words are overwritten
SOON = 1  # items whose loads rather wait for words than come late


def schedule(config: Config, buffers: Buffers, items: Sequence[Item]) -> None:
    """Emit all items, and their loads as early as the buffers allow.

    What is loaded must have been stored by an instruction that stands in the program. A range is
    overwritten only when LAG further items stand behind the one that used it: the load that waits
    for it holds up the fetch, and meanwhile the array has something to do.
    """
    sources_of = producers(items)
    order = work_order(config, items, sources_of)
    place = {number: at for at, number in enumerate(order)}
    constants = deque((at, -1, load) for at, n in enumerate(order) for load in items[n].constants)
    tensors: deque[tuple[int, int, Callable]] = deque()  # needed at, not before, load
    for at, number in enumerate(order):
        # The array's loads stand in the order of its work: one that waits delays nothing else. The
        # vector unit's would delay the array's: they are not asked for before their turn.
        early = items[number].unit == "array"
        for need, sources in zip(items[number].needs, sources_of[number], strict=True):
            after = max((place[p] for p in sources), default=-1) if early else at
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
            except Full as full:
                if needed_at > now + SOON or (needed_at > now and not freed):
                    return
                if not freed:
                    raise NoRoom(
                        f"layer {items[order[now]].layer}: a buffer is too small for one step; "
                        f"raise {full.field}"
                    ) from None
                free(len(freed) - 1)
                continue
            queue.popleft()

    for now, number in enumerate(order):
        free(LAG)
        for ahead in range(AHEAD + 1):  # first what this item itself still lacks
            run_ahead(constants, now, ahead)
            run_ahead(tensors, now, ahead)
        items[number].compute()
        freed.append(items[number].frees)
