"""Which 16-bit type a device multiplies in hardware."""

import torch

__all__ = ["half_type"]


def half_type(device: torch.device) -> torch.dtype | None:
    """The 16-bit type to train with on ``device``; None where it would be slower than float32.

    A processor without bfloat16 instructions converts every operand, so it gets None.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    found = torch.cpu.get_capabilities()
    return torch.bfloat16 if found.get("avx512_bf16") or found.get("amx_bf16") else None
