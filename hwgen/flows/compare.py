"""Two configurations on one target: what one has that the other has not, block by block."""

from collections import Counter
from dataclasses import dataclass

from hwgen.flows.blocks import flatten
from hwgen.flows.synthesis import Report

__all__ = ["Comparison", "Row"]


@dataclass(frozen=True)
class Row:
    """One block or kind of memory in both designs."""

    name: str
    first: Counter
    second: Counter

    def extra(self, resource: str) -> float:
        """How much more of a resource the first design has."""
        return self.first[resource] - self.second[resource]


@dataclass(frozen=True)
class Comparison:
    """What ``first`` costs more than ``second``."""

    first: Report
    second: Report

    @property
    def resources(self) -> tuple[str, ...]:
        """What is compared."""
        return self.first.target.resources

    @property
    def total(self) -> Row:
        """The two designs as a whole, memory bits included."""
        return Row("all", *(_with_bits(report) for report in (self.first, self.second)))

    @property
    def percent(self) -> dict[str, float | None]:
        """What the first has more of each resource, in percent of the second; None of nothing."""
        total = self.total
        return {
            resource: 100 * total.extra(resource) / total.second[resource]
            if total.second[resource]
            else None
            for resource in (*self.resources, "memory_bits")
        }

    @property
    def blocks(self) -> list[Row]:
        """What each block holds itself, where that differs; largest difference first."""
        first, second = (flatten(report.blocks) for report in (self.first, self.second))
        rows = [
            Row(
                path or "(top)",
                first[path].own if path in first else Counter(),
                second[path].own if path in second else Counter(),
            )
            for path in dict.fromkeys((*first, *second))
        ]
        by = "area" if "area" in self.resources else "lut"
        rows = [row for row in rows if any(row.extra(resource) for resource in self.resources)]
        return sorted(rows, key=lambda row: (-abs(row.extra(by)), row.name))

    @property
    def memories(self) -> list[Row]:
        """Bits of memory by purpose, and µm² where known; largest difference first."""
        rows = {}
        for side, report in enumerate((self.first, self.second)):
            for bound in report.memories:
                row = rows.setdefault(bound.use.name, Row(bound.use.name, Counter(), Counter()))
                counter = (row.first, row.second)[side]
                counter["bits"] += bound.use.bits
                counter["area"] += bound.area or 0
        return sorted(
            rows.values(), key=lambda row: (-abs(row.extra("area")), -abs(row.extra("bits")))
        )

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "format": "hwgen-comparison",
            "target": self.first.target.name,
            "first": self.first.config.name,
            "second": self.second.config.name,
            "percent": {k: None if v is None else round(v, 2) for k, v in self.percent.items()},
            "total": _pair(self.total, (*self.resources, "memory_bits")),
            "blocks": [_pair(row, self.resources) for row in self.blocks],
            "memories": [_pair(row, ("bits", "area")) for row in self.memories],
        }


def _with_bits(report: Report) -> Counter:
    return Counter({**report.total, "memory_bits": report.memory_bits})


def _pair(row: Row, resources: tuple[str, ...]) -> dict:
    return {
        "name": row.name,
        "first": {resource: round(row.first[resource], 4) for resource in resources},
        "second": {resource: round(row.second[resource], 4) for resource in resources},
    }
