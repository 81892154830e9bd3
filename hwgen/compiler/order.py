"""In which order the layers' pieces follow each other, by a rough clock of the units."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable, Sequence

from ..config import Config
from .item import Item
from .tensors import Region

__all__ = ["producers", "work_order"]

LATENCY = 40  # cycles of a transfer beside its bytes
DRAIN = 1.25  # a drain and the array disturb each other in the activation buffer


def producers(items: Sequence[Item]) -> list[list[list[int]]]:
    """For each need of each item, the earlier items that store it."""
    # Of each tensor and row: what is stored there.
    stores: dict[tuple[str, int], list[tuple[range, int]]] = defaultdict(list)
    for number, item in enumerate(items):
        for region in item.writes:
            root, planes = region.tensor.root, region.own_planes
            for row in region.rows:
                stores[root, row].append((planes, number))

    def of(number: int, region: Region | None) -> list[int]:
        if region is None:
            return []
        root, own = region.tensor.root, region.own_planes
        return sorted(
            {
                n
                for row in region.rows
                for planes, n in stores.get((root, row), ())
                if n < number and planes.start < own.stop and own.start < planes.stop
            }
        )

    return [[of(n, need.region) for need in item.needs] for n, item in enumerate(items)]


class _Clock:
    """When the units have done what has been ordered so far, as far as an estimate can tell."""

    def __init__(self, config: Config, items: Sequence[Item], sources: list[list[list[int]]]):
        self.items, self.sources = items, sources
        self.beat = config.bus.data_width // 8
        self.room = config.memory.weight_words * config.weight_word_bits // 8
        self.begun = self.array = self.vector = self.drain = self.load = 0.0
        self.banks, self.bank = [0.0, 0.0], 0
        self.stored: dict[int, float] = {}  # item -> when its results are in memory
        self._weights: OrderedDict[Hashable, int] = OrderedDict()  # bytes, oldest first
        self._kept = 0  # bytes of them

    def known(self, number: int) -> bool:
        """Whether all that the item reads has been ordered."""
        return all(n in self.stored for need in self.sources[number] for n in need)

    def available(self, number: int) -> float:
        """When all that the item reads is in memory."""
        needs = self.sources[number]
        return max((self.stored[n] for need in needs for n in need), default=0.0)

    def _loaded(self, number: int) -> float:
        item, at = self.items[number], self.load
        if item.weights is not None and item.weights[0] not in self._weights:
            at += item.weights[1] / self.beat
        for need, sources in zip(item.needs, self.sources[number], strict=True):
            if need.words:
                at = max([at, *(self.stored[n] for n in sources)]) + LATENCY
                at += need.words  # the activation buffer takes a word a cycle
        return at

    def start(self, number: int) -> float:
        """When the array could begin with the item."""
        item = self.items[number]
        at = max(self.array, self._loaded(number), self.available(number))
        if item.begins:
            at = max(at, self.banks[1 - self.bank])
        if item.gate:
            at = max(at, *self.banks)
        return at

    def run(self, number: int) -> None:
        """Order the item."""
        item = self.items[number]
        loaded = self._loaded(number)
        if item.unit == "vector":
            self.load = loaded
            self.vector = max(self.vector, loaded) + item.cycles
            end = self.vector
        else:
            begin = self.start(number)
            if not item.joins:
                self.begun = begin
            self.load = loaded
            if item.weights is not None:
                self._keep(*item.weights)
            if item.begins:
                self.bank = 1 - self.bank
            end = self.array = begin + item.cycles
            for bank, cycles in ((1 - self.bank, item.finished), (self.bank, item.drained)):
                if cycles:
                    self.drain = max(self.drain, end) + DRAIN * cycles
                    self.banks[bank] = end = self.drain
        self.stored[number] = end + LATENCY + item.stores

    def _keep(self, name: Hashable, size: int) -> None:
        self._kept += size - self._weights.pop(name, 0)
        self._weights[name] = size
        while self._kept > self.room:
            self._kept -= self._weights.popitem(last=False)[1]


def work_order(config: Config, items: Sequence[Item], sources: list[list[list[int]]]) -> list[int]:
    """The array works layer after layer. The vector unit works beside it: its work comes when what
    it reads is there, lest its loads hold up others.
    """
    clock = _Clock(config, items, sources)
    queues = {unit: deque() for unit in ("array", "vector")}
    for number, item in enumerate(items):
        queues[item.unit].append(number)
    array, vector = queues["array"], queues["vector"]
    order: list[int] = []
    while array or vector:
        ready = array and clock.known(array[0])
        early = vector and clock.known(vector[0]) and clock.available(vector[0]) <= clock.begun
        between = not array or not items[array[0]].joins
        number = (vector if (early and between) or not ready else array).popleft()
        clock.run(number)
        order.append(number)
    return order
