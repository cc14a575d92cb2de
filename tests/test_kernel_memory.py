import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.kernel_memory import kernel_memory


def memory(name, target, *shapes, num_scales=1, dilation=1):
    """Requests of an operator whose last tensor is its output."""
    graph, operator = schema.SubGraphT(), schema.OperatorT()
    graph.tensors = []
    for shape in shapes:
        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(shape), schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [1.0] * num_scales
        graph.tensors.append(tensor)
    operator.inputs = list(range(len(shapes) - 1))
    operator.outputs = [len(shapes) - 1]
    operator.builtinOptions = schema.Conv2DOptionsT()
    operator.builtinOptions.dilationHFactor = dilation
    operator.builtinOptions.dilationWFactor = dilation
    return kernel_memory(graph, operator, name, target)


@pytest.mark.parametrize(
    "kernel, dilation, expected",
    [
        ((8, 1, 1, 6), 1, ()),
        ((8, 1, 1, 3), 1, (2 * 8 * 2,)),  # Two groups: 6 inputs, as 8.
        ((8, 3, 3, 6), 1, (2 * 56 * 2,)),  # 54 of them, as 56.
        ((8, 1, 5, 6), 1, (2 * 32 * 2,)),
        ((8, 1, 1, 6), 2, (2 * 8 * 2,)),
    ],
)
def test_cmsis_nn_unfolds_two_windows_as_int16(kernel, dilation, expected):
    shapes = (1, 9, 9, 6), kernel, (1, 9, 9, 8)
    found = memory("CONV_2D", "board", *shapes, dilation=dilation)
    assert found.scratch == expected
    assert found.persistent == (8 * 4, 8 * 4)
    assert not memory("CONV_2D", "host", *shapes, dilation=dilation).scratch


@pytest.mark.parametrize(
    "kernel, dilation, expected",
    [
        ((1, 3, 3, 6), 1, ()),
        ((1, 5, 1, 6), 1, (5 * 6 * 2,)),
        ((1, 5, 1, 6), 2, ()),
        ((1, 5, 1, 12), 1, ()),  # A depth multiplier is not optimized.
    ],
)
def test_cmsis_nn_unfolds_one_depthwise_window(kernel, dilation, expected):
    shapes = (1, 9, 9, 6), kernel, (1, 9, 9, kernel[-1])
    found = memory("DEPTHWISE_CONV_2D", "board", *shapes, dilation=dilation)
    assert found.scratch == expected
    assert found.persistent == (kernel[-1] * 4,) * 2


def test_a_fully_connected_layer_of_the_board_may_be_a_convolution():
    flat = (1, 8), (4, 8), (1, 4)
    deep = (1, 3, 8), (4, 8), (1, 3, 4)
    assert memory("FULLY_CONNECTED", "board", *flat) == ((), ())
    assert memory("FULLY_CONNECTED", "board", *deep) == ((), (2 * 4 * 4,))
    found = memory("FULLY_CONNECTED", "board", *deep, num_scales=4)
    assert found == ((4 * 4, 4 * 4), ())


@pytest.mark.parametrize("target", ["host", "board"])
def test_a_mean_accumulates_in_scratch(target):
    found = memory("MEAN", target, (1, 9, 9, 6), (2,), (1, 6))
    assert found == ((), (6 * 4, 4 * 4, 2 * 4))


def test_an_average_of_cmsis_nn_accumulates_a_row_of_channels():
    shapes = (1, 8, 8, 6), (1, 4, 4, 6)
    assert memory("AVERAGE_POOL_2D", "board", *shapes).scratch == (6 * 4,)
    assert memory("AVERAGE_POOL_2D", "host", *shapes).scratch == ()


def test_what_requests_nothing_may_have_any_shape():
    assert memory("RESHAPE", "board", (1, 8), (2,), (8,)) == ((), ())
