"""What travels inside a group."""

from amaranth.hdl import unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from .. import mac
from ..commands import mode_field, row_shape, slot_shape

__all__ = [
    "DEPARTED",
    "column_shape",
    "dealt_row",
    "lane_shape",
    "operand_choice",
    "gate_row",
    "gated_position_shape",
    "listed_shape",
    "marks_of",
    "planned_row",
    "row_offer",
    "row_operation",
    "task",
    "task_record",
    "walk_marks",
]

DEPARTED = -(1 << 31)
"""What the gate leaves in the place of a sum that has become a task. No sum of a gated layer may be
this; that of a convolution with fewer than 65,793 weights a channel is not.
"""


def column_shape(config: Config):
    """Number v of a slot within its engine, 0 to V-1."""
    return unsigned(max(1, ceil_log2(config.array.slots)))


def lane_shape(config: Config):
    """Number of an engine within its group, 0 to D-1."""
    return unsigned(max(1, ceil_log2(config.array.group)))


def gated_position_shape(config: Config):
    """Number of a position of a gated tile, of which there are at most rows / V."""
    return unsigned(max(1, ceil_log2(config.positions_per_cluster)))


def listed_shape(config: Config):
    """Number of a task-bearing position in the list of a group; the list has rows / V entries."""
    return unsigned(bits_for(config.positions_per_cluster))


def row_operation(config: Config) -> data.StructLayout:
    """What the pipeline needs to know of a row that has been issued, besides its operands.

    ``some``: it is a row (else only the marks count, for a chunk without rows); ``row``, ``bank``:
    where its sums are; ``first``: they start at zero; ``release``: the chunk ends with it; ``end``:
    the command ends with it. Gated: ``gate``: compare; ``clear``: counts restart; ``completes``:
    last row of its position. Where sums are shifted, ``sum_shift``: products count 2**sum_shift.
    """
    fields = {"some": 1, "row": row_shape(config), "bank": 1, "first": 1, "release": 1, "end": 1}
    if config.array.gated:
        fields |= {"gate": 1, "clear": 1, "completes": 1}
    if mac.shifts_sums(config):
        fields |= {"sum_shift": 3}
    return data.StructLayout(fields)


def operand_choice(config: Config) -> data.StructLayout:
    """Which operands a row takes.

    ``starts``: the engines that take part. Gated: ``slots`` of each engine, and ``second``, the
    engines that take the second head of the queue. Not gated: ``column``, slot v*D + e for e.
    Where MAC units have several modes: ``mode``.
    """
    engines = config.array.group
    fields = {"starts": engines, "signed": 1} | mode_field(config)
    if config.array.gated:
        slots = data.ArrayLayout(slot_shape(config), engines)
        fields |= {"second": engines, "slots": slots}
    else:
        fields |= {"column": column_shape(config)}
    return data.StructLayout(fields)


def row_offer(config: Config) -> data.StructLayout:
    """A row that could be issued next.

    ``some``: there is one (else it is a chunk without rows); ``last``: of its chunk; ``pops``:
    vectors that leave the queue with it. Gated: ``straddles``: it needs two vectors; ``completes``:
    last row of its position, in a dense pass.
    """
    fields = {"some": 1, "last": 1, "row": row_shape(config), "choice": operand_choice(config)}
    if config.array.gated:
        fields |= {"pops": 2, "straddles": 1, "completes": 1}
    else:
        fields |= {"pops": 1}
    return data.StructLayout(fields)


def planned_row(config: Config) -> data.StructLayout:
    """A row that comes next: its operation, its operands, its vectors."""
    fields = {"operation": row_operation(config), "choice": operand_choice(config)}
    if config.array.gated:
        fields |= {"pops": 2, "straddles": 1}
    else:
        fields |= {"pops": 1}
    return data.StructLayout(fields)


def walk_marks(config: Config) -> data.StructLayout:
    """Whether a walk over rows has no position, or a single one; positions have a single slot; the
    first step is the last. ``penultimate``: the last column but one, if there are two.
    """
    flags = dict.fromkeys(("empty", "one_position", "one_slot", "one_row"), 1)
    return data.StructLayout(flags | {"penultimate": column_shape(config)})


def marks_of(slots, positions) -> dict:
    """The marks of a walk of that size."""
    empty, one_position, one_slot = positions == 0, positions == 1, slots == 1
    return {
        "empty": empty,
        "one_position": one_position,
        "one_slot": one_slot,
        "one_row": empty | (one_position & one_slot),
        "penultimate": slots - 2,
    }


def task_record(config: Config) -> data.StructLayout:
    """What the task store knows of a task row, besides its sums.

    Lanes 0 to ``last`` hold tasks; those up to ``last0`` take the vector at the head of the queue,
    the others the one behind it. ``pops``: vectors that no later row needs.
    """
    lane = lane_shape(config)
    slots = data.ArrayLayout(slot_shape(config), config.array.group)
    return data.StructLayout({"slots": slots, "last": lane, "last0": lane, "pops": 2})


def gate_row(config: Config) -> data.StructLayout:
    """A row of sums that the gate has judged: ``fired``, the lanes above their thresholds.

    ``some`` and the others up to ``completes`` as in ``row_operation``; ``position`` and
    ``column``: whose row it is.
    """
    return data.StructLayout(
        {
            "some": 1,
            "row": row_shape(config),
            "bank": 1,
            "end": 1,
            "clear": 1,
            "completes": 1,
            "position": gated_position_shape(config),
            "column": column_shape(config),
            "fired": config.array.group,
            "sums": data.ArrayLayout(32, config.array.group),
        }
    )


def task(config: Config) -> data.StructLayout:
    """A task, whose position is known from the context."""
    return data.StructLayout({"sum": 32, "slot": slot_shape(config)})


def dealt_row(config: Config) -> data.StructLayout:
    """A row of tasks as the packer writes it."""
    return data.StructLayout(
        {
            "row": row_shape(config),
            "sums": data.ArrayLayout(32, config.array.group),
            "record": task_record(config),
        }
    )
