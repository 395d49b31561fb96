"""Is the first 7x7 convolution on one-hot maps faster as a table look-up?

With one-hot maps the convolution adds up one row of weights per kernel position and past map, so ``embedding_bag`` over a
table of (positions x classes) rows gives the same result without the multiplications by zero.

    python benchmarks/lookup.py [WIDTH HEIGHT]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from videosynth import ops
from videosynth.nn.lookup import LookUpConv, OneHotConv

CLASSES, MAPS, CHANNELS, SIDE = 35, 3, 128, 7  # of the paper's generator: ids now and of two past frames


def one_hot(ids: Tensor, dtype: torch.dtype) -> Tensor:
    """ids (MAPS, H, W) as the generator hands them to its first layer, behind the padding."""
    hot = torch.cat([ops.one_hot(frame[None], CLASSES, dtype) for frame in ids], dim=1)
    return F.pad(hot, (3, 3, 3, 3), mode="reflect").contiguous(memory_format=torch.channels_last)


def layers(dtype: torch.dtype) -> tuple[OneHotConv, LookUpConv]:
    """The convolution and its look-up, with the same weights."""
    torch.manual_seed(0)
    ranges = tuple((k * CLASSES, (k + 1) * CLASSES) for k in range(MAPS))
    conv = OneHotConv(MAPS * CLASSES, CHANNELS, SIDE, ranges).to(dtype).to(memory_format=torch.channels_last)
    return conv, LookUpConv(conv)


def seconds(work: Callable[[], Tensor], runs: int = 7) -> float:
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    width, height = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (512, 256)
    torch.manual_seed(0)
    ids = torch.randint(0, CLASSES, (MAPS, height // 8, width // 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            conv, look_up = layers(dtype)
            hot = one_hot(ids, dtype)
            difference = float((conv(hot) - look_up(hot)).abs().max())
            dense, sparse = seconds(lambda c=conv, x=hot: c(x)), seconds(lambda c=look_up, x=hot: c(x))
            name = str(dtype).removeprefix("torch.")
            print(
                f"{width}x{height} {name}: convolution {dense * 1e3:.0f} ms, look-up {sparse * 1e3:.0f} ms, "
                f"largest difference {difference:.1e}"
            )


if __name__ == "__main__":
    main()
