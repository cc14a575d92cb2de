"""Synthesizes kernels on the emulated board: right or not, and how long."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import board
import numpy as np
from board_file import synthesis_cases

from keras_hypertinypw.spec import DenseSpec, GeneratorSpec, PointwiseSpec

# One block after the other, as on processors without the DSP extension.
NO_LANES = "-DHYPERTINYPW_LANES=0"


def build(
    program: pathlib.Path, *flags: str, optimization: str = "-O2"
) -> pathlib.Path:
    """Compiles `synthesis.cc`."""
    return board.build(
        program,
        [board.FIRMWARE / "synthesis.cc", *board.ARITHMETIC],
        optimization=optimization,
        flags=flags,
    )


def count(
    program: pathlib.Path, specs: Sequence[PointwiseSpec]
) -> list[tuple[bool, int]]:
    """Returns for each spec whether all weights are right, and instructions."""
    path = program.with_suffix(".bin")
    path.write_bytes(synthesis_cases(specs))
    lines = [line.split() for line in board.run(program, path).splitlines()]
    return [(right == "1", int(number)) for _, right, number in lines]


def multiply_accumulates(spec: PointwiseSpec) -> int:
    """Returns those of the generator for a layer, cut-off weights included."""
    layers = spec.generator.layers
    return spec.num_blocks * sum(w.num_in * w.num_out for w in layers)


def reference_spec(code_bits: int = 8) -> PointwiseSpec:
    """A kernel of 64x64 weights from codes of 8, 16 hidden units, blocks of 64.

    Its 73,728 multiply-accumulates are what figures are quoted for.
    """
    rng = np.random.default_rng(0)

    def dense(num_in: int, num_out: int) -> DenseSpec:
        weights = rng.integers(-127, 128, (num_out, num_in)).astype(np.int8)
        bias = rng.integers(-127, 128, num_out).astype(np.int8)
        return DenseSpec(weights, bias, 4, 9)

    codes = rng.integers(0, 1 << code_bits, (64, 8)).astype(np.int32)
    levels = codes - 128 if code_bits == 8 else 2 * codes - (1 << code_bits) + 1
    return PointwiseSpec(
        "reference",
        GeneratorSpec((dense(8, 16), dense(16, 64))),
        levels,
        code_bits,
        (64, 1, 1, 64),
        np.zeros(64, bool),
    )
