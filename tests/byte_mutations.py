"""Damages the bytes of `.tflite` files."""

from __future__ import annotations

import numpy as np

from keras_hypertinypw.byte_ranges import walk_vectors

EXTREMES = (
    *(0, 1, 2, 3, 4, 8, 255, 1 << 16, (1 << 28) - 1),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFC, 0xFFFFFFFF),
)
SHARE_OF_STRUCTURE = 0.75
MAX_RANGE = 64  # Bytes that one mutation moves, removes or overwrites.


class ByteMutator:
    """Changes bytes of a file, mostly where its structure is."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        is_structure = np.ones(len(content), bool)
        vectors = list(walk_vectors(content))
        for vector in vectors:
            if vector.path[0] == "buffers":
                end = vector.start + vector.size
                is_structure[vector.start : end] = False
        self._structure = np.flatnonzero(is_structure)
        self._lengths = [vector.start - 4 for vector in vectors]

    def __call__(self, rng: np.random.Generator) -> bytes:
        """Returns a copy with one to three changes."""
        data = bytearray(self._content)
        changes = (
            *(self._flip, self._flip, self._word, self._word, self._nudge),
            *(self._short, self._length, self._swap, self._zero, self._copy),
            *(self._insert, self._remove, self._cut, self._extend),
        )
        for _ in range(rng.integers(1, 4)):
            changes[rng.integers(len(changes))](rng, data)
        return bytes(data)

    def _place(self, rng, data, size: int = 1) -> int:
        """Returns where to change `size` bytes, a multiple of `size`."""
        last = max(len(data) - size, 0)
        place = rng.integers(last + 1)
        if rng.random() < SHARE_OF_STRUCTURE:
            place = min(rng.choice(self._structure), last)
        return int(place) // size * size

    def _range(self, rng, data) -> slice:
        start = self._place(rng, data)
        return slice(start, start + int(rng.integers(1, MAX_RANGE)))

    def _flip(self, rng, data) -> None:
        for _ in range(rng.integers(1, 5)):
            place = self._place(rng, data)
            data[place : place + 1] = rng.bytes(1)

    def _word(self, rng, data) -> None:
        self._put(data, self._place(rng, data, 4), int(rng.choice(EXTREMES)))

    def _put(self, data, place: int, word: int) -> None:
        data[place : place + 4] = (word & 0xFFFFFFFF).to_bytes(4, "little")

    def _nudge(self, rng, data) -> None:
        place = self._place(rng, data, 4)
        word = int.from_bytes(data[place : place + 4], "little")
        self._put(data, place, word + 4 * int(rng.integers(-8, 9)))

    def _short(self, rng, data) -> None:
        place = self._place(rng, data, 2)
        value = int(rng.choice([0, 4, 6, 8, 12, 36, 0x7FFF, 0xFFFF]))
        data[place : place + 2] = value.to_bytes(2, "little")

    def _length(self, rng, data) -> None:
        place = int(rng.choice(self._lengths))
        self._put(data, place, int(rng.choice(EXTREMES)))

    def _swap(self, rng, data) -> None:
        first, second = (self._place(rng, data, 4) for _ in range(2))
        kept = data[first : first + 4]
        data[first : first + 4] = data[second : second + 4]
        data[second : second + 4] = kept

    def _zero(self, rng, data) -> None:
        where = self._range(rng, data)
        data[where] = bytes(len(data[where]))

    def _copy(self, rng, data) -> None:
        taken = data[self._range(rng, data)]
        place = self._place(rng, data)
        data[place : place + len(taken)] = taken

    def _insert(self, rng, data) -> None:
        place = self._place(rng, data)
        data[place:place] = data[self._range(rng, data)]

    def _remove(self, rng, data) -> None:
        del data[self._range(rng, data)]

    def _cut(self, rng, data) -> None:
        del data[int(rng.integers(len(data) + 1)) :]

    def _extend(self, rng, data) -> None:
        data += rng.bytes(int(rng.integers(1, MAX_RANGE)))
