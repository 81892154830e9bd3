"""How many cycles a program takes: exact, without the RTL."""

from .model import Model, Prediction, Span, predict

__all__ = ["Model", "Prediction", "Span", "predict"]
