"""One process, or several that ``torchrun`` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

__all__ = ["Place", "place"]


@dataclass(frozen=True)
class Place:
    """Where this process stands: ``rank`` of ``world`` processes, on ``device``."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def any(self, condition: bool) -> bool:
        """Whether ``condition`` holds in any process."""
        if self.world == 1:
            return condition
        flag = torch.tensor(float(condition), device=self.device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag)


@contextmanager
def place(device: str = "auto") -> Iterator[Place]:
    """The place of this process; under ``torchrun`` the processes are joined while it lasts."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    if world == 1:
        yield Place(0, 1, torch.device(device))
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Place(rank, world, torch.device(device))
    finally:
        distributed.destroy_process_group()
