"""What TFLM reads of a `.tflite` file, and what it does not.

Looked up in TFLM's sources (state of August 2026). TFLM itself expands one
zero point to all channels, takes no notice of a quantization without scale or
zero point, and reads two kinds of metadata. Of a kernel's biases:

- CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV of int8 and int16 do not read
  the quantization, in TFLM's reference kernels, CMSIS-NN's and Xtensa's;
- FULLY_CONNECTED compares its scale if the weights have one scale, and does
  not read it if they have one per channel;
- SVDF compares it, and the kernels for ARC MLI read it everywhere.
"""

from __future__ import annotations

import collections

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.custom_ops import WIDEN_BIAS_OP
from keras_hypertinypw.flatbuffer import (
    custom_name,
    is_constant,
    operator_name,
    scales,
    tensor_shape,
    zero_points,
)
from keras_hypertinypw.kernel_search import BIAS_INPUT, FILTER_INPUT

# The memory planner takes offsets from it, one for each tensor.
OFFLINE_PLAN = b"OfflineMemoryAllocation"

_BIAS_INPUTS = {
    "CONV_2D": BIAS_INPUT,
    "DEPTHWISE_CONV_2D": BIAS_INPUT,
    "TRANSPOSE_CONV": 3,
    "FULLY_CONNECTED": BIAS_INPUT,
}
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_INPUT_INPUTS = {"TRANSPOSE_CONV": 2}
_INTEGERS = (schema.TensorType.INT8, schema.TensorType.INT16)


def unread_biases(model: schema.ModelT, graph: schema.SubGraphT) -> set[int]:
    """Returns the stored tensors whose quantization no kernel reads.

    What WidenBias makes counts as stored.
    """
    unread: set[int] = set()
    widened: set[int] = set()
    read = set(graph.inputs) | set(graph.outputs)
    for operator in graph.operators:
        if custom_name(model, operator) == WIDEN_BIAS_OP:
            widened.update(operator.outputs)
            continue
        bias = _unread_bias(model, graph, operator)
        for position, index in enumerate(operator.inputs):
            (unread if position == bias else read).add(index)
        read.update(operator.outputs)
        read.update(operator.intermediates or [])
    return {
        index
        for index in unread - read
        if index in widened
        or (index >= 0 and is_constant(model, graph.tensors[index]))
    }


def _unread_bias(
    model: schema.ModelT, graph: schema.SubGraphT, operator: schema.OperatorT
) -> int | None:
    """Returns the input position of a bias that is only added, or None."""
    name = operator_name(model, operator)
    position = _BIAS_INPUTS.get(name)
    if position is None or len(operator.inputs) <= position:
        return None
    data = operator.inputs[_INPUT_INPUTS.get(name, 0)]
    weights = operator.inputs[FILTER_INPUT]
    if min(data, weights) < 0 or graph.tensors[data].type not in _INTEGERS:
        return None
    if name == "FULLY_CONNECTED" and len(scales(graph.tensors[weights])) < 2:
        return None
    return position


def is_quantized(tensor: schema.TensorT) -> bool:
    """Tells whether TFLM gives a tensor the quantization of the file."""
    return bool(len(scales(tensor)) and len(zero_points(tensor)))


def convolution_filters(
    model: schema.ModelT, graph: schema.SubGraphT
) -> set[int]:
    """Returns the tensors that are read as filters of convolutions alone."""
    readers = collections.defaultdict(set)
    for operator in graph.operators:
        is_convolution = operator_name(model, operator) in _CONVOLUTIONS
        for position, index in enumerate(operator.inputs):
            readers[index].add(is_convolution and position == FILTER_INPUT)
    return {index for index, found in readers.items() if found == {True}}


def num_channels(tensor: schema.TensorT) -> int:
    """Returns how many scales a tensor may have, 1 if its axis is none."""
    shape, axis = tensor_shape(tensor), tensor.quantization.quantizedDimension
    return shape[axis] if 0 <= axis < len(shape) else 1
