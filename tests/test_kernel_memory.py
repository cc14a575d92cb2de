import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.kernel_memory import kernel_memory


def memory(name, target, *shapes, num_scales=1, dilation=1, int4=False):
    """Requests of an operator whose last tensor is its output."""
    graph, operator = schema.SubGraphT(), schema.OperatorT()
    graph.tensors = []
    for shape in shapes:
        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(shape), schema.TensorType.INT8
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [1.0] * num_scales
        graph.tensors.append(tensor)
    if int4:
        graph.tensors[1].type = schema.TensorType.INT4
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


@pytest.mark.parametrize(
    "target, expected",
    # The kernel unpacked, and one window as int16.
    [("host", (54,)), ("board", (108,)), ("arduino", (54, 108))],
)
def test_who_unpacks_a_depthwise_kernel_of_four_bits(target, expected):
    shapes = (1, 9, 9, 6), (1, 3, 3, 6), (1, 9, 9, 6)
    found = memory("DEPTHWISE_CONV_2D", target, *shapes, int4=True)
    assert found.scratch == expected


@pytest.mark.parametrize("name", ["CONV_2D", "FULLY_CONNECTED"])
def test_cmsis_nn_of_2023_unpacks_four_bits(name):
    is_dense = name == "FULLY_CONNECTED"
    shapes = [(1, 8), (4, 8), (1, 4)]
    if not is_dense:
        shapes = [(1, 9, 9, 8), (4, 1, 1, 8), (1, 9, 9, 4)]
    assert memory(name, "board", *shapes, int4=True).scratch == ()
    assert memory(name, "arduino", *shapes, int4=True).scratch == (4 * 8,)
    assert memory(name, "arduino", *shapes).scratch == ()


def test_cmsis_nn_of_2023_unfolds_a_window_of_3x3_too():
    shapes = (1, 9, 9, 6), (1, 3, 3, 6), (1, 9, 9, 6)
    assert memory("DEPTHWISE_CONV_2D", "board", *shapes).scratch == ()
    found = memory("DEPTHWISE_CONV_2D", "arduino", *shapes)
    assert found.scratch == (9 * 6 * 2,)


@pytest.mark.parametrize("target", ["host", "board", "arduino"])
def test_a_mean_accumulates_in_scratch(target):
    found = memory("MEAN", target, (1, 9, 9, 6), (2,), (1, 6))
    assert found == ((), (6 * 4, 4 * 4, 2 * 4))


def test_an_average_of_cmsis_nn_accumulates_a_row_of_channels():
    shapes = (1, 8, 8, 6), (1, 4, 4, 6)
    assert memory("AVERAGE_POOL_2D", "board", *shapes).scratch == (6 * 4,)
    assert memory("AVERAGE_POOL_2D", "host", *shapes).scratch == ()


def test_what_requests_nothing_may_have_any_shape():
    assert memory("RESHAPE", "board", (1, 8), (2,), (8,)) == ((), ())
