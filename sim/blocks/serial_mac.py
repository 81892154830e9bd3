"""The bit-serial MAC unit."""

from hwgen.rtl.mac import SerialMac

from ._mac import tests

BLOCK = SerialMac(lanes=4)
dot_products = tests(BLOCK)
