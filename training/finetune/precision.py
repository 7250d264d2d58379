"""Which numbers the matrix products take: bfloat16 where that is clearly faster, float32 elsewhere."""

import functools
import time

import torch


def _seconds_of_product(dtype):
    """The fastest of a few products of the size that training makes, with the threads in use."""
    left, right = torch.randn(512, 384, dtype=dtype), torch.randn(1536, 384, dtype=dtype)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.nn.functional.linear(left, right)
        times.append(time.perf_counter() - start)
    return min(times)


@functools.cache
def has_bfloat16(device):
    """True on a GPU, and on a CPU whose products in bfloat16 take at most 0.7 of float32's time, measured once.

    Instructions for bfloat16 do not say it: with AMX they are several times faster, with AVX-512 alone up to twice, or
    half as fast, and without either they are emulated.
    """
    return device != "cpu" or _seconds_of_product(torch.bfloat16) < 0.7 * _seconds_of_product(torch.float32)


def name(device):
    """What has_bfloat16 decides, in a word."""
    return "bf16" if has_bfloat16(device) else "fp32"


def autocast(device):
    """The context in which a forward pass runs on `device`."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=has_bfloat16(device))
