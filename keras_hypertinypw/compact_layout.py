"""Lays out the parts of a flatbuffer with as little padding as it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

WORD = 4  # Bytes of an offset, and of what every part begins with.
_MAX_FILLERS = 3
_LARGEST_ALIGNMENT = 16


class Extent(NamedTuple):
    """Bytes of a part, and the alignment of what follows its first word."""

    size: int
    alignment: int

    @property
    def padded(self) -> int:
        """Bytes up to where the next part may begin."""
        return -(-self.size // WORD) * WORD


def lay_out(
    extents: Sequence[Extent],
    inner: Sequence[int],
    outer: Sequence[int],
    start: int,
) -> tuple[list[int], int]:
    """Decides where every part goes.

    Args:
        extents: All parts.
        inner: Indices of the parts that come first, in this order.
        outer: Indices of the others, whose order does not matter. Those that
            need no alignment fill gaps in front of those that do.
        start: Where the first part may begin, a multiple of `WORD`.

    Returns:
        The place of every part, and the end of the last one.
    """
    places = [0] * len(extents)
    position = start

    def place(index: int) -> None:
        nonlocal position
        extent = extents[index]
        position += _gap(position, extent.alignment)
        places[index] = position
        position += extent.padded

    for index in inner:
        place(index)
    fillers = _Fillers(extents, outer)
    aligned = [i for i in outer if extents[i].alignment > WORD]
    for index in sorted(aligned, key=lambda i: extents[i].alignment):
        alignment = extents[index].alignment
        for filler in fillers.take(_gap(position, alignment), alignment):
            place(filler)
        place(index)
    for filler in fillers.rest():
        place(filler)
    return places, position


def _gap(position: int, alignment: int) -> int:
    return -(position + WORD) % alignment


class _Fillers:
    """Parts without alignment, by their size modulo the largest alignment."""

    def __init__(self, extents: Sequence[Extent], indices: Sequence[int]):
        self._by_residue: dict[int, list[int]] = {}
        for index in indices:
            if extents[index].alignment <= WORD:
                residue = extents[index].padded % _LARGEST_ALIGNMENT
                self._by_residue.setdefault(residue, []).append(index)

    def take(self, gap: int, alignment: int) -> list[int]:
        """Removes and returns the fewest fillers that close a gap, if any."""
        residues = sorted(self._by_residue)
        for count in range(1, _MAX_FILLERS + 1 if gap else 1):
            for chosen in itertools.combinations_with_replacement(
                residues, count
            ):
                available = all(
                    len(self._by_residue[r]) >= chosen.count(r) for r in chosen
                )
                if available and sum(chosen) % alignment == gap:
                    return [self._by_residue[r].pop() for r in chosen]
        return []

    def rest(self) -> Iterator[int]:
        """Yields what was not taken."""
        for residue in sorted(self._by_residue):
            yield from self._by_residue[residue]
