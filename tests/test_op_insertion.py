import dataclasses

import numpy as np
import pytest
from dense_models import (
    buffer_offsets,
    dense_model,
    kernel_shapes,
    pointwise_tensors,
    random_generator,
    random_spec,
    random_specs,
    with_kernels,
)

from keras_hypertinypw import integer
from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    consumers,
    custom_name,
    is_constant,
    operator_name,
    read_model,
    scales,
    tensor_data,
    tensor_name,
    tensor_shape,
    write_model,
)
from keras_hypertinypw.kernel_search import KernelTensor, find_kernel
from keras_hypertinypw.op_insertion import (
    generate_operators,
    insert_generate_ops,
    read_specs,
)
from keras_hypertinypw.spec import CODE_BITS


@pytest.fixture(scope="module")
def specs():
    return random_specs(np.random.default_rng(1))


@pytest.fixture(scope="module")
def dense(specs):
    return dense_model(specs)


@pytest.fixture(scope="module")
def generated(dense, specs):
    return insert_generate_ops(dense, specs)


def as_bytes(spec):
    return (
        spec.codes_to_bytes(),
        spec.options_to_bytes(),
        spec.generator.to_bytes(),
        spec.kernel_shape,
    )


def assert_same_specs(received, expected):
    assert [as_bytes(s) for s in received] == [as_bytes(s) for s in expected]


def blobs(model):
    """Returns the distinct generator tensors' names, by use."""
    tensors = model.subgraphs[0].tensors
    operators = generate_operators(model)
    return [tensor_name(tensors[op.inputs[1]]) for op in operators]


@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_reading_specs_inverts_insertion(code_bits):
    rng = np.random.default_rng(code_bits)
    specs = random_specs(rng, code_bits=code_bits)
    content = insert_generate_ops(dense_model(specs), specs)
    assert_same_specs(read_specs(content), specs)


def test_options_of_every_layer_survive():
    rng = np.random.default_rng(5)
    boot, per_invoke, *others = random_specs(rng)
    boot = dataclasses.replace(boot, synthesis="boot")
    per_invoke = dataclasses.replace(per_invoke, residency="per_invoke")
    unsigned = dataclasses.replace(
        others[0], row_signs=np.zeros_like(others[0].row_signs)
    )
    specs = [boot, per_invoke, unsigned, others[1]]
    content = insert_generate_ops(dense_model(specs), specs)
    assert_same_specs(read_specs(content), specs)


def test_layer_name_of_a_read_spec_is_the_kernel_tensors(dense, generated):
    names = [tensor_name(t) for t in pointwise_tensors(read_model(dense))]
    assert [spec.layer_name for spec in read_specs(generated)] == names


def test_a_file_without_generated_layers_has_no_specs(dense):
    assert read_specs(dense) == ()


def test_order_of_specs_does_not_matter(dense, specs):
    content = insert_generate_ops(dense, specs[::-1])
    assert_same_specs(read_specs(content), specs)


def test_insertion_is_deterministic(dense, specs, generated):
    assert insert_generate_ops(dense, specs) == generated


def test_each_op_precedes_its_consumer_and_others_keep_their_order(
    dense, generated
):
    before, after = read_model(dense), read_model(generated)
    graph = after.subgraphs[0]
    others = []
    for index, operator in enumerate(graph.operators):
        if custom_name(after, operator) == GENERATE_PW_OP:
            (output,) = operator.outputs
            assert list(consumers(graph, output)) == [(index + 1, 1)]
        else:
            others.append((operator.inputs, operator.outputs))
    original = before.subgraphs[0].operators
    assert others == [(op.inputs, op.outputs) for op in original]
    assert len(graph.operators) == len(original) + 4


def test_kernels_lose_their_data_and_nothing_else(dense, generated):
    before, after = read_model(dense), read_model(generated)
    kernels = pointwise_tensors(after)
    assert len(kernels) == 4
    for old, new in zip(pointwise_tensors(before), kernels, strict=True):
        assert is_constant(before, old) and not is_constant(after, new)
        assert (old.type, old.name) == (new.type, new.name)
        assert tensor_shape(old) == tensor_shape(new)
        np.testing.assert_array_equal(scales(old), scales(new))
        assert scales(new).size == tensor_shape(new)[0]


def test_the_file_holds_no_trace_of_a_generated_kernel(generated, specs):
    for spec in specs:
        assert integer.synthesize(spec).tobytes() not in generated
        assert spec.codes_to_bytes() in generated


def test_buffers_of_a_converted_file_are_aligned(generated):
    offsets = buffer_offsets(generated)
    assert len(offsets) >= 8
    assert not any(offset % 16 for offset in offsets)


def test_layers_share_one_generator(generated, specs):
    assert blobs(read_model(generated)) == ["generator"] * 4
    assert generated.count(specs[0].generator.to_bytes()) == 1


def test_equal_generators_are_one_even_as_two_objects():
    rng = np.random.default_rng(6)
    specs = random_specs(rng)
    copy = dataclasses.replace(specs[1].generator)
    specs[1] = dataclasses.replace(specs[1], generator=copy)
    content = insert_generate_ops(dense_model(specs), specs)
    assert blobs(read_model(content)) == ["generator"] * 4


def test_two_generators_are_two_tensors():
    rng = np.random.default_rng(7)
    generators = [random_generator(rng), random_generator(rng, skip=False)]
    specs = [
        random_spec(rng, f"pw{i}", shape, generators[i % 2])
        for i, shape in enumerate(kernel_shapes())
    ]
    content = insert_generate_ops(dense_model(specs), specs)
    assert blobs(read_model(content)) == ["generator", "generator1"] * 2
    assert_same_specs(read_specs(content), specs)


def test_layers_without_a_spec_stay_stored(dense, specs):
    model = read_model(insert_generate_ops(dense, specs[1:3]))
    stored = [is_constant(model, t) for t in pointwise_tensors(model)]
    assert stored == [True, False, False, True]


def test_a_layer_called_twice_is_generated_once_before_its_first_call():
    specs = random_specs(np.random.default_rng(8), shared_layer=True)
    dense = dense_model(specs, shared_layer=True)
    model = read_model(insert_generate_ops(dense, specs))
    names = [operator_name(model, op) for op in model.subgraphs[0].operators]
    assert names[:9] == [
        *("CONV_2D", "CUSTOM", "CONV_2D", "CUSTOM", "CONV_2D"),
        *("DEPTHWISE_CONV_2D", "CONV_2D", "CUSTOM", "CONV_2D"),
    ]
    kernel = model.subgraphs[0].operators[3].outputs[0]
    assert list(consumers(model.subgraphs[0], kernel)) == [(4, 1), (6, 1)]


def test_layers_that_the_converter_merged_are_generated_once():
    specs = random_specs(np.random.default_rng(8), shared_layer=True)
    dense = dense_model(specs, shared_layer=True)
    twin = dataclasses.replace(specs[1], layer_name="twin")
    content = insert_generate_ops(dense, [*specs, twin])
    assert content == insert_generate_ops(dense, specs)


def test_layers_of_equal_kernels_get_one_tensor_each():
    specs = random_specs(np.random.default_rng(9))
    specs[2] = dataclasses.replace(specs[1], layer_name="pw2")
    content = insert_generate_ops(dense_model(specs), specs)
    assert_same_specs(read_specs(content), specs)


def test_a_kernel_that_no_layer_has_comes_before_a_shared_one(specs):
    data = integer.synthesize(specs[1])
    shared = KernelTensor(3, "shared", data, num_uses=2)
    single = KernelTensor(5, "single", data, num_uses=1)
    kernels = [shared, single]
    assert find_kernel(kernels, specs[1], {3: 1}) is single
    assert find_kernel(kernels, specs[1], {3: 1, 5: 1}) is shared


def test_a_spec_too_many_is_refused(dense, specs):
    with pytest.raises(ConversionError, match=r"'pw0'.*each spec once"):
        insert_generate_ops(dense, [specs[0], specs[0]])


def shared_buffer_model(specs):
    """Returns a dense model whose second and third kernel share a buffer."""
    model = read_model(dense_model(specs))
    _, second, third, _ = pointwise_tensors(model)
    third.buffer = second.buffer
    return write_model(model)


def test_tensors_that_share_a_buffer_are_both_generated():
    specs = random_specs(np.random.default_rng(10))
    specs[2] = dataclasses.replace(specs[1], layer_name="pw2")
    content = insert_generate_ops(shared_buffer_model(specs), specs)
    assert_same_specs(read_specs(content), specs)
    assert integer.synthesize(specs[1]).tobytes() not in content


def test_a_shared_buffer_stays_for_the_tensor_that_is_not_generated():
    specs = random_specs(np.random.default_rng(10))
    dense = shared_buffer_model(specs)
    model = read_model(insert_generate_ops(dense, specs[:2]))
    _, second, third, _ = pointwise_tensors(model)
    assert not is_constant(model, second)
    data = tensor_data(model, third)
    np.testing.assert_array_equal(data, integer.synthesize(specs[1]))


def test_a_fully_connected_filter_can_be_generated():
    rng = np.random.default_rng(11)
    spec = random_spec(rng, "dense", (40, 640), random_generator(rng))
    model = read_model(dense_model([None] * 4))
    weights = model.subgraphs[0].operators[-1].inputs[1]
    data = integer.synthesize(spec).tobytes()
    model.subgraphs[0].tensors[weights].buffer = add_buffer(model, data)
    content = insert_generate_ops(write_model(model), [spec])
    assert_same_specs(read_specs(content), [spec])


@pytest.mark.parametrize("index", [(0, 0, 0, 0), (7, 0, 0, 3), (11, 0, 0, 11)])
def test_a_different_kernel_is_refused_with_layer_and_index(
    dense, specs, index
):
    kernel = integer.synthesize(specs[2]).copy()
    kernel[index] ^= 1
    wrong = with_kernels(dense, [None, None, kernel, None])
    name = tensor_name(pointwise_tensors(read_model(dense))[2])
    with pytest.raises(ConversionError) as error:
        insert_generate_ops(wrong, specs)
    message = str(error.value)
    assert "Layer 'pw2'" in message and f"'{name}'" in message
    assert f"1 of 144 weights, first at index {index}" in message


def test_a_kernel_of_another_shape_is_refused(dense):
    rng = np.random.default_rng(12)
    spec = random_spec(rng, "wide", (16, 1, 1, 12), random_generator(rng))
    with pytest.raises(ConversionError, match=r"'wide'.*\(16, 1, 1, 12\)"):
        insert_generate_ops(dense, [spec])


def test_inserting_twice_is_refused(generated, specs):
    with pytest.raises(ConversionError, match="'pw0'"):
        insert_generate_ops(generated, specs)


def test_inserting_step_by_step_gives_the_same_ops(dense, specs):
    content = insert_generate_ops(dense, specs[:2])
    content = insert_generate_ops(content, specs[2:])
    assert_same_specs(read_specs(content), specs)
    codes = read_model(content).operatorCodes
    assert sum(code.customCode == b"GeneratePW" for code in codes) == 1


def test_tensorflows_analyzer_prints_a_converted_file(generated, capfd):
    import tensorflow as tf

    tf.lite.experimental.Analyzer.analyze(model_content=generated)
    printed = capfd.readouterr().out
    assert printed.count(f"{GENERATE_PW_OP}(T#") == 4
    assert "(generator) shape:[" in printed and "(codes3) shape:[" in printed
