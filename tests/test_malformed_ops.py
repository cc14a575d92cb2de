"""GeneratePW ops that `read_specs` refuses."""

import numpy as np
import pytest
from dense_models import dense_model, random_specs

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    find_tensor,
    read_model,
    tensor_data,
    write_model,
)
from keras_hypertinypw.op_insertion import (
    generate_operators,
    insert_generate_ops,
    read_specs,
)


@pytest.fixture(scope="module")
def generated():
    specs = random_specs(np.random.default_rng(1))
    return insert_generate_ops(dense_model(specs), specs)


def first_op(model):
    return generate_operators(model)[0]


def shorten_options(model):
    first_op(model).customOptions = np.zeros(7, np.uint8)


def drop_options(model):
    first_op(model).customOptions = None


def set_version_2(model):
    options = np.array(first_op(model).customOptions)
    options[0] = 2
    first_op(model).customOptions = options


def damage_generator(model):
    buffer = find_tensor(model.subgraphs[0], "generator").buffer
    data = np.array(model.buffers[buffer].data)
    data[-1] ^= 1
    model.buffers[buffer].data = data


def shorten_codes(model):
    tensor = find_tensor(model.subgraphs[0], "codes")
    data = tensor_data(model, tensor)[:-1]
    tensor.shape = [len(data)]
    tensor.buffer = add_buffer(model, data.tobytes())


def empty_codes(model):
    find_tensor(model.subgraphs[0], "codes").buffer = 0


def type_codes_int8(model):
    find_tensor(model.subgraphs[0], "codes").type = 9


def drop_generator_input(model):
    first_op(model).inputs.pop()


def make_generator_optional(model):
    first_op(model).inputs[1] = -1


def shape_kernel(model, shape):
    graph = model.subgraphs[0]
    graph.tensors[first_op(model).outputs[0]].shape = shape


def negate_kernel_shape(model):
    shape_kernel(model, [-12, 1, 1, -6])


def empty_kernel_shape(model):
    shape_kernel(model, [])


def inflate_kernel_shape(model):
    shape_kernel(model, [2**31 - 1] * 4)


def add_a_kernel_dimension(model):
    shape_kernel(model, [12, 1, 1, 1, 6])


def kernel_of(model):
    return model.subgraphs[0].tensors[first_op(model).outputs[0]]


def give_the_kernel_data(model):
    kernel_of(model).buffer = add_buffer(model, bytes(72))


def make_the_kernel_variable(model):
    kernel_of(model).isVariable = True


def feed_the_kernel(model):
    model.subgraphs[0].inputs.append(first_op(model).outputs[0])


def use_the_kernel_too_early(model):
    operators = model.subgraphs[0].operators
    operators.append(operators.pop(operators.index(first_op(model))))


def write_the_kernel_twice(model):
    first, second = generate_operators(model)[:2]
    second.outputs = first.outputs


def repeat_the_subgraph(model):
    model.subgraphs.append(model.subgraphs[0])


@pytest.mark.parametrize(
    "damage, message",
    [
        (shorten_options, "8 bytes.*7 bytes"),
        (drop_options, "8 bytes.*0 bytes"),
        (set_version_2, "format version 1.*2"),
        (damage_generator, "CRC-32"),
        (shorten_codes, "codes tensor of 10 bytes.*9 bytes"),
        (empty_codes, "constant uint8.*'codes'"),
        (type_codes_int8, "constant uint8.*'codes'"),
        (drop_generator_input, "2 inputs"),
        (make_generator_optional, "2 inputs"),
        (negate_kernel_shape, r"\(-12, 1, 1, -6\)"),
        (empty_kernel_shape, "at least one weight"),
        (inflate_kernel_shape, r"fewer than 2\*\*31 weights"),
        (add_a_kernel_dimension, "1 to 4 positive dimensions"),
        (give_the_kernel_data, "only source.*constant data"),
        (make_the_kernel_variable, "only source.*a variable"),
        (feed_the_kernel, "only source.*an input"),
        (use_the_kernel_too_early, "only source.*a use before"),
        (write_the_kernel_twice, "only source.*another op's output"),
        (repeat_the_subgraph, r"main subgraph only.*\[4, 4\]"),
    ],
)
def test_a_malformed_op_is_refused(generated, damage, message):
    model = read_model(generated)
    damage(model)
    with pytest.raises(ConversionError, match=message):
        read_specs(write_model(model))
