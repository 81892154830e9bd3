"""A multiplier for each lane."""

from collections.abc import Iterable

from amaranth import *

from .adder_tree import AdderTree
from .base import OPERAND_BITS, Mac
from .mode import Mode
from .product import RegisteredProduct

__all__ = ["ParallelMac"]

PRODUCT_BITS = 2 * OPERAND_BITS


class ParallelMac(Mac):
    """:class:`Mac` with ``lanes`` multipliers of 9 x 8 bits: a dot product a cycle.

    Stages: operands, products, adder tree. A ninth bit makes an activation signed or unsigned, so
    that an FPGA uses one small multiplier block a lane for both.

    Parameters
    ----------
    lanes, modes
        See :class:`Mac`.
    distant : bool
        The multipliers are far from the tree: products take a cycle for the way.
    """

    def __init__(self, *, lanes: int, modes: Iterable[Mode] | None = None, distant: bool = False):
        super().__init__(lanes=lanes, modes=modes)
        self._distant = distant

    @property
    def latency(self) -> int:
        return super().latency + self._distant

    @classmethod
    def can(cls, mode: Mode) -> bool:
        return mode == cls.MODES[0]

    @classmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        return RegisteredProduct.latency + AdderTree.latency_of(lanes)

    def elaborate(self, platform):
        m = Module()
        m.submodules.tree = tree = AdderTree(terms=self.lanes, width=PRODUCT_BITS)

        products = []
        for lane in range(self.lanes):
            a = self.i_activations.word_select(lane, OPERAND_BITS)
            w = self.i_weights.word_select(lane, OPERAND_BITS)
            product = RegisteredProduct(a=OPERAND_BITS + 1, b=OPERAND_BITS, o=PRODUCT_BITS)
            m.submodules[f"product{lane}"] = product
            m.d.comb += [
                product.i_en.eq(self.i_start),
                product.i_a.eq(Cat(a, a[-1] & self.i_signed).as_signed()),
                product.i_b.eq(w.as_signed()),
            ]
            if self._distant:
                arrived = Signal.like(product.o, name=f"arrived{lane}", reset_less=True)
                m.d.sync += arrived.eq(product.o)
                products.append(arrived)
            else:
                products.append(product.o)
        m.d.comb += [tree.i.eq(Cat(products)), self.o_sum.eq(tree.o)]
        return m
