"""How TFLM lays buffers over each other: its greedy memory planner.

Large buffers are placed first, each at the lowest offset where nothing that
lives at the same time is in the way. Only the order of equal sizes is subtle,
and it decides bytes: TFLM fills its list from the back, and its sort keeps the
order of equals, so that of two equal buffers the later one is placed first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

BUFFER_ALIGNMENT = 16


class Buffer(NamedTuple):
    """Memory that is needed for a while.

    Attributes:
        size: In bytes.
        first: Index of the first operator that needs it; the model's inputs
            come before operator 1.
        last: Index of the last one.
    """

    size: int
    first: int
    last: int


def align(size: int, alignment: int = BUFFER_ALIGNMENT) -> int:
    """Rounds a size in bytes up to a multiple of `alignment`."""
    return (size + alignment - 1) // alignment * alignment


def planned_bytes(buffers: Iterable[Buffer]) -> int:
    """Returns the memory that TFLM's plan of these buffers takes, in bytes.

    Args:
        buffers: In TFLM's order: tensors by index, then scratch buffers.
    """
    aligned = [b._replace(size=align(b.size)) for b in buffers]
    order = sorted(reversed(aligned), key=lambda buffer: -buffer.size)
    # Start, end, buffer; in the order of their starts.
    placed: list[tuple[int, int, Buffer]] = []
    for wanted in order:
        size, start = wanted.size, 0
        for other_start, other_end, other in placed:
            if other.first > wanted.last or wanted.first > other.last:
                continue
            if other_start - start >= size:
                break
            start = max(start, other_end)
        # Behind those that start at the same offset.
        place = len(placed)
        while place and placed[place - 1][0] > start:
            place -= 1
        placed.insert(place, (start, start + size, wanted))
    return max((end for _, end, _ in placed), default=0)


def live_bytes(buffers: Iterable[Buffer]) -> int:
    """Returns what no plan can go below: the most that lives at one time."""
    sizes: dict[int, int] = {}
    for buffer in buffers:
        for time in range(buffer.first, buffer.last + 1):
            sizes[time] = sizes.get(time, 0) + align(buffer.size)
    return max(sizes.values(), default=0)
