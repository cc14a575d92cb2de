"""Only reshapes that undo each other go."""

import pytest
import slim_files

from keras_hypertinypw.flatbuffer import operator_name, read_model
from keras_hypertinypw.idle_reshapes import remove_idle_reshapes


@pytest.fixture
def model():
    return read_model(slim_files.with_idle_reshapes())


def names(model, desktop=False):
    remove_idle_reshapes(model, desktop=desktop)
    operators = model.subgraphs[0].operators
    return [operator_name(model, operator) for operator in operators]


PAIR = ["RESHAPE", "RESHAPE"]


def test_a_pair_goes(model):
    assert names(model) == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    first, second = model.subgraphs[0].operators
    assert second.inputs[0] == first.outputs[0]


def test_the_first_stays_where_something_else_reads_it(model):
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[1].outputs[0]]
    assert names(model) == ["CONV_2D", "RESHAPE", "DEPTHWISE_CONV_2D"]


def test_an_output_stays(model):
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[2].outputs[0]]
    assert names(model)[1:3] == PAIR


def test_another_shape_or_scale_stays(model):
    result = model.subgraphs[0].operators[2].outputs[0]
    tensor = model.subgraphs[0].tensors[result]
    shape, tensor.shape = tensor.shape, [4, 1, 4, 1]
    assert names(model)[1:3] == PAIR
    tensor.shape = shape
    tensor.quantization.scale = tensor.quantization.scale * 2
    assert names(model)[1:3] == PAIR


def test_variables_stay(model):
    index = model.subgraphs[0].operators[1].inputs[0]
    model.subgraphs[0].tensors[index].isVariable = True
    assert names(model)[1:3] == PAIR


def test_dynamic_shapes_stay_for_the_desktop(model):
    index = model.subgraphs[0].operators[1].inputs[0]
    model.subgraphs[0].tensors[index].shapeSignature = [-1, 4, 4, 8]
    assert names(model, desktop=True)[1:3] == PAIR
    assert "RESHAPE" not in names(model)
