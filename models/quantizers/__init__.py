"""Quantizers that networks train with. All round half up, all have zero point 0 (:mod:`.base`)."""

from models.quantizers.base import Quantizer, fake_quantize, integer_range
from models.quantizers.few_values import BinaryActivation, BinaryWeight, TernaryWeight
from models.quantizers.fixed_point import FixedPointActivation, FixedPointWeight
from models.quantizers.learned_step import LearnedStepActivation, LearnedStepWeight
from models.quantizers.make import ACTIVATIONS, WEIGHTS, make_activation, make_weight
from models.quantizers.pact import Pact
from models.quantizers.rounding import round_half_up, shift_round_half_up
from models.quantizers.uniform import FixedStep, UniformActivation, UniformWeight

__all__ = [
    "ACTIVATIONS",
    "WEIGHTS",
    "BinaryActivation",
    "BinaryWeight",
    "FixedPointActivation",
    "FixedPointWeight",
    "FixedStep",
    "LearnedStepActivation",
    "LearnedStepWeight",
    "Pact",
    "Quantizer",
    "TernaryWeight",
    "UniformActivation",
    "UniformWeight",
    "fake_quantize",
    "integer_range",
    "make_activation",
    "make_weight",
    "round_half_up",
    "shift_round_half_up",
]
