"""Synthesizes kernels on the emulated board: right or not, and how long."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import board
import numpy as np
from board_file import synthesis_cases

from keras_hypertinypw.op_builds import MACROS, Build
from keras_hypertinypw.spec import (
    DenseSpec,
    GeneratorSpec,
    PointwiseSpec,
    decode_levels,
)


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


def build_of(
    program: pathlib.Path, build_name: Build, *, optimization: str = "-O2"
) -> pathlib.Path:
    """Compiles `synthesis.cc` with the op as one of `op_builds.BUILDS`."""
    flags = [f"-D{name}={value}" for name, value in MACROS[build_name].items()]
    if build_name == "compact":
        flags.append(board.COMPACT_FLAG)
    return build(program, *flags, optimization=optimization)


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
    generator = spec.generator
    amount = sum(w.num_in * w.num_out for w in generator.layers)
    if generator.skip_weights is not None:
        amount += generator.skip_weights.size
    return spec.num_blocks * amount


def random_dense(
    rng: np.random.Generator, num_in: int, num_out: int, *, bias_shift: int
) -> DenseSpec:
    """Returns a layer of a generator."""
    weights = rng.integers(-127, 128, (num_out, num_in)).astype(np.int8)
    bias = rng.integers(-127, 128, num_out).astype(np.int8)
    return DenseSpec(weights, bias, bias_shift, 9)


def random_codes(
    rng: np.random.Generator, code_bits: int, shape: tuple[int, int]
) -> np.ndarray:
    """Returns codes of a layer, blocks by values."""
    if code_bits == 8:
        return rng.integers(-128, 128, shape).astype(np.int32)
    fields = rng.integers(0, 1 << code_bits, shape).astype(np.int32)
    return decode_levels(fields, code_bits)


def reference_spec(code_bits: int = 8) -> PointwiseSpec:
    """A kernel of 64x64 weights from codes of 8, 16 hidden units, blocks of 64.

    Its 73,728 multiply-accumulates are what figures are quoted for.
    """
    rng = np.random.default_rng(0)
    codes = random_codes(rng, code_bits, (64, 8))
    layers = (
        random_dense(rng, 8, 16, bias_shift=4),
        random_dense(rng, 16, 64, bias_shift=4),
    )
    return PointwiseSpec(
        "reference",
        GeneratorSpec(layers),
        codes,
        code_bits,
        (64, 1, 1, 64),
        np.zeros(64, bool),
    )
