"""What a group computes, as integers: the truth that the hardware is tested against."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

import numpy as np

from ...arithmetic import wrap32
from ...config import Config
from ..mac import Placement, facts
from .layouts import DEPARTED

__all__ = ["Dealer", "GroupModel", "Item", "TaskRow"]

COUNT_MAX = (1 << 16) - 1


@dataclass(frozen=True)
class Item:
    """A drained sum."""

    sum: int
    slot: int
    position: int
    full: int


@dataclass(frozen=True)
class TaskRow:
    """Tasks (position, slot) by lane, and how many of its vectors no later row needs."""

    tasks: tuple[tuple[int, int], ...]
    pops: int

    @property
    def positions(self) -> list[int]:
        """Its one or two positions, in order."""
        return sorted({position for position, _ in self.tasks})


def _numbers(placement: Placement, vector: Sequence[int], signed: bool) -> list[int]:
    """The operands in the bytes of a vector."""
    return placement.unpack(int.from_bytes(bytes(b & 0xFF for b in vector), "little"), signed)


class GroupModel:
    """State of a group between commands; sums are held row by row as the hardware holds them.

    Rows and lanes that hold nothing defined are whatever was there before.
    """

    def __init__(self, config: Config):
        self.config = config
        shape = (2, config.array.rows, config.array.group)
        self.sums = np.zeros(shape, np.int64)
        self.task_rows: list[TaskRow] = []
        self.counts = np.zeros(config.channels_per_group, np.int64)
        self.decided: list[bool] = []
        """`any` of each `decided` strobe so far."""

    @property
    def task_positions(self) -> list[int]:
        """Positions that a conditional pass wants the vectors of."""
        return sorted({position for row in self.task_rows for position in row.positions})

    def run(self, command: dict, chunks: Sequence, thresholds: Sequence[int] | None = None) -> None:
        """One command.

        Parameters
        ----------
        command
            Fields of ``group_command``.
        chunks
            For each chunk a pair: vectors (those of all positions, or in a conditional pass those
            of ``task_positions``; R bytes each), weights by slot (R signed bytes each).
        thresholds
            By slot; for a gate.
        """
        if command["clear_counts"]:
            self.counts[:] = 0
        rows = self._task_operands() if command["conditional"] else self._dense_operands(command)
        sums = self.sums[command["bank"]]
        unit = facts(self.config)
        mode = unit.modes[command.get("mode", 0)]
        for n, (vectors, weights) in enumerate(chunks):
            vectors = [_numbers(unit.activations_in(mode), v, command["signed"]) for v in vectors]
            weights = [_numbers(unit.weights_in(mode), row, True) for row in weights]
            for row, lanes in rows:
                for lane, (vector, slot) in enumerate(lanes):
                    before = 0 if command["first"] and n == 0 else sums[row, lane]
                    product = sum(map(mul, vectors[vector], weights[slot]))
                    product <<= command.get("sum_shift", 0)
                    sums[row, lane] = wrap32(before + product)
        if command["gate"]:
            self._gate(command, thresholds)

    def drain(self, command: dict) -> list[Item]:
        """The items of a drain command, in order, without the mark of the end."""
        engines = self.config.array.group
        sums = self.sums[command["bank"]]
        items = []
        if command["source"] == 2:
            for n, row in enumerate(self.task_rows):
                for lane, (position, slot) in enumerate(row.tasks):
                    items.append(Item(int(sums[n, lane]), slot, position, 1))
            return items
        for row in range(command["positions"] * command["slots"]):
            position, column = divmod(row, command["slots"])
            for lane in range(engines):
                if command["source"] == 0 or sums[row, lane] != DEPARTED:
                    slot = column * engines + lane
                    full = int(command["source"] == 0)
                    items.append(Item(int(sums[row, lane]), slot, position, full))
        return items

    def _dense_operands(self, command):
        """For each row: its number and, by lane, the vector and the slot."""
        engines = self.config.array.group
        for_row = []
        for row in range(command["positions"] * command["slots"]):
            position, column = divmod(row, command["slots"])
            for_row.append((row, [(position, column * engines + e) for e in range(engines)]))
        return for_row

    def _task_operands(self):
        order = {position: n for n, position in enumerate(self.task_positions)}
        return [
            (n, [(order[position], slot) for position, slot in row.tasks])
            for n, row in enumerate(self.task_rows)
        ]

    def _gate(self, command, thresholds):
        engines, slots = self.config.array.group, command["slots"]
        dealer = Dealer(engines)
        for position in range(command["positions"]):
            fired_here = False
            for column in range(slots):
                row = position * slots + column
                sums = self.sums[command["bank"], row].copy()
                fired = [sums[e] > thresholds[column * engines + e] for e in range(engines)]
                self.sums[1 - command["bank"], row] = np.where(fired, DEPARTED, sums)
                tasks = [(position, column * engines + e) for e in range(engines) if fired[e]]
                dealer.deal(tasks, [int(sums[e]) for e in range(engines) if fired[e]])
                for _, slot in tasks:
                    self.counts[slot] = min(COUNT_MAX, self.counts[slot] + 1)
                fired_here |= bool(tasks)
            self.decided.append(fired_here)
        dealer.flush()
        self.task_rows = dealer.rows
        for n, sums in enumerate(dealer.sums):
            self.sums[command["bank"], n, : len(sums)] = sums


class Dealer:
    """Fills task rows; a row is closed by the tasks that no longer fit."""

    def __init__(self, engines):
        self.engines = engines
        self.staged = []
        self.rows, self.sums = [], []

    def deal(self, tasks, sums):
        """Tasks of one position, in slot order."""
        if not tasks:
            return
        new = list(zip(tasks, sums, strict=True))
        position = tasks[0][0]
        third = len({p for (p, _), _ in self.staged} | {position}) > 2
        room = 0 if third else self.engines - len(self.staged)
        if room < len(new):
            self._close(self.staged + new[:room], unfinished=position)
            self.staged, new = [], new[room:]
        self.staged += new

    def flush(self):
        """No more tasks."""
        if self.staged:
            self._close(self.staged, unfinished=None)
        self.staged = []

    def _close(self, items, unfinished):
        tasks = tuple(task for task, _ in items)
        positions = {position for position, _ in tasks}
        self.rows.append(TaskRow(tasks, len(positions - {unfinished})))
        self.sums.append([total for _, total in items])
