import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from arena_models import example
from byte_mutations import ByteMutator
from dense_models import dense_model, random_specs, stock_model
from object_mutations import ObjectMutator
from shared_models import firmware

from keras_hypertinypw import (
    Interpreter,
    footprint,
    materialize,
    narrow_biases,
    pack_int4,
    verify,
)
from keras_hypertinypw.bias_narrowing import (
    read_biases,
    round_bias,
    widen_operators,
)
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    tensor_data,
    write_model,
)
from keras_hypertinypw.op_insertion import insert_generate_ops
from keras_hypertinypw.slim import slim
from keras_hypertinypw.tflm_resolver import resolver_calls


def biases(content):
    """Returns the convolutions' biases by tensor, of a plain file."""
    model = read_model(content)
    graph = model.subgraphs[0]
    (operator,) = widen_operators(read_model(narrow_biases(content)))
    return {
        index: tensor_data(model, graph.tensors[index])
        for index in operator.outputs
    }


@pytest.mark.parametrize(
    ("bias", "values", "shift"),
    [
        ([0, 0], [0, 0], 0),
        ([127, -128], [127, -128], 0),
        # 127.5 rounds upwards, out of range.
        ([255, 0], [64, 0], 2),
        ([254, 3], [127, 2], 1),
        ([-257, 1], [-128, 1], 1),
        ([2**31 - 1, -(2**31)], [64, -64], 25),
    ],
)
def test_the_least_shift_and_the_nearest_values(bias, values, shift):
    found, number = round_bias(np.array(bias, np.int32))
    assert (found.tolist(), number) == (values, shift)


def test_rounding_is_off_by_half_a_step_at_most():
    rng = np.random.default_rng(0)
    for exponent in range(4, 31):
        bias = rng.integers(-(2**exponent), 2**exponent, 1000)
        values, shift = round_bias(bias.astype(np.int32))
        wide = values.astype(np.int64) << shift
        assert np.abs(wide - bias).max() <= 2**shift / 2


@pytest.mark.parametrize("name", ["generated", "stored"])
def test_tflm_computes_what_litert_does_with_the_rounded_biases(name):
    content = example(name)
    narrow = narrow_biases(content)
    plain = read_model(materialize(narrow))
    for index, bias in biases(content).items():
        values, shift = round_bias(bias)
        found = tensor_data(plain, plain.subgraphs[0].tensors[index])
        np.testing.assert_array_equal(found, values.astype(np.int64) << shift)
    for file in (narrow, slim(narrow)):
        found = verify(file)
        assert found.identical and found.num_distinct >= 50


def test_biases_that_fit_lose_nothing():
    model = read_model(example())
    for index, bias in biases(example()).items():
        values, shift = round_bias(bias)
        data = (values.astype(np.int32) << shift).tobytes()
        model.subgraphs[0].tensors[index].buffer = add_buffer(model, data)
    content = write_model(model)
    narrow = narrow_biases(content)
    with Interpreter(content) as before, Interpreter(narrow) as after:
        rng = np.random.default_rng(1)
        x = rng.integers(-128, 128, (50, *before.input_shape[1:]), np.int8)
        expected = before.predict(x)
        assert len(np.unique(expected)) >= 50
        np.testing.assert_array_equal(after.predict(x), expected)
        # Biases stay, as cached kernels do.
        after.reset()
        np.testing.assert_array_equal(after.predict(x), expected)


def test_the_file_is_three_bytes_a_channel_smaller():
    before, after = slim(example()), slim(narrow_biases(example()))
    count = sum(bias.size for bias in biases(example()).values())
    saved = 3 * count
    assert saved - 100 < len(before) - len(after) < saved + 300
    parts = (
        footprint(before).by_part["biases"],
        footprint(after).by_part["biases"],
    )
    assert parts[0] - parts[1] == saved


def test_an_int4_file_can_be_narrowed():
    content = narrow_biases(pack_int4(example("stored")))
    assert verify(content).identical
    # The other way round there is no bias to scale.
    with pytest.raises(ConversionError, match="no constant of int32"):
        pack_int4(narrow_biases(example("stored")), layers=["stem"])


def test_a_shared_generator_stays_shared():
    shared = firmware()
    content = narrow_biases(shared.model_contents[0])
    assert verify(content, generator=shared.generator).identical


def test_a_bias_that_something_else_reads_stays_wide():
    content = stock_model()
    model = read_model(content)
    graph = model.subgraphs[0]
    first, *_ = biases(content)
    graph.outputs = [*graph.outputs, first]
    (operator,) = widen_operators(read_model(narrow_biases(write_model(model))))
    assert first not in operator.outputs and len(operator.outputs)


def test_a_bias_that_needs_more_than_32_bits_stays_wide():
    model = read_model(example())
    first, second, *_ = biases(example())
    tensor = model.subgraphs[0].tensors[first]
    data = np.full(tensor.shape, 2**31 - 1, np.int32).tobytes()
    tensor.buffer = add_buffer(model, data)
    (operator,) = widen_operators(read_model(narrow_biases(write_model(model))))
    assert first not in operator.outputs and second in operator.outputs


def test_firmware_registers_the_op():
    calls = resolver_calls(read_model(narrow_biases(example())))
    assert any("Register_WIDEN_BIAS" in call for call in calls)
    calls = resolver_calls(read_model(example()))
    assert not any("Register_WIDEN_BIAS" in call for call in calls)


def test_what_is_narrow_already_is_refused():
    with pytest.raises(ConversionError, match="in eight bits already"):
        narrow_biases(narrow_biases(example()))


def test_a_model_without_convolutions_is_refused():
    model = read_model(stock_model())
    graph = model.subgraphs[0]
    graph.operators, graph.outputs = [], list(graph.inputs)
    with pytest.raises(ConversionError, match="nothing to narrow"):
        narrow_biases(write_model(model))


def first_op(model):
    (operator,) = widen_operators(model)
    if operator.customOptions is not None:
        operator.customOptions = list(operator.customOptions)
    operator.outputs = list(operator.outputs)
    return operator


def set_version(model):
    first_op(model).customOptions[0] = 2


def set_count(model):
    first_op(model).customOptions[1] += 1


def set_shift(model):
    first_op(model).customOptions[2] = 25


def drop_options(model):
    first_op(model).customOptions = None


def add_shift(model):
    first_op(model).customOptions.append(0)


def drop_output(model):
    operator = first_op(model)
    operator.outputs.pop()
    operator.customOptions.pop()
    operator.customOptions[1] -= 1


def add_input(model):
    operator = first_op(model)
    operator.inputs = [operator.inputs[0]] * 2


def omit_output(model):
    first_op(model).outputs[0] = -1


def repeat_output(model):
    operator = first_op(model)
    operator.outputs[1] = operator.outputs[0]


def turn_to_uint8(model):
    index = first_op(model).inputs[0]
    model.subgraphs[0].tensors[index].type = schema.TensorType.UINT8


def empty_values(model):
    index = first_op(model).inputs[0]
    model.subgraphs[0].tensors[index].buffer = 0


def widen_shape(model):
    tensor = model.subgraphs[0].tensors[first_op(model).outputs[0]]
    tensor.shape = [1, *tensor.shape]


def turn_to_float(model):
    tensor = model.subgraphs[0].tensors[first_op(model).outputs[0]]
    tensor.type = schema.TensorType.FLOAT32


def give_data(model):
    tensor = model.subgraphs[0].tensors[first_op(model).outputs[0]]
    data = np.zeros(tensor.shape, np.int32).tobytes()
    tensor.buffer = add_buffer(model, data)


def make_variable(model):
    tensor = model.subgraphs[0].tensors[first_op(model).outputs[0]]
    tensor.isVariable = True


def move_to_the_end(model):
    operators = model.subgraphs[0].operators
    operators.append(operators.pop(0))


CHANGES = (
    *(set_version, set_count, set_shift, drop_options, add_shift),
    *(drop_output, add_input, omit_output, repeat_output),
    *(turn_to_uint8, empty_values, widen_shape, turn_to_float),
    *(give_data, make_variable, move_to_the_end),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_malformed_op_is_one_clear_error(change):
    model = read_model(narrow_biases(example()))
    change(model)
    content = write_model(model)
    with pytest.raises(ConversionError, match=r"WidenBias.*Received: .+\."):
        materialize(content)


# What TFLM itself cannot see: it zeroes variables, and runs ops in any order.
SEEN_BY_TFLM = [
    change
    for change in CHANGES
    if change not in (make_variable, move_to_the_end)
]


@pytest.mark.parametrize("change", SEEN_BY_TFLM)
def test_tflm_refuses_a_malformed_op(change):
    model = read_model(narrow_biases(example()))
    change(model)
    content = write_model(model)
    with pytest.raises(ConversionError):
        Interpreter(content).close()


@pytest.mark.parametrize("mutator", [ByteMutator, ObjectMutator])
def test_damaged_files_are_read_or_refused(mutator):
    rng = np.random.default_rng(5)
    specs = random_specs(rng)
    content = insert_generate_ops(dense_model(specs), specs)
    mutate = mutator(narrow_biases(content))
    read = 0
    for _ in range(500):
        try:
            model = read_model(mutate(rng))
            for operator in widen_operators(model):
                for bias in read_biases(model, operator):
                    bias.widen()
                    read += 1
        except ConversionError as error:
            assert "Received" in str(error)
    assert read > 50
