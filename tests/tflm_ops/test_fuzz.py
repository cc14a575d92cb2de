"""The shipped glue and arithmetic on mutated ops, against the definition.

Run one execution again with the command that a failure shows, its index in
place of the first number behind the seed and 1 in place of the count.
"""

import collections
import functools
import re

import fuzzing
import numpy as np
import pytest
import random_specs
from cpp_build import TFLM_OPS

from keras_hypertinypw import integer, spec, spec_reader

SEED = 2611
NUM_EXECUTIONS = 200_000  # One block at a time, and again in lanes.
CORPUS_SIZE = 192
MAX_BLOB, MAX_KERNEL = 700, 250  # Bytes.
# Mutants that became other good ops, with kernels of more than a few values.
MIN_ACCEPTED = 30_000
MIN_REFERRED = 5_000
MANY_VALUES = 10
FORMAT_ERRORS = re.findall(
    r"^  (k\w+),$",
    (TFLM_OPS / "generate_pw_format.h")
    .read_text()
    .split("enum class FormatError")[1],
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def no_float_emulation():
    """Allows all that the format allows: the op does not emulate float32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec, "ACCUMULATOR_LIMIT", 1 << 30)
        yield


@pytest.fixture(scope="module")
def corpus():
    """Small ops of all code bits, layers and kinds; a third refer."""
    rng = np.random.default_rng(SEED)
    small = []
    for layer in random_specs.random_specs(rng, 100 * CORPUS_SIZE):
        op = fuzzing.of_kind(fuzzing.parts(layer), len(small))
        if len(op[2]) > MAX_BLOB or layer.num_weights > MAX_KERNEL:
            continue
        small.append(fuzzing.sharing(op) if len(small) // 3 % 3 == 0 else op)
        if len(small) == CORPUS_SIZE:
            break
    return small


@functools.lru_cache(maxsize=4096)
def read_generator(blob):
    return spec_reader.read_generator(blob)


def op_bytes(record):
    """Returns codes, blob and kernel shape, or None if the model is wrong."""
    indices = (*record.inputs, *record.outputs)
    if len(record.inputs) != 2 or len(indices) != 3 or min(indices) < 0:
        return None
    codes, blob, kernel = (record.tensors[index] for index in indices)
    for tensor in (codes, blob):
        told = (fuzzing.UINT8, (len(tensor.data or b""),))
        if not tensor.data or (tensor.type, tensor.dims) != told:
            return None
    if kernel.type != fuzzing.INT8 or kernel.data is not None:
        return None
    return codes.data, blob.data, kernel.dims


def expected_kernel(record):
    """Returns what Python makes of the op; None if it refuses."""
    tensors = op_bytes(record)
    if tensors is None:
        return None
    codes, blob, shape = tensors
    try:
        blob = spec_reader.resolve_reference(blob, record.shared)
        layer = spec_reader.read_pointwise(
            "fuzz", read_generator(blob), codes, record.options, shape
        )
    except ValueError as error:
        assert re.search(r"Expected .* Received: ", str(error)), record
        return None
    return integer.synthesize(layer).tobytes()


def test_every_execution_is_refused_or_exact(
    fuzz_program, corpus, no_float_emulation, tmp_path
):
    path = tmp_path / "corpus.bin"
    fuzzing.write_corpus(path, corpus)
    unchanged = {(*parts[:3], parts[4]) for parts in corpus}
    errors, kinds = collections.Counter(), collections.Counter()
    varied = referred = 0
    for record in fuzzing.executions(
        fuzz_program, path, seed=SEED, count=NUM_EXECUTIONS
    ):
        errors[record.error] += 1
        if record.arena_was_full:
            assert record.outcome == fuzzing.REFUSED, record
            continue
        expected = expected_kernel(record)
        if expected is None:
            assert record.outcome == fuzzing.REFUSED, record
            continue
        assert record.outcome == fuzzing.INVOKED, record
        assert record.kernel == expected, record
        codes, blob, _ = op_bytes(record)
        if (record.options, codes, blob, record.shared or b"") not in unchanged:
            referred += len(blob) == spec.REFERENCE_SIZE
            kinds[tuple(record.options[2:4])] += 1
            varied += len(set(expected)) > MANY_VALUES
    assert errors.total() == NUM_EXECUTIONS
    assert set(errors) == set(range(len(FORMAT_ERRORS)))
    assert set(kinds) == set(fuzzing.KINDS)
    assert varied >= MIN_ACCEPTED
    assert referred >= MIN_REFERRED
