import numpy as np
import pytest
from ai_edge_litert import interpreter as litert
from dense_models import (
    buffer_offsets,
    dense_model,
    pointwise_tensors,
    random_inputs,
    random_specs,
    run,
)

from keras_hypertinypw import integer
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    read_model,
    tensor_data,
    tensor_name,
    write_model,
)
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_insertion import insert_generate_ops, read_specs


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "shared"])
def shared_layer(request):
    return request.param


@pytest.fixture(scope="module")
def specs(shared_layer):
    rng = np.random.default_rng(21)
    return random_specs(rng, shared_layer=shared_layer)


@pytest.fixture(scope="module")
def dense(specs, shared_layer):
    return dense_model(specs, shared_layer=shared_layer)


@pytest.fixture(scope="module")
def materialized(dense, specs):
    return materialize(insert_generate_ops(dense, specs))


def test_outputs_equal_the_dense_models(dense, materialized):
    inputs = random_inputs(np.random.default_rng(22))
    expected = run(dense, inputs)
    assert len(np.unique(expected)) >= 50
    np.testing.assert_array_equal(run(materialized, inputs), expected)


def test_a_changed_code_changes_the_outputs(dense, specs):
    content = bytearray(insert_generate_ops(dense, specs))
    codes = specs[0].codes_to_bytes()
    content[content.index(codes)] ^= 0x55
    inputs = random_inputs(np.random.default_rng(22))
    outputs = run(materialize(bytes(content)), inputs)
    assert np.any(outputs != run(dense, inputs))


def test_kernels_are_what_the_codes_synthesize(materialized, specs):
    model = read_model(materialized)
    kernels = pointwise_tensors(model)
    for kernel, spec in zip(kernels, specs, strict=True):
        data = tensor_data(model, kernel)
        np.testing.assert_array_equal(data, integer.synthesize(spec))


def test_nothing_of_the_op_remains(dense, materialized, specs):
    before, after = read_model(dense), read_model(materialized)
    assert len(after.operatorCodes) == len(before.operatorCodes)
    assert len(after.buffers) == len(before.buffers)
    names = [tensor_name(t) for t in after.subgraphs[0].tensors]
    assert names == [tensor_name(t) for t in before.subgraphs[0].tensors]
    operators = after.subgraphs[0].operators
    assert not any(custom_name(after, op) for op in operators)
    assert len(operators) == len(before.subgraphs[0].operators)
    assert specs[0].generator.to_bytes() not in materialized
    assert read_specs(materialized) == ()


def test_it_runs_in_litert_with_its_default_kernels(materialized):
    interpreter = litert.Interpreter(model_content=materialized)
    interpreter.allocate_tensors()
    interpreter.invoke()


def test_its_signature_still_works(dense, materialized):
    inputs = random_inputs(np.random.default_rng(23), 1)
    results = []
    for content in (dense, materialized):
        interpreter = litert.Interpreter(
            model_content=content,
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        runner = interpreter.get_signature_runner()
        (name,) = runner.get_input_details()
        results.append(runner(**{name: inputs[0]}))
    assert results[0].keys() == results[1].keys()
    for key, value in results[0].items():
        np.testing.assert_array_equal(results[1][key], value)


def test_buffers_are_aligned(materialized):
    offsets = buffer_offsets(materialized)
    assert len(offsets) >= 8
    assert not any(offset % 16 for offset in offsets)


def test_a_file_without_the_op_comes_back(dense, materialized):
    assert materialize(dense) == dense
    assert materialize(materialized) == materialized


def test_a_tensor_before_others_can_be_removed(dense, specs):
    # A file of another writer may list codes first.
    model = read_model(insert_generate_ops(dense, specs))
    graph = model.subgraphs[0]
    last = len(graph.tensors) - 1
    graph.tensors.insert(0, graph.tensors.pop())

    def moved(index):
        return 0 if index == last else index + 1 if index >= 0 else index

    graph.inputs = [moved(i) for i in graph.inputs]
    graph.outputs = [moved(i) for i in graph.outputs]
    for operator in graph.operators:
        operator.inputs = [moved(i) for i in operator.inputs]
        operator.outputs = [moved(i) for i in operator.outputs]
    for signature in model.signatureDefs:
        for item in [*signature.inputs, *signature.outputs]:
            item.tensorIndex = moved(item.tensorIndex)
    inputs = random_inputs(np.random.default_rng(24))
    content = materialize(write_model(model))
    np.testing.assert_array_equal(run(content, inputs), run(dense, inputs))
    after = read_model(content)
    (signature,) = after.signatureDefs
    places = [[m.tensorIndex for m in signature.inputs]]
    places.append([m.tensorIndex for m in signature.outputs])
    assert places == [after.subgraphs[0].inputs, after.subgraphs[0].outputs]


def test_codes_that_something_else_uses_stay(dense, specs):
    model = read_model(insert_generate_ops(dense, specs))
    graph = model.subgraphs[0]
    codes = len(graph.tensors) - 1
    graph.outputs.append(codes)
    after = read_model(materialize(write_model(model))).subgraphs[0]
    kept = after.tensors[after.outputs[-1]]
    assert tensor_name(kept) == tensor_name(graph.tensors[codes])


def test_a_malformed_op_is_refused(dense, specs):
    content = bytearray(insert_generate_ops(dense, specs))
    content[content.index(specs[0].generator.to_bytes()) + 20] ^= 1
    with pytest.raises(ConversionError, match="CRC-32"):
        materialize(bytes(content))
