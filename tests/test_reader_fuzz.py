"""Damaged `.tflite` files end in one clear error, or in a right answer.

A mutant depends on its file and its index alone: `mutant(content, index)`.
"""

import contextlib
import functools
import itertools
import pathlib
import re
import signal
import time
import warnings

import numpy as np
import pytest
from byte_mutations import ByteMutator
from dense_models import dense_model, random_specs
from object_mutations import ObjectMutator

from keras_hypertinypw import integer
from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    operator_name,
    read_model,
    scales,
    tensor_name,
    tensor_shape,
    zero_points,
)
from keras_hypertinypw.footprint import footprint
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_insertion import (
    generate_operators,
    insert_generate_ops,
    read_specs,
)
from keras_hypertinypw.slim import slim
from keras_hypertinypw.slim_structure import compare_structure
from keras_hypertinypw.spec import CRC_OFFSET, FLAG_ROW_SIGNS, HEADER_SIZE

SEED = 2612
# Of CPU time, for each of the four readers. They take a fraction of a second,
# and 1.1 s were seen on a loaded machine, whose cores share their caches; what
# a forged length makes them read has no end.
SECONDS_PER_FILE = 3.0
SECONDS_TO_HANG = 30.0
EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def dense_generated():
    specs = random_specs(np.random.default_rng(1))
    return insert_generate_ops(dense_model(specs), specs)


@pytest.fixture(scope="module")
def mitdb_generated():
    return (EXAMPLES / "mitdb" / "generated.tflite").read_bytes()


@pytest.fixture(scope="module")
def mitdb_slimmed(mitdb_generated):
    return slim(mitdb_generated, verify=False)


@functools.cache
def mutators(content):
    return ByteMutator(content), ObjectMutator(content)


def mutant(content, index):
    rng = np.random.default_rng([SEED, index])
    return mutators(content)[index % 2](rng)


@contextlib.contextmanager
def time_limit(index):
    def hang(signum, frame):
        pytest.fail(f"Mutant {index} takes forever.")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_HANG)
    start = time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    seconds = time.process_time() - start
    assert seconds < SECONDS_PER_FILE, f"Mutant {index} takes {seconds} s."


def answer(function, content, index):
    """Returns what a reader says, or None if it refuses as promised."""
    with time_limit(index), warnings.catch_warnings():
        # A warning of numpy would be a third way to end.
        warnings.simplefilter("error")
        try:
            return function(content)
        except ConversionError as error:
            assert re.search(r"[Ee]xpected .* Received: ", str(error), re.S)
            return None


def describe(model, graph, index, kernels):
    """Returns what an operator meets at a tensor's index."""
    if index < 0:
        return None
    tensor = graph.tensors[index]
    data = model.buffers[tensor.buffer].data
    zeros = zero_points(tensor)
    if len(zeros) == 1 < len(scales(tensor)):
        zeros = zeros.repeat(len(scales(tensor)))
    return (
        tensor_name(tensor),
        tensor_shape(tensor),
        tensor.type,
        kernels.get(index, b"" if data is None else bytes(data)),
        scales(tensor).tobytes(),
        zeros.tobytes(),
    )


def describe_graph(model, kernels):
    """Returns ports and operators, GeneratePW and indices aside."""
    graph = model.subgraphs[0]

    def tensors(indices):
        return [describe(model, graph, index, kernels) for index in indices]

    lines = [("model", "", tensors(graph.inputs), tensors(graph.outputs))]
    for operator in graph.operators:
        custom = custom_name(model, operator)
        if custom != GENERATE_PW_OP:
            ends = tensors(operator.inputs), tensors(operator.outputs)
            lines.append((operator_name(model, operator), custom, *ends))
    return lines


def check_encoding(model, operator, spec):
    """Checks that a spec is what the bytes say, fill bits and bytes aside."""
    tensors = model.subgraphs[0].tensors
    codes, blob = (
        np.asarray(model.buffers[tensors[index].buffer].data, np.uint8)
        for index in operator.inputs
    )
    options, own_options = operator.customOptions, spec.options_to_bytes()
    assert bytes(options[:4]) == own_options[:4]
    bits = np.unpackbits(codes, bitorder="little")
    own_codes = np.frombuffer(spec.codes_to_bytes(), np.uint8)
    used = spec.codes.size * spec.code_bits
    own_bits = np.unpackbits(own_codes, bitorder="little")
    np.testing.assert_array_equal(bits[:used], own_bits[:used])
    signs = bits[-(-used // 8) * 8 :][: spec.rows]
    has_signs = options[4] == FLAG_ROW_SIGNS
    expected = signs if has_signs else np.zeros(spec.rows)
    np.testing.assert_array_equal(spec.row_signs, expected)
    own_blob = np.frombuffer(spec.generator.to_bytes(), np.uint8)
    assert own_blob.shape == blob.shape
    differs = own_blob != blob
    differs[CRC_OFFSET:HEADER_SIZE] = False
    assert not own_blob[differs].any()


def check_materialized(before, after, specs):
    """Checks that only GeneratePW went, and left what it makes."""
    kernels = {
        operator.outputs[0]: integer.synthesize(spec).tobytes()
        for operator, spec in zip(
            generate_operators(before), specs, strict=True
        )
    }
    assert not generate_operators(after)
    assert describe_graph(before, kernels) == describe_graph(after, {})


def check_slimmed(content, index):
    """Checks that a mutant is refused, or slimmed without a loss."""
    slimmed = answer(functools.partial(slim, verify=False), content, index)
    if slimmed is not None:
        models = read_model(content), read_model(slimmed)
        compare_structure(*models, desktop=False)
        if not index % 8:
            assert slim(slimmed, verify=False) == slimmed


def check(content, index):
    """Returns the specs of a mutant, or None if it is refused."""
    sizes = answer(footprint, content, index)
    specs = answer(read_specs, content, index)
    plain = answer(materialize, content, index)
    assert (sizes is None) == (specs is None) == (plain is None)
    check_slimmed(content, index)
    if specs is None:
        return None
    assert sum(sizes.by_part.values()) == len(content)
    assert sum(sizes.by_tensor.values()) <= len(content)
    model = read_model(content)
    for operator, spec in zip(generate_operators(model), specs, strict=True):
        check_encoding(model, operator, spec)
    check_materialized(model, read_model(plain), specs)
    return specs


@pytest.mark.parametrize(
    "name, count",
    [
        ("tiny_model", 2800),
        ("tiny_dense_model", 600),
        ("dense_generated", 800),
        ("mitdb_generated", 500),
        ("mitdb_slimmed", 300),
    ],
)
def test_mutants_are_refused_or_read_right(request, name, count):
    content = request.getfixturevalue(name)
    read = [check(mutant(content, index), index) for index in range(count)]
    refused = sum(specs is None for specs in read)
    assert count / 5 <= refused <= count * 4 / 5
    if read_specs(content):
        assert sum(bool(specs) for specs in read) >= count / 5


def accepted_mutants(content, count):
    """Yields mutants with GeneratePW that differ from their file."""
    for index in itertools.count():
        changed = mutant(content, index)
        specs = check(changed, index)
        if specs and changed != content:
            yield changed, specs
            count -= 1
        if not count:
            return


@pytest.mark.parametrize(
    "name, count", [("tiny_model", 25), ("mitdb_generated", 15)]
)
def test_accepted_mutants_are_refused_or_run(request, name, count):
    answers = 0
    content = request.getfixturevalue(name)
    for changed, specs in accepted_mutants(content, count):
        # What TFLM itself refuses ends here too, in the child's death or not.
        with (
            contextlib.suppress(ConversionError),
            Interpreter(changed) as interpreter,
        ):
            shape, dtype = interpreter.input_shape, interpreter.input_dtype
            interpreter.predict(np.zeros(shape, dtype))
            kernels = [integer.synthesize(spec) for spec in specs]
            assert_kernels_equal(interpreter.kernels, kernels)
            answers += 1
    assert answers >= count / 4


def assert_kernels_equal(actual, expected):
    for kernel, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(kernel, other)
