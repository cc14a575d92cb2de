"""Random specs of every kind that the format allows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tiny_models

from keras_hypertinypw.spec import (
    CODE_BITS,
    MAX_BLOCK_SIZE,
    MAX_CODE_DIM,
    MAX_HIDDEN_UNITS,
    MAX_LAYERS,
    DenseSpec,
    GeneratorSpec,
    PointwiseSpec,
)


def random_specs(
    rng: np.random.Generator, count: int
) -> Iterator[PointwiseSpec]:
    """Yields specs over all code bits and numbers of layers, in turn.

    Most are small and of odd sizes; some reach the format's largest sizes,
    and some have shifts that saturate, or that leave little but ties.
    """
    for index in range(count):
        code_bits = CODE_BITS[index % len(CODE_BITS)]
        num_layers = 1 + index // len(CODE_BITS) % MAX_LAYERS
        generator = _generator(rng, num_layers, code_bits)
        yield tiny_models.random_spec(
            rng,
            generator,
            kernel_shape=_kernel_shape(rng),
            code_bits=code_bits,
            with_signs=bool(rng.integers(2)),
        )


def _size(rng: np.random.Generator, usual: int, largest: int) -> int:
    if rng.random() < 0.02:
        return largest
    return int(rng.integers(1, usual + 1))


def _kernel_shape(rng: np.random.Generator) -> tuple[int, ...]:
    rank = int(rng.integers(1, 5))
    if rank == 1:
        return (int(rng.integers(1, 300)),)
    inner = [int(size) for size in rng.integers(1, 4, rank - 2)]
    rows, channels = (int(size) for size in rng.integers(1, 33, 2))
    return (rows, *inner, channels)


def _generator(
    rng: np.random.Generator, num_layers: int, code_bits: int
) -> GeneratorSpec:
    spread = tiny_models.random_generator(
        rng,
        code_dim=_size(rng, 24, MAX_CODE_DIM),
        hidden_units=tuple(
            _size(rng, 40, MAX_HIDDEN_UNITS) for _ in range(num_layers - 1)
        ),
        block_size=_size(rng, 150, MAX_BLOCK_SIZE),
        use_skip=bool(rng.integers(2)),
        max_code=1 << (code_bits - 1),
    )
    if rng.random() < 0.7:
        return spread
    layers = [
        DenseSpec(
            layer.weights,
            layer.bias,
            int(rng.integers(0, 17)),
            int(np.clip(layer.shift + rng.integers(-4, 5), 1, 22)),
        )
        for layer in spread.layers
    ]
    return GeneratorSpec(tuple(layers), spread.skip_weights, spread.skip_shift)
