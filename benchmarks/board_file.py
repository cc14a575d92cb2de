"""Writes what `tflm_ops/firmware/input_file.h` reads."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from keras_hypertinypw import integer
from keras_hypertinypw.spec import PointwiseSpec

ALIGNMENT = 16


class BoardFile:
    """A growing file of int32 values and aligned arrays."""

    def __init__(self) -> None:
        self._content = bytearray()

    def ints(self, *values: int) -> None:
        """Appends int32 values."""
        self._content += struct.pack(f"<{len(values)}i", *values)

    def array(self, data: bytes | np.ndarray) -> None:
        """Appends an array: its bytes' number, then these, aligned."""
        data = data if isinstance(data, bytes) else data.tobytes()
        self.ints(len(data))
        self._content += bytes(-len(self._content) % ALIGNMENT)
        self._content += data

    def to_bytes(self) -> bytes:
        """Returns the content."""
        return bytes(self._content)


def synthesis_cases(specs: Sequence[PointwiseSpec]) -> bytes:
    """Returns the cases of `synthesis.cc`, with the kernels to expect."""
    file = BoardFile()
    file.ints(len(specs))
    for spec in specs:
        add_spec(file, spec)
        file.array(integer.synthesize(spec))
    return file.to_bytes()


def add_spec(file: BoardFile, spec: PointwiseSpec) -> None:
    """Appends what a GeneratePW op gets: options, codes, blob, shape."""
    file.array(spec.options_to_bytes())
    file.array(spec.codes_to_bytes())
    file.array(spec.generator.to_bytes())
    file.array(np.array(spec.kernel_shape, "<i4"))
