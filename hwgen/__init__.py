"""hwgen: a generator of hardware for neural networks that compute only what an input needs."""

__version__ = "0.1.0"
