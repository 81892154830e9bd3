"""Where the cycles of a predicted run went, layer by layer: every cycle counts once.

The array has the time of one pass after another, and gaps between them. A pass belongs to its
layer; so does the gap before it, told by the unit whose work the pass had to wait for. Where that
was the vector unit or the drain, the gap belongs to the layer whose results those computed.
"""

from collections import defaultdict

import numpy as np

from ..compiler.program import Program
from ..cycles import Prediction

__all__ = ["REASONS", "cycles_by_reason"]

REASONS = {
    "useful": "products that were needed",
    "array": "in a pass beyond that: uneven work, idle lanes, waiting for vectors or weights",
    "load": "no pass: data were being loaded",
    "drain": "no pass: sums were being drained",
    "vector": "no pass: pooling or addition",
    "store": "no pass: results were being stored",
    "control": "no pass: fetching, decoding, starting",
}
"""What a cycle may have gone into."""


def _layer(step) -> str:
    return step.note.partition(":")[0]


class _Busy:
    """When a unit had an instruction under way."""

    def __init__(self, spans: list):
        self.spans = spans
        starts, ends = [], []
        for span in sorted(spans, key=lambda s: s.start):
            if ends and span.start <= ends[-1]:
                ends[-1] = max(ends[-1], span.end)
            else:
                starts.append(span.start)
                ends.append(span.end)
        self._starts, self._ends = np.array(starts), np.array(ends)
        self._before = np.concatenate([[0], np.cumsum(self._ends - self._starts)])

    def _until(self, cycle: int) -> int:
        """Busy cycles before ``cycle``."""
        number = int(np.searchsorted(self._starts, cycle))
        over = 0 if number == 0 else max(0, int(self._ends[number - 1]) - cycle)
        return int(self._before[number]) - over

    def within(self, first: int, last: int) -> int:
        """Busy cycles of those from ``first`` to ``last`` - 1."""
        return self._until(last) - self._until(first)


def cycles_by_reason(
    program: Program, prediction: Prediction, useful: dict[str, float]
) -> dict[str, dict[str, float]]:
    """For each layer, in order, its cycles by reason; all together are those of the run.

    ``useful``: the least cycles in which the array does the products that each layer needs.
    """
    rows: dict[str, dict[str, float]] = {}
    of_unit: dict[str, list] = defaultdict(list)  # spans, in the order of the unit
    for span in prediction.spans:
        of_unit[span.step.unit].append(span)
        if span.step.name != "END":
            rows.setdefault(_layer(span.step), dict.fromkeys(REASONS, 0.0))
    units = {unit: _Busy(spans) for unit, spans in of_unit.items()}
    now, last = 0, next(iter(rows))
    for span in prediction.spans:
        if span.step.name == "PASS":
            last = _layer(span.step)
            start = max(now, span.start)
            _gap(rows, span.step, last, now, start, units)
            now = max(start, span.end)
            rows[last]["array"] += now - start
    _gap(rows, prediction.spans[-1].step, last, now, prediction.cycles, units)
    for layer, row in rows.items():
        needed = min(useful.get(layer, 0.0), row["array"])
        row["useful"] += needed
        row["array"] -= needed
    return rows


def _gap(rows, step, layer: str, now: int, start: int, units: dict[str, _Busy]) -> None:
    """Say what the cycles from ``now`` to ``start`` were waited for."""
    waited = [units[unit].spans[number] for unit, number in step.after.items()]
    if step.name == "END":  # for all units
        waited = [span for unit in units.values() for span in unit.spans[-1:]]
    # What ended last has kept us waiting last.
    for other in sorted(waited, key=lambda span: span.end):
        until, unit = min(other.end, start), other.step.unit
        if until > now and unit in REASONS:
            own = unit in ("vector", "drain")
            rows[_layer(other.step) if own else layer][unit] += until - now
            now = until
    # The instruction itself came late where the queue of another unit was full before it.
    for unit in ("load", "vector", "drain", "store"):
        if start > now and unit in units:
            busy = units[unit].within(now, start)
            rows[layer][unit] += busy
            start -= busy
    rows[layer]["control"] += max(0, start - now)
