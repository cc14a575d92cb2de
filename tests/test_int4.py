import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from byte_mutations import ByteMutator
from dense_models import (
    buffer_offsets,
    dense_model,
    random_inputs,
    random_specs,
    run,
    stock_model,
)
from int4_models import (
    coarse_model,
    grid_model,
    kernel_values,
    kernels,
    real_kernels,
    with_bias,
)
from object_mutations import ObjectMutator

from keras_hypertinypw import Interpreter, footprint, pack_int4, verify
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    consumers,
    read_model,
    scales,
    tensor_data,
    tensor_name,
    write_model,
)
from keras_hypertinypw.op_insertion import insert_generate_ops

INPUTS = random_inputs(np.random.default_rng(3), 24)[:, 0]


def outputs(content):
    with Interpreter(content) as interpreter:
        return interpreter.predict(INPUTS)


@pytest.mark.parametrize("shared_layer", [False, True])
@pytest.mark.parametrize("largest", [1, 7])
def test_a_kernel_on_the_grid_loses_nothing(largest, shared_layer):
    content = grid_model(largest=largest, shared_layer=shared_layer)
    packed = pack_int4(content)
    expected = outputs(content)
    assert len(np.unique(expected)) >= 50
    np.testing.assert_array_equal(outputs(packed), expected)
    types = [kernel.tensor.type for kernel in kernels(packed).values()]
    assert set(types) == {schema.TensorType.INT4}


@pytest.mark.parametrize("seed", range(8))
def test_values_scales_and_biases_on_the_grid_stay(seed):
    content = grid_model(seed, largest=seed % 7 + 1)
    packed = pack_int4(content)
    pairs = zip(kernel_values(content), kernel_values(packed), strict=True)
    for before, after in pairs:
        np.testing.assert_array_equal(before, after)
    models = [read_model(c).subgraphs[0].tensors for c in (content, packed)]
    for before, after in zip(*models, strict=True):
        np.testing.assert_array_equal(scales(before), scales(after))


def test_the_packed_file_is_smaller_by_half_the_weights():
    content = grid_model()
    weights = sum(values.size for values in kernel_values(content))
    # Alignment to 16 bytes and scales that FULLY_CONNECTED drops.
    saved = len(content) - len(pack_int4(content))
    assert weights // 2 - 16 * 8 < saved < weights // 2 + 16 * 8


def test_litert_computes_the_same():
    # Reference kernels; they take it because the ops' versions stay.
    content = pack_int4(grid_model())
    np.testing.assert_array_equal(
        run(content, INPUTS[:, None]), outputs(content)
    )


def test_packing_twice_is_packing_once():
    packed = pack_int4(stock_model())
    assert pack_int4(packed) == packed


def test_buffers_are_aligned():
    offsets = buffer_offsets(pack_int4(stock_model()))
    assert offsets and not any(offset % 16 for offset in offsets)


def test_other_kernels_get_the_nearest_grid():
    content = stock_model()
    packed = pack_int4(content)
    for before, after in zip(
        real_kernels(content), real_kernels(packed), strict=True
    ):
        error = np.linalg.norm(before - after) / np.linalg.norm(before)
        # 15 levels of a uniform kernel: a step's 12th root is 0.09.
        assert 0 < error < 0.2
    values = np.concatenate([v.ravel() for v in kernel_values(packed)])
    assert (values.min(), values.max()) == (-7, 7)


def biases(content):
    """Returns the biases in their real unit, by operator."""
    model = read_model(content)
    graph = model.subgraphs[0]
    found = []
    for kernel in kernels(content).values():
        for operator in with_bias(kernel):
            source = scales(graph.tensors[operator.inputs[0]])
            bias = graph.tensors[operator.inputs[2]]
            step = source * scales(kernel.tensor)
            np.testing.assert_allclose(scales(bias), step, rtol=1e-6)
            found.append((tensor_data(model, bias) * step, step))
    return found


@pytest.mark.parametrize("shared_layer", [False, True])
def test_biases_keep_their_value_to_half_a_step(shared_layer):
    content = stock_model(shared_layer)
    pairs = zip(biases(content), biases(pack_int4(content)), strict=True)
    for (before, _), (after, step) in pairs:
        assert (np.abs(before - after) <= 0.5001 * step).all()


def test_a_kernel_on_a_coarser_grid_keeps_its_value():
    coarse = coarse_model()
    for before, after in zip(
        real_kernels(coarse), real_kernels(pack_int4(coarse)), strict=True
    ):
        # Scales are float32.
        np.testing.assert_allclose(before, after, rtol=1e-6)


def names(content):
    return [tensor_name(k.tensor) for k in kernels(content).values()]


@pytest.mark.parametrize("layer", ["stem", "depthwise", "logits"])
def test_a_layer_is_packed_alone(layer):
    packed = pack_int4(stock_model(), layers=[layer])
    is_packed = [kernel.is_packed for kernel in kernels(packed).values()]
    expected = [
        layer in name.replace(";", "/").split("/") for name in names(packed)
    ]
    assert is_packed == expected and any(is_packed) and not all(is_packed)


def test_a_tensors_own_name_is_one_too():
    name = names(stock_model())[2]
    assert pack_int4(stock_model(), layers=[name]) == pack_int4(
        stock_model(), layers=name
    )


def test_without_names_tensors_have_numbers():
    model = read_model(stock_model())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = None
    content = write_model(model)
    index = next(iter(kernels(content)))
    packed = pack_int4(content, layers=[f"tensor {index}"])
    assert kernels(packed)[index].is_packed


def test_an_unknown_layer_is_named():
    with pytest.raises(ConversionError, match="Received: 'pw9'"):
        pack_int4(stock_model(), layers=["stem", "pw9"])


def test_a_bias_that_two_layers_share_becomes_two():
    model = read_model(stock_model())
    graph = model.subgraphs[0]
    convs = [
        operator
        for kernel in kernels(stock_model()).values()
        if kernel.tensor.shape == [12, 1, 1, 12]
        for operator in kernel.operators
    ]
    first, second = (
        next(op for op in graph.operators if op.inputs == conv.inputs)
        for conv in convs[:2]
    )
    shared = first.inputs[2]
    second.inputs[2] = shared
    graph.tensors[shared].quantization = None
    content = write_model(model)
    after = read_model(pack_int4(content)).subgraphs[0]
    assert len(after.tensors) == len(graph.tensors) + 1
    assert len(list(consumers(after, shared))) == 1
    assert outputs(pack_int4(content)).shape == outputs(content).shape


def generated_model():
    """Returns a file with GeneratePW; its stem, depthwise, dense are int8."""
    specs = random_specs(np.random.default_rng(5))
    return insert_generate_ops(dense_model(specs), specs)


def test_generated_kernels_stay_generated():
    content = generated_model()
    packed = pack_int4(content)
    assert verify(packed).identical
    is_packed = [kernel.is_packed for kernel in kernels(packed).values()]
    assert sum(is_packed) == 3 and len(is_packed) == 7


def test_a_generated_kernel_cannot_be_packed():
    name = names(generated_model())[1]
    with pytest.raises(ConversionError, match="not stored"):
        pack_int4(generated_model(), layers=[name])


def test_every_byte_is_still_accounted_for():
    before, after = (
        footprint(content)
        for content in (stock_model(), pack_int4(stock_model()))
    )
    for part in ("stored_pointwise", "depthwise", "dense"):
        assert after.by_part[part] == (before.by_part[part] + 1) // 2


def test_a_kernel_of_too_few_bytes_is_refused_before_it_runs():
    model = read_model(pack_int4(stock_model()))
    kernel = next(iter(kernels(write_model(model)).values()))
    index = kernel.tensor.buffer
    model.buffers[index].data = model.buffers[index].data[:-1]
    with pytest.raises(ConversionError, match="fills tensor"):
        Interpreter(write_model(model))


@pytest.mark.parametrize("mutator", [ByteMutator, ObjectMutator])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.filterwarnings("error:.*:RuntimeWarning")
def test_a_damaged_file_is_one_clear_error_or_packed(mutator, is_packed):
    content = generated_model()
    mutate = mutator(
        pack_int4(content, layers="stem") if is_packed else content
    )
    refused = 0
    for index in range(60):
        try:
            packed = pack_int4(mutate(np.random.default_rng([7, index])))
        except ConversionError as error:
            refused += 1
            assert "Received" in str(error)
        else:
            read_model(packed)
    assert 0 < refused < 60
