"""What TFLM's Prepare computes for an op, as `tflm_ops/firmware/layers.h` says.

Ops that this module does not know are an error: a network is counted as a
whole or not at all.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.flatbuffer import (
    custom_name,
    operator_name,
    scales,
    tensor_data,
    tensor_shape,
    zero_points,
)

# As LayerKind in layers.h.
LAYER_KINDS = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D"),
    *("MEAN", "PAD", "RESHAPE", GENERATE_PW_OP),
)
NO_TENSOR = -1
LOWEST, HIGHEST = -128, 127

Pair = tuple[int, int]  # Height, width; or multiplier, shift.


@dataclasses.dataclass(frozen=True)
class LayerRecord:
    """The fields of LayerRecord in layers.h, in their order."""

    input: int = NO_TENSOR
    filter: int = NO_TENSOR
    bias: int = NO_TENSOR
    output: int = NO_TENSOR
    input_size: Pair = (1, 1)
    input_channels: int = 1
    filter_size: Pair = (1, 1)
    output_size: Pair = (1, 1)
    output_channels: int = 1
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    channel_multiplier: int = 1
    input_zero_point: int = 0
    output_zero_point: int = 0
    activation_min: int = LOWEST
    activation_max: int = HIGHEST

    def to_array(self) -> np.ndarray:
        """Returns the fields one after the other."""
        fields = dataclasses.astuple(self)
        return np.array([v for f in fields for v in np.atleast_1d(f)], "<i4")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One op.

    Attributes:
        kind: One of `LAYER_KINDS`.
        record: Shapes, tensors and ranges.
        multipliers: Multiplier and shift for each output channel, or one for
            all, or none.
    """

    kind: str
    record: LayerRecord
    multipliers: tuple[Pair, ...] = ()


def quantize_multiplier(real: float) -> Pair:
    """Returns the multiplier below 2**31 and the shift, as TFLite does."""
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def layer_of(model: schema.ModelT, operator: schema.OperatorT) -> Layer:
    """Returns the layer of an op of the main subgraph.

    Raises:
        ValueError: If the firmware does not run this op.
    """
    name = operator_name(model, operator)
    kind = custom_name(model, operator) or name
    if kind not in LAYER_KINDS:
        raise ValueError(
            f"Expected ops of {LAYER_KINDS}. Received: {kind}. Teach "
            "tflm_ops/firmware/layers.cc what it does."
        )
    if kind == GENERATE_PW_OP:
        return Layer(kind, LayerRecord(output=operator.outputs[0]))
    record = _common(model.subgraphs[0].tensors, operator)
    return _BUILDERS[kind](model, operator, record)


def _common(tensors: list, operator: schema.OperatorT) -> LayerRecord:
    inputs, outputs = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    in_shape, out_shape = _spatial(inputs), _spatial(outputs)
    record = LayerRecord(
        input=operator.inputs[0],
        output=operator.outputs[0],
        input_size=in_shape[:2],
        input_channels=in_shape[2],
        output_size=out_shape[:2],
        output_channels=out_shape[2],
        input_zero_point=int(zero_points(inputs)[0]),
        output_zero_point=int(zero_points(outputs)[0]),
    )
    activation = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    low, high = _activation_range(activation, outputs)
    return dataclasses.replace(record, activation_min=low, activation_max=high)


def _spatial(tensor: schema.TensorT) -> tuple[int, int, int]:
    """Height, width and channels; those that a tensor lacks are 1."""
    _, *sizes = tensor_shape(tensor)
    height, width, channels = [1] * (3 - len(sizes)) + sizes
    return height, width, channels


def _activation_range(activation: int, outputs: schema.TensorT) -> Pair:
    kinds = schema.ActivationFunctionType
    zero = int(zero_points(outputs)[0])
    if activation == kinds.NONE:
        return LOWEST, HIGHEST
    if activation == kinds.RELU:
        return max(LOWEST, zero), HIGHEST
    if activation == kinds.RELU6:
        six = zero + math.floor(np.float32(6) / scales(outputs)[0] + 0.5)
        return max(LOWEST, zero), min(HIGHEST, six)
    raise ValueError(f"Expected none, RELU or RELU6. Received: {activation}.")


def _window(options: Any, record: LayerRecord, size: Pair) -> LayerRecord:
    """Adds strides, dilation and what is padded before the input."""
    stride = (options.strideH, options.strideW)
    dilation = (
        getattr(options, "dilationHFactor", 1),
        getattr(options, "dilationWFactor", 1),
    )
    padding = (0, 0)
    if options.padding == schema.Padding.SAME:
        reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
        height, width = (
            max((o - 1) * s + r - i, 0) // 2
            for o, s, r, i in zip(
                record.output_size,
                stride,
                reach,
                record.input_size,
                strict=True,
            )
        )
        padding = (height, width)
    return dataclasses.replace(
        record,
        filter_size=size,
        stride=stride,
        dilation=dilation,
        padding=padding,
    )


def _scale(tensor: schema.TensorT) -> float:
    return float(scales(tensor)[0])


def _convolution(model, operator, record) -> Layer:
    tensors = model.subgraphs[0].tensors
    inputs, kernel = (tensors[i] for i in operator.inputs[:2])
    _, height, width, _ = tensor_shape(kernel)
    record = _window(operator.builtinOptions, record, (height, width))
    record = dataclasses.replace(
        record, filter=operator.inputs[1], bias=operator.inputs[2]
    )
    name = operator_name(model, operator)
    if name == "DEPTHWISE_CONV_2D":
        record = dataclasses.replace(
            record, channel_multiplier=operator.builtinOptions.depthMultiplier
        )
    outputs = tensors[operator.outputs[0]]
    factors = np.broadcast_to(scales(kernel), record.output_channels)
    multipliers = (
        quantize_multiplier(_scale(inputs) * float(f) / _scale(outputs))
        for f in factors
    )
    return Layer(name, record, tuple(multipliers))


def _fully_connected(model, operator, record) -> Layer:
    tensors = model.subgraphs[0].tensors
    inputs, kernel = (tensors[i] for i in operator.inputs[:2])
    outputs = tensors[operator.outputs[0]]
    # TFLite multiplies these two as float, unlike a convolution's.
    product = float(scales(inputs)[0] * scales(kernel)[0])
    record = dataclasses.replace(
        record, filter=operator.inputs[1], bias=operator.inputs[2]
    )
    multiplier = quantize_multiplier(product / _scale(outputs))
    return Layer("FULLY_CONNECTED", record, (multiplier,))


def _average_pool(model, operator, record) -> Layer:
    options = operator.builtinOptions
    size = (options.filterHeight, options.filterWidth)
    return Layer("AVERAGE_POOL_2D", _window(options, record, size))


def _mean(model, operator, record) -> Layer:
    tensors = model.subgraphs[0].tensors
    inputs, axes = (tensors[i] for i in operator.inputs)
    if tensor_data(model, axes).tolist() != [1, 2]:
        raise ValueError(
            "Expected a mean over height and width. Received: axes "
            f"{tensor_data(model, axes).tolist()}."
        )
    ratio = _scale(inputs) / _scale(tensors[operator.outputs[0]])
    multiplier, shift = quantize_multiplier(ratio)
    # As TFLite does: the division by the count is part of the multiplier.
    count = math.prod(record.input_size)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier = (multiplier << extra) // count
    return Layer("MEAN", record, ((multiplier, shift - extra),))


def _pad(model, operator, record) -> Layer:
    paddings = model.subgraphs[0].tensors[operator.inputs[1]]
    _, (height, _), (width, _), _ = tensor_data(model, paddings).tolist()
    return Layer("PAD", dataclasses.replace(record, padding=(height, width)))


def _reshape(model, operator, record) -> Layer:
    # Input and output are one tensor; see `board_network.py`.
    return Layer("RESHAPE", record)


_BUILDERS = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _average_pool,
    "MEAN": _mean,
    "PAD": _pad,
    "RESHAPE": _reshape,
}
