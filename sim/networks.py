"""Networks small enough for an event-driven simulator, and what they compute."""

import numpy as np

from models.netfile import Builder, Network
from models.reference import run as reference
from models.zoo.synthetic import random_parameters

__all__ = ["example", "expected", "image_of"]


def example(seed: int = 0, *, gated: bool = True, plain: bool = False) -> Network:
    """Convolutions gated by channel and by precision with a residual, pooling, a classifier.

    With ``gated=False`` the same layers, computed densely; ``plain``: without residual and pooling.
    """
    rng = np.random.default_rng(seed)

    def gate(fan_in: int, residual=False, **fields) -> dict | None:
        if not gated:
            return None
        spread = int(3000 * fan_in**0.5)
        theta = rng.integers(-spread, spread, 6)
        base = random_parameters(rng, 6, fan_in, residual=residual)
        return {"theta": theta, "base": base, **fields}

    def weight(*shape):
        return rng.integers(-127, 128, shape)

    net = Builder("example" if gated else "dense-example", info={"seed": seed})
    x = net.input((5, 5, 4))
    x = net.conv(
        "stem",
        x,
        weight(6, 5, 3, 3),
        full=random_parameters(rng, 6, 45),
        padding=(1, 1, 1, 0),
        gate=gate(45, kind="channel", count=2, starts=(0,)),
    )
    y = net.conv(
        "beside",
        x,
        weight(6, 6, 1, 1),
        full=random_parameters(rng, 6, 6, residual=not plain),
        residual=None if plain else x,
        gate=gate(6, residual=not plain, kind="precision", high_bits=4),
    )
    if not plain:
        y = net.maxpool("maximum", y, (2, 2), (2, 2))
    z = net.linear(
        "classifier",
        net.flatten("flat", y),
        weight(3, net.edge(y).size),
        full=random_parameters(rng, 3, net.edge(y).size),
        signed=True,
    )
    net.output(z)
    return net.build()


def image_of(network: Network, seed: int = 0) -> np.ndarray:
    """A random input."""
    edge = network.input.output
    return np.random.default_rng(seed).integers(edge.lo, edge.hi + 1, edge.shape)


def expected(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every edge of ``network``, from the integer reference."""
    result = reference(network, image[None], taps=True)
    return {name: tap[0] for name, tap in result.taps.items()}
