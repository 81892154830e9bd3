"""How long the integer reference takes.

python -m models.reference.bench [FILE] [--images N]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from models.netfile import load
from models.zoo import shipped

from .engine import run

__all__ = ["measure"]


def measure(network, count: int) -> tuple[float, float]:
    """(wall, processor) seconds that ``count`` random images take."""
    edge = network.input.output
    rng = np.random.default_rng(0)
    images = rng.integers(edge.lo, edge.hi + 1, (count, *edge.shape))
    wall, processor = time.perf_counter(), time.process_time()
    run(network, images)
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.reference.bench", description=__doc__.split(chr(10))[0]
    )
    parser.add_argument("file", nargs="?", type=Path, default=shipped("fashion_small"))
    parser.add_argument("--images", type=int, default=1000)
    choice = parser.parse_args()
    network = load(choice.file)
    wall, processor = measure(network, choice.images)
    times = f"{wall:.1f} s, {processor:.1f} s of processor time"
    print(f"{network.name}: {choice.images} images in {times}")


if __name__ == "__main__":
    main()
