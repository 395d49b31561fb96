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

CLASSES, MAPS, CHANNELS, SIDE = 35, 3, 128, 7  # of the paper's generator: ids now and of two past frames


def convolve(ids: Tensor, weight: Tensor) -> Tensor:
    """ids (MAPS, H, W), weight (CHANNELS, MAPS * CLASSES, 7, 7) -> (1, CHANNELS, H, W), as the generator does it."""
    hot = torch.zeros(MAPS, CLASSES, *ids.shape[1:], dtype=weight.dtype)
    hot.scatter_(1, ids.unsqueeze(1), 1)
    hot = hot.flatten(0, 1).unsqueeze(0).contiguous(memory_format=torch.channels_last)
    return F.conv2d(F.pad(hot, (3, 3, 3, 3), mode="reflect"), weight)


def look_up(ids: Tensor, table: Tensor) -> Tensor:
    """The same from ``table`` (MAPS * 49 * CLASSES, CHANNELS)."""
    height, width = ids.shape[1:]
    padded = F.pad(ids.float().unsqueeze(0), (3, 3, 3, 3), mode="reflect").squeeze(0).to(torch.int32)
    around = padded.unfold(1, SIDE, 1).unfold(2, SIDE, 1)  # MAPS H W 7 7
    rows = around.permute(1, 2, 0, 3, 4).reshape(height * width, MAPS * SIDE * SIDE)
    first = torch.arange(MAPS * SIDE * SIDE, dtype=torch.int32) * CLASSES
    found = F.embedding_bag(rows + first, table, mode="sum")
    return found.view(1, height, width, CHANNELS).permute(0, 3, 1, 2)


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
    weight = torch.randn(CHANNELS, MAPS * CLASSES, SIDE, SIDE) * 0.02
    table = weight.view(CHANNELS, MAPS, CLASSES, SIDE, SIDE).permute(1, 3, 4, 2, 0).reshape(-1, CHANNELS).contiguous()
    with torch.no_grad():
        difference = float((convolve(ids, weight) - look_up(ids, table)).abs().max())
        print(f"{width}x{height}: largest difference in fp32 {difference:.1e}")
        for dtype in (torch.float32, torch.bfloat16):
            w = weight.to(dtype).contiguous(memory_format=torch.channels_last)
            t = table.to(dtype)
            dense, sparse = seconds(lambda w=w: convolve(ids, w)), seconds(lambda t=t: look_up(ids, t))
            name = str(dtype).removeprefix("torch.")
            print(f"{name}: convolution {dense * 1e3:.0f} ms, look-up {sparse * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
