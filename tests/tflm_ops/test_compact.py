"""The compact op makes the same kernels, all of them in Prepare."""

import fuzzing
import numpy as np
import pytest
import random_specs
import tiny_models
from frontier_networks import EQUAL_BYTES

from keras_hypertinypw import integer
from keras_hypertinypw.op_insertion import read_specs

SEED = 3011
NUM_OPS = 2_000
MANY_VALUES = 10
# One weight more than the arena of `fuzz_case.h` has bytes.
TOO_LARGE = (1 << 24 | 1,)


def executions(program, path, layers):
    # Of all kinds: the compact op does not read which.
    corpus = [
        fuzzing.of_kind(fuzzing.parts(layer), index)
        for index, layer in enumerate(layers)
    ]
    fuzzing.write_corpus(path, corpus)
    return list(fuzzing.executions(program, path, seed=SEED, count=len(corpus)))


def test_every_op_of_any_kind_is_exact(compact_program, tmp_path):
    rng = np.random.default_rng(SEED)
    layers = list(random_specs.random_specs(rng, NUM_OPS))
    records = executions(compact_program, tmp_path / "corpus.bin", layers)
    assert len(records) == NUM_OPS
    for layer, record in zip(layers, records, strict=True):
        assert record.outcome == fuzzing.INVOKED, record.index
        expected = integer.synthesize(layer).tobytes()
        assert record.kernel == expected, record.index
    varied = sum(len(set(record.kernel)) > MANY_VALUES for record in records)
    signed = sum(bool(layer.row_signs.any()) for layer in layers)
    skipped = sum(layer.generator.skip_weights is not None for layer in layers)
    assert min(varied, signed, skipped) > NUM_OPS // 3


@pytest.mark.parametrize("path", EQUAL_BYTES, ids=lambda path: path.stem)
def test_kernels_of_the_frontiers_networks_are_exact(
    compact_program, tmp_path, path
):
    layers = list(read_specs(path.read_bytes()))

    assert len(layers) == 4
    records = executions(compact_program, tmp_path / "corpus.bin", layers)
    for layer, record in zip(layers, records, strict=True):
        assert record.kernel == integer.synthesize(layer).tobytes()


def test_a_full_arena_is_refused(compact_program, tmp_path):
    rng = np.random.default_rng(SEED)
    (small,) = random_specs.random_specs(rng, 1)
    layer = tiny_models.random_spec(
        rng, small.generator, kernel_shape=TOO_LARGE, code_bits=small.code_bits
    )
    (record,) = executions(compact_program, tmp_path / "corpus.bin", [layer])
    assert record.arena_was_full
    assert record.outcome == fuzzing.REFUSED
