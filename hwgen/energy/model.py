"""From the counts of the cycle model to joules, by cause."""

from dataclasses import dataclass

from ..config import Config
from ..cycles import Prediction
from ..isa.parameters import RECORD_BYTES
from ..rtl.mac import Mode, facts
from .table import Table

__all__ = ["CAUSES", "Energy", "Silicon", "energy_of"]

CAUSES = (
    "products",
    "products with a zero",
    "sums",
    "weights of the engines",
    "accumulators",
    "activations on the way",
    "activation buffer",
    "weight buffer",
    "gate and tasks",
    "drain",
    "external memory",
    "clock",
    "leakage",
)
"""What energy is spent on, in the order of the tables."""


@dataclass(frozen=True)
class Silicon:
    """What takes energy by being there.

    Attributes
    ----------
    flip_flops : float
        All are clocked in every cycle.
    cells : float
        Each leaks as much as a register of one bit. Memories' leakage is not known, and left out.
    frequency : float
        Hz of the clock.
    """

    flip_flops: float
    cells: float
    frequency: float

    @classmethod
    def of_report(cls, report: dict, frequency: float) -> "Silicon":
        """From what ``hwgen synth --target asic --json`` prints."""
        return cls(report["total"]["ff"], report["total"]["cells"], frequency)


@dataclass(frozen=True)
class Energy:
    """pJ of a run by cause.

    Attributes
    ----------
    spent : dict
        For each of :data:`CAUSES` pJ.
    images : int
        That the run was for.
    cycles : int
        That it took.
    """

    spent: dict[str, float]
    images: int
    cycles: int

    @property
    def total(self) -> float:
        """pJ of the run."""
        return sum(self.spent.values())

    @property
    def millijoules(self) -> float:
        """mJ an image."""
        return self.total / self.images / 1e9

    def as_dict(self) -> dict:
        """For JSON."""
        an_image = {cause: round(pj / self.images / 1e6, 4) for cause, pj in self.spent.items()}
        return {
            "mJ_an_image": self.millijoules,
            "uJ_an_image": an_image,
            "images": self.images,
            "cycles": self.cycles,
        }


def _tree(table: Table, lanes: int, mode: Mode) -> float:
    """The adder tree of a dot product: half as many adders as products, of their width and one bit,
    and so on.
    """
    product = mode.activations + mode.weights
    levels = range(1, lanes.bit_length())
    return sum((lanes >> n) * table.addition(product + n) for n in levels)


def energy_of(
    prediction: Prediction,
    config: Config,
    table: Table,
    *,
    nonzero: int | None = None,
    silicon: Silicon | None = None,
    images: int = 1,
) -> Energy:
    """Energy of a run that the cycle model has predicted.

    Parameters
    ----------
    prediction
        Of the cycle model, whose operations are counted one by one.
    config
        What it ran on.
    table
        What an operation costs.
    nonzero
        How many of the products have no operand that is zero; what is known of the data. Without
        it all cost what random ones do.
    silicon
        For clock and leakage; without it they are zero.
    images
        That the run was for.
    """
    array, memory = config.array, config.memory
    done, counters = prediction.operations, prediction.counters
    vector = array.lanes * array.activation_bits
    held = config.channels_per_group if array.gated else array.slots
    sum_bits = config.accumulator_bits
    accumulators = array.rows * array.group * sum_bits
    activations = config.activation_rows * vector
    buffer = memory.weight_words * config.weight_word_bits

    sums_written = done["rows"] * array.group
    weight_store = 2 * held * array.lanes * array.weight_bits
    tasks = counters["FIRED"]
    decisions = sum(
        span.step.fields["positions"] * span.step.fields["slots"] * array.engines
        for span in prediction.spans
        if span.step.name == "PASS" and span.step.fields["gate"]
    )
    task_bits = held.bit_length() + 8
    record = 8 * RECORD_BYTES

    spent = dict.fromkeys(CAUSES, 0.0)
    active, idle = 1.0, 0.0
    if nonzero is not None:
        # The unit's adders switch as its multipliers do.
        part = nonzero / max(1, prediction.macs)
        active, idle = table.activity("nonzero") * part, table.activity("zero") * (1 - part)
    spent["sums"] = done["dot_products"] * table.addition(sum_bits)
    moved = 0  # bits of operands, from register to register
    unit = facts(config)
    for number, counts in prediction.modes.items():
        mode = unit.modes[number]
        lanes, dots = unit.lanes_in(mode), counts.dot_products
        products = lanes * dots * table.multiplication(mode.activations, mode.weights)
        spent["products"] += active * products
        spent["products with a zero"] += idle * products
        spent["sums"] += (active + idle) * dots * _tree(table, lanes, mode)
        hops = counts.vectors * config.groups + 2 * counts.vector_pushes
        moved += lanes * (hops * mode.activations + dots * (mode.activations + mode.weights))
    spent["activations on the way"] = table.register(moved)
    # Read for each dot product; each word sent is written by every engine of its group, in every
    # cluster where all hold the same.
    copies = array.clusters * (array.group if array.gated else 1)
    spent["weights of the engines"] = table.memory(weight_store) * (
        done["dot_products"] * array.lanes * array.weight_bits
        + done["weight_words_sent"] * config.weight_word_bits * copies
    )
    spent["accumulators"] = (
        (2 * sums_written + done["sums_drained"]) * sum_bits * table.memory(accumulators)
    )
    spent["activation buffer"] = (
        (done["activation_reads"] + done["activation_writes"]) * vector * table.memory(activations)
    )
    spent["weight buffer"] = (
        (done["weight_words_sent"] + done["weight_words_written"])
        * config.weight_word_bits
        * table.memory(buffer)
    )
    spent["gate and tasks"] = decisions * table.addition(sum_bits) + 2 * tasks * (
        task_bits * table.memory(array.rows * array.group * task_bits)
        + sum_bits * table.memory(accumulators)
    )
    spent["drain"] = done["sums_drained"] * (
        table.multiplication(sum_bits, config.drain.multiplier_bits)
        + table.addition(sum_bits + config.drain.multiplier_bits)
        + record / 2 * table.memory(memory.parameter_words * record)
    )
    spent["external memory"] = table.external(
        8 * (counters["BYTES_READ"] + counters["BYTES_WRITTEN"])
    )
    if silicon is not None:
        seconds = prediction.cycles / silicon.frequency
        spent["clock"] = table.register(silicon.flip_flops) * prediction.cycles
        watts = table.values["register"]["leakage"] * 1e-3 * silicon.cells
        spent["leakage"] = watts * seconds * 1e12
    return Energy(spent, images, prediction.cycles)
