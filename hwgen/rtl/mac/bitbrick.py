"""Two-bit bricks that are fused to the widths of a mode."""

from amaranth import *
from amaranth.utils import ceil_log2

from .base import OPERAND_BITS, Mac
from .brick_column import BRICK, BrickColumn
from .columns import add_columns, adding_latency, choose, delayed, held
from .mode import Mode, Placement, power_of_two
from .steps import StepCounter

__all__ = ["BitBrickMac"]


class BitBrickMac(Mac):
    """:class:`Mac` of bricks of 2 x 2 bits, one for each two bits of a vector.

    Brick k always has bits 2k and 2k+1 of the activations. An operand of r bits (its room) takes
    r/2 bricks, and all of them work in every step, so a start of n operands of a and w bits takes
    n * a/2 * w/2 products by 4 * lanes bricks:

    - a >= w: in each step all bricks of an operand have the same two bits of its weight, from the
      upper to the lower ones. The weight lies at the top of its room.
    - a < w: the activation stands in its room as often as it fits. Copy j meets two bits of the
      j-th part of the weight in each step. The weight fills its room.

    Either way a brick's product is worth 4 to the power of its number within the room, whatever the
    step, and the sum is multiplied by four from step to step. So bricks of the same number in the
    largest room form a *column*, and shifts are made with sums of columns, once for all lanes.

    Stages: operands, columns, sum of columns, sum of steps. What no mode needs is not there: a
    column shift that never changes is wire, and no sum of steps where all modes take one.
    """

    BRICK = BRICK
    CAN = "1x1 to 16x16"

    @classmethod
    def can(cls, mode: Mode) -> bool:
        return True

    @classmethod
    def steps_in(cls, mode: Mode) -> int:
        if _copies(mode) > 1:
            return _rounded(mode.activations) // BRICK
        return -(-mode.weights // BRICK)

    @classmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        columns = max(map(cls.room_in, modes)) // BRICK
        bricks = OPERAND_BITS * lanes // BRICK // columns
        adding = adding_latency(columns)
        several = any(cls.steps_in(mode) > 1 for mode in modes)
        return 1 + BrickColumn.latency_of(bricks) + adding + several

    def activations_in(self, mode: Mode) -> Placement:
        room, copies = self.room_in(mode), _copies(mode)
        return Placement(self.lanes_in(mode), room, room // copies, copies=copies)

    def weights_in(self, mode: Mode) -> Placement:
        room = self.room_in(mode)
        width = room if _copies(mode) > 1 else BRICK * self.steps_in(mode)
        return Placement(self.lanes_in(mode), room, width, offset=room - width)

    def elaborate(self, platform):
        m = Module()
        columns = max(map(self.room_in, self.modes)) // BRICK
        steps = [self.steps_in(mode) for mode in self.modes]

        # Operands.
        counter = StepCounter(m, self.i_start, self.mode_code, steps)
        activations = Signal.like(self.i_activations, reset_less=True)
        weights = Signal.like(self.i_weights, reset_less=True)
        is_signed = Signal(reset_less=True)
        with m.If(self.i_start):
            m.d.sync += [
                activations.eq(self.i_activations),
                weights.eq(self.i_weights),
                is_signed.eq(self.i_signed),
            ]
        if max(steps) > 1:
            with m.Elif(counter.more):
                m.d.sync += weights.eq(weights << BRICK)
        fusion = _Fusion(m, self, ceil_log2(columns))

        # Columns.
        bricks = len(activations) // BRICK // columns
        terms = []
        for c in range(columns):
            m.submodules[f"column{c}"] = column = BrickColumn(bricks=bricks)
            mine = range(c, bricks * columns, columns)
            m.d.comb += [
                column.i_activations.eq(Cat(activations.word_select(k, BRICK) for k in mine)),
                column.i_weights.eq(Cat(fusion.chosen(weights, k) for k in mine)),
                column.i_activations_signed.eq(is_signed & fusion.ends_activation(c)),
                column.i_weights_signed.eq(counter.first & fusion.ends_weight(c)),
            ]
            terms.append(column.o)
        latency = BrickColumn.latency_of(bricks)
        apart = [delayed(m, value, latency, f"apart{n}") for n, value in enumerate(fusion.apart)]
        total, adding = add_columns(m, terms, apart, width=BRICK)

        # Steps.
        if max(steps) == 1:
            m.d.comb += self.o_sum.eq(total)
            return m
        running = delayed(m, counter.running, latency + adding, "running", reset_less=False)
        first = delayed(m, counter.first, latency + adding, "first")
        with m.If(running):
            m.d.sync += self.o_sum.eq(Mux(first, 0, self.o_sum << BRICK) + total)
        return m


class _Fusion:
    """How bricks belong together in the mode of the start that is under way.

    Attributes
    ----------
    within : list
        For n = 0, 1, …: whether the parts of weights that meet an activation have at most 2**n
        bricks.
    apart : list
        Whether a room has more than 2**n bricks, so that columns that differ in bit n of their
        number are to be shifted.
    """

    def __init__(self, m: Module, mac: Mac, levels: int):
        rooms = [mac.room_in(mode) // BRICK for mode in mac.modes]
        parts = [room // _copies(mode) for room, mode in zip(rooms, mac.modes, strict=True)]
        self.within = [
            held(m, mac, [part <= 1 << n for part in parts], f"within{n}") for n in range(levels)
        ]
        self.apart = [
            held(m, mac, [room > 1 << n for room in rooms], f"apart{n}") for n in range(levels)
        ]

    def chosen(self, weights: Value, brick: int) -> Value:
        """The bits of the weights that a brick has: the upper ones of its part."""
        size = 1 << len(self.within)
        choice = weights.word_select(brick | size - 1, BRICK)
        for n in reversed(range(len(self.within))):
            source = weights.word_select(brick | (1 << n) - 1, BRICK)
            if ~brick >> n & 1:
                choice = choose(self.within[n], source, choice)
        return choice

    def ends_activation(self, column: int) -> Value:
        """Whether a column has the upper bits of activations."""
        zeros = [n for n in range(len(self.within)) if ~column >> n & 1]
        return self.within[zeros[0]] if zeros else Const(1)

    def ends_weight(self, column: int) -> Value:
        """Whether a column has, in the first step, the upper bits of weights."""
        result = Const(1)
        for n, (within, apart) in enumerate(zip(self.within, self.apart, strict=True)):
            if ~column >> n & 1:
                result &= ~(within & apart)
        return result


def _rounded(bits: int) -> int:
    """Bits that an operand fills."""
    return max(BRICK, power_of_two(bits))


def _copies(mode: Mode) -> int:
    """How often an activation stands in its room."""
    return max(1, _rounded(mode.weights) // _rounded(mode.activations))
