"""Small networks to narrow."""

import numpy as np

from models.netfile import Builder, Network


def small(seed: int = 0, *, coarse: bool = False, channels: int = 8) -> Network:
    """Two convolutions, the second gated, a residual, pooling and a classifier, all 8 bits.

    With ``coarse`` the weights are multiples of 16, so that 4 bits hold them.
    """
    rng = np.random.default_rng(seed)
    net = Builder(f"small{seed}", info={"test_accuracy": 1.0, "data": "none"})

    def weights(*shape):
        drawn = rng.integers(-7, 8, shape) * 16 if coarse else rng.integers(-127, 128, shape)
        drawn.reshape(len(drawn), -1)[:, 0] = 112  # What clips nothing is a step of 16.
        return drawn.clip(-112, 112)

    def full(fan_in: int, count: int, out: float = 40.0):
        gain = out / (60 * 50 * fan_in**0.5)
        M = np.round(gain * 2**20 * rng.uniform(0.8, 1.2, count))
        return {"M": M.astype(int), "B": rng.integers(0, 30 << 20, count), "S": 20}

    x = net.input((1, 8, 8), name="pixels", scale=1 / 255)
    x = net.conv("stem", x, weights(channels, 1, 3, 3), padding=(1,) * 4, full=full(9, channels))
    y = net.conv(
        "gated", x, weights(channels, channels, 3, 3), padding=(1,) * 4,
        full=full(72, channels), gate={
            "kind": "channel", "count": 2, "starts": (0,),
            "theta": rng.integers(-15_000, 15_000, channels), "base": full(18, channels),
        },
    )  # fmt: skip
    y = net.maxpool("pool", y, (2, 2))
    z = net.conv("last", y, weights(channels, channels, 1, 1), full=full(8, channels))
    z = net.global_avgpool("mean", z, full={"M": 1 << 14, "B": 0, "S": 18})
    fc = weights(4, channels)
    net.output(net.linear("classifier", z, fc, full=full(8, 4), signed=True, scale=0.05))
    return net.build()


def pixels(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)
