"""The order of instructions: loads run ahead of the work that needs them."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import UserError
from .memory import Buffers, Full
from .tensors import Tensor

__all__ = ["Item", "schedule"]

AHEAD = 8  # items whose loads may be asked for early
LAG = 2  # items that the units keep in their queues behind the one whose words are overwritten


@dataclass
class Item:
    """A piece of work: loads, each of which asks for at most one range of a buffer, then
    ``compute``.

    ``constants`` load weights and parameters; ``tensors`` are pairs of a tensor (None: only room is
    taken) and what loads it. ``writes`` is the tensor that ``compute`` stores to, and ``frees`` are
    the owners whose ranges nobody needs after it.
    """

    layer: str
    constants: list[Callable[[], None]]
    tensors: list[tuple[Tensor | None, Callable[[], None]]]
    compute: Callable[[], None]
    writes: Tensor | None = None
    frees: list[object] = field(default_factory=list)


def _overlap(a: Tensor, b: Tensor) -> bool:
    same = a.base == b.base
    return same and a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes


def schedule(buffers: Buffers, items: Sequence[Item]) -> None:
    """Emit all items in order, and their loads as early as the buffers allow.

    A tensor is loaded when all that is stored to it stands in the program. A range is overwritten
    only when LAG further items stand behind the one that used it: the load that waits for it holds
    up the fetch, and meanwhile the array has something to do.
    """
    constants = deque((n, None, load) for n, item in enumerate(items) for load in item.constants)
    tensors = deque((n, *pair) for n, item in enumerate(items) for pair in item.tensors)
    freed: deque[list[object]] = deque()

    def free(leave: int) -> None:
        while len(freed) > leave:
            for owner in freed.popleft():
                buffers.release(owner)

    def run_ahead(queue: deque, number: int, ahead: int) -> None:
        while queue and queue[0][0] <= number + ahead:
            needed_at, tensor, load = queue[0]
            unwritten = (item.writes for item in items[number:needed_at] if item.writes is not None)
            if tensor is not None and any(_overlap(tensor, other) for other in unwritten):
                return
            try:
                load()
            except Full:
                if needed_at > number:
                    return
                if not freed:
                    raise UserError(
                        f"layer {items[number].layer}: a buffer is too small for one step; raise "
                        "memory.activation_words, memory.weight_words or memory.parameter_words"
                    ) from None
                free(0)
                continue
            queue.popleft()

    for number, item in enumerate(items):
        free(LAG)
        for ahead in (0, AHEAD):  # first what this item itself still lacks
            run_ahead(constants, number, ahead)
            run_ahead(tensors, number, ahead)
        item.compute()
        freed.append(item.frees)
