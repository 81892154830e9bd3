"""Where does skipping begin to win? ``python -m models.kernels.benchmark`` prints a table."""

import time

import torch
from torch.nn import functional as F

from models.kernels.skipping import SkippingConv2d
from models.layers import ChannelGatedConv2d

__all__ = ["measure"]

LAYERS = ((64, 64, 28), (64, 64, 14), (128, 128, 14), (256, 256, 14), (256, 256, 7))
DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02)


def _best(work, seconds: float = 0.3) -> float:
    """The shortest of many runs, in seconds: what disturbs only makes longer."""
    work()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return best


@torch.no_grad()
def measure(inputs: int, outputs: int, side: int, densities=DENSITIES) -> tuple[float, list[float]]:
    """(milliseconds of the dense convolution, of the gated one at each density)."""
    torch.manual_seed(0)
    layer = ChannelGatedConv2d(inputs, outputs, 3, padding=1, bias=False)
    x = torch.randn(1, inputs, side, side).relu()
    layer(x)
    layer.eval()
    skipping = SkippingConv2d(layer)
    dense = _best(lambda: F.conv2d(x, layer.weight, padding=1))
    base = F.conv2d(x[:, : layer.base_count], skipping.base_weight, padding=1)
    times = []
    for density in densities:
        theta = torch.quantile(base[0].flatten(1), 1 - density, dim=1)
        skipping.theta.copy_(theta.view(-1, 1, 1))
        times.append(1e3 * _best(lambda: skipping(x)))
    return 1e3 * dense, times


def main() -> None:
    torch.set_num_threads(1)
    print("| layer | dense ms |", " | ".join(f"density {d}" for d in DENSITIES), "|")
    print("|---|---|" + "---|" * len(DENSITIES))
    for inputs, outputs, side in LAYERS:
        dense, times = measure(inputs, outputs, side)
        cells = " | ".join(f"{t:.2f} ms ({dense / t:.2f}×)" for t in times)
        print(f"| {inputs} → {outputs}, {side}×{side} | {dense:.2f} | {cells} |")


if __name__ == "__main__":
    main()
