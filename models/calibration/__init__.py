"""Post-training calibration: where to clip an activation or a weight, from what was seen of it.

Observe values with a :class:`Histogram`, then ask :func:`clip` by the name of a method
(``METHODS``).
"""

from .histogram import Histogram
from .methods import ACIQ_GAUSS, ACIQ_LAPLACE, METHODS, clip, quantization_error

__all__ = ["ACIQ_GAUSS", "ACIQ_LAPLACE", "METHODS", "Histogram", "clip", "quantization_error"]
