"""Which numbers the matrix products take: bfloat16 where the device has instructions for it, float32 elsewhere."""

import torch


def has_bfloat16(device):
    """True on a GPU and on CPUs that multiply bfloat16 themselves; others emulate it many times slower than float32."""
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def name(device):
    """What has_bfloat16 decides, in a word."""
    return "bf16" if has_bfloat16(device) else "fp32"


def autocast(device):
    """The context in which a forward pass runs on `device`."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=has_bfloat16(device))
