"""The parallel MAC unit."""

from hwgen.rtl.mac import ParallelMac

from ._mac import tests

BLOCK = ParallelMac(lanes=4)
dot_products = tests(BLOCK)
