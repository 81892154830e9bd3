"""Outlier channel splitting (Zhao et al., ICML 2019): copy the channels that stretch the scale, and
halve the copies.
"""

from .activations import split_activations, split_seen_activations
from .graph import split_graph
from .weights import SplitWeights, split_weights

__all__ = [
    "SplitWeights",
    "split_activations",
    "split_graph",
    "split_seen_activations",
    "split_weights",
]
