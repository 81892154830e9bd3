"""Networks by hand, without any training: every kind of layer with random integers, for tests and
benches.
"""

import numpy as np

from models.netfile import Builder, Network

__all__ = ["every_kind", "random_parameters"]


def random_parameters(rng, channels: int, fan_in: int, *, weighted=True, residual=False) -> dict:
    """Parameters that bring sums of ``fan_in`` 8-bit terms, products if ``weighted``, back into 8
    bits.
    """
    spread = 90 * fan_in**0.5 * (73 if weighted else 1)
    multiplier = rng.integers(1 << 13, 1 << 15, channels)
    shift = np.round(np.log2(multiplier * spread / 60)).astype(int)
    parameters = {
        "M": multiplier * rng.choice([-1, 1], channels),
        "B": (rng.uniform(-60, 100, channels) * 2.0**shift).astype(np.int64),
        "S": shift,
    }
    if residual:
        parameters["Mb"] = (rng.uniform(-1, 1, channels) * 2.0**shift).astype(np.int64)
    return parameters


def every_kind(seed: int = 0) -> Network:
    """A network that has every kind of layer, gate and residual the file knows."""
    rng = np.random.default_rng(seed)

    def weight(*shape):
        return rng.integers(-127, 128, shape)

    def parameters(channels, fan_in, **more):
        return random_parameters(rng, channels, fan_in, **more)

    def gate(channels, fan_in, **fields):
        spread = int(5000 * fan_in**0.5)
        return {
            "theta": rng.integers(-spread, spread, channels),
            "base": parameters(channels, fan_in, residual=fields.pop("residual", False)),
            **fields,
        }

    net = Builder("every-kind", info={"seed": seed})
    x = net.input((3, 9, 7), signed=True, full={"M": 1, "B": -254, "S": 1})
    x = net.conv(
        "stem", x, weight(8, 3, 3, 3), full=parameters(8, 27), padding=(1, 0, 2, 1), signed=False
    )
    a = net.conv(
        "first",
        x,
        weight(8, 8, 3, 3),
        full=parameters(8, 72),
        padding=(1, 1, 1, 1),
        gate=gate(8, 72, kind="channel", count=2, starts=(0,)),
    )
    b = net.conv(
        "own",
        a,
        weight(8, 8, 3, 3),
        full=parameters(8, 72, residual=True),
        residual=x,
        padding=(1, 1, 1, 1),
        gate=gate(8, 72, kind="channel", count=2, starts=(0, 2, 4, 6), residual=True),
    )
    c = net.conv(
        "precise",
        b,
        weight(8, 4, 1, 1),
        groups=2,
        full=parameters(8, 4),
        gate=gate(8, 4, kind="precision", high_bits=3),
    )
    d = net.conv("depthwise", c, weight(8, 1, 3, 3), groups=8, full=parameters(8, 9), signed=True)
    e = net.avgpool("rescaled", d, (1, 1), full=parameters(8, 1, weighted=False), signed=True)
    f = net.add("sum", d, e, full={"M": 9000, "Mb": 14000, "B": -77, "S": 15}, lo=-100)
    g = net.maxpool("maximum", f, (3, 3), (2, 2), (1, 1, 1, 0))
    h = net.split("right", g, 3, 5)
    i = net.concat("joined", h, g, h)
    j = net.shuffle("shuffled", i, 6)
    k = net.conv(
        "precise_signed",
        j,
        weight(4, 18, 1, 1),
        full=parameters(4, 18),
        gate=gate(4, 18, kind="precision", high_bits=4),
    )
    mean = {"M": 9000, "B": 0, "S": 16}
    m = net.avgpool("average", k, (2, 2), (1, 1), (1, 0, 0, 1), full=mean, bits=6)
    n = net.flatten("flat", m)
    o = net.linear(
        "classifier", n, weight(10, net.edge(n).shape[0]), full=parameters(10, 60), bits=8
    )
    net.output(o)
    net.output(net.global_avgpool("mean", j, full=parameters(18, 12, weighted=False)), "side")
    return net.build()
