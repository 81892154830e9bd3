"""From the counts of the cycle model to joules, by cause."""

from dataclasses import dataclass

from ..config import Config
from ..cycles import Prediction
from ..isa.parameters import RECORD_BYTES
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
    operand, product = array.activation_bits, array.activation_bits + array.weight_bits
    vector = array.lanes * operand
    held = config.channels_per_group if array.gated else array.slots
    sum_bits = config.accumulator_bits
    accumulators = array.rows * array.group * sum_bits
    activations = config.activation_rows * vector
    buffer = memory.weight_words * config.weight_word_bits

    # An adder tree of R products has R / 2 adders of a product's width and one bit, and so on.
    levels = [
        (array.lanes >> n, product + n)
        for n in range(1, array.lanes.bit_length())
        if array.lanes >> n
    ]
    tree = sum(adders * table.addition(bits) for adders, bits in levels)
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
    multiplication = table.multiplication(operand, array.weight_bits)
    active, idle = (float(prediction.macs), 0.0)
    if nonzero is not None:
        # The unit's adders switch as its multipliers do.
        active = table.activity("nonzero") * nonzero
        idle = table.activity("zero") * (prediction.macs - nonzero)
    spent["products"] = active * multiplication
    spent["products with a zero"] = idle * multiplication
    added = (active + idle) / array.lanes
    spent["sums"] = added * tree + done["dot_products"] * table.addition(sum_bits)
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
    hops = done["vectors"] * config.groups + 2 * done["vector_pushes"]
    spent["activations on the way"] = table.register(
        hops * vector + done["dot_products"] * 2 * vector
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
