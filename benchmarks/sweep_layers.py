"""Layers of many shapes, each a `.tflite` of one op, to fit a cost model to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import add_buffer, write_model

CODES = schema.BuiltinOperator
TYPES = schema.TensorType
# Channels, of which some are multiples of 16, 4, 2 and 1.
CHANNELS = (3, 8, 15, 16, 22, 40)
SIZES = ((5, 6), (8, 1), (7, 9))
WIDE_CHANNELS = (64, 77, 130, 256)
WIDE_SIZES = ((1, 1), (3, 3), (2, 8))
# Scales that spread the outputs over the int8 range.
INPUT_SCALE, KERNEL_SCALE = 0.02, 0.01


def sweep(rng: np.random.Generator) -> Iterator[bytes]:
    """Yields one model per shape; data from `rng`."""
    for size, channels in itertools.product(SIZES, CHANNELS):
        filters = CHANNELS[(channels + size[0]) % len(CHANNELS)]
        for kernel, stride in (
            ((1, 1), 1),
            ((1, 1), 2),
            ((3, 3), 1),
            ((5, 1), 2),
            ((4, 3), 2),
        ):
            yield _convolution(rng, size, channels, filters, kernel, stride)
        for kernel, stride in (
            ((3, 3), 1),
            ((3, 3), 2),
            ((5, 1), 1),
            ((5, 2), 2),
        ):
            yield _depthwise(rng, size, channels, 1, kernel, stride)
        yield _depthwise(rng, size, channels, 2, (3, 3), 1)
        yield _fully_connected(rng, math.prod(size), channels)
        yield _pool(size, channels)
        yield _mean(size, channels)
        yield _pad(size, channels)
    for size, channels in itertools.product(WIDE_SIZES, WIDE_CHANNELS):
        for filters in (2, 9, 64):
            shape = (size, channels, filters)
            yield _convolution(rng, *shape, (1, 1), 1)
            yield _convolution(rng, *shape, (1, 1), 2)
            yield _fully_connected(rng, channels, filters)
        yield _depthwise(rng, size, channels, 1, (3, 3), 1)
        yield _depthwise(rng, size, channels, 1, (5, 1), 1)


class _Model:
    """One op and its tensors."""

    def __init__(self, code: int) -> None:
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.buffers = [schema.BufferT()]
        operator_code = schema.OperatorCodeT()
        operator_code.builtinCode = code
        operator_code.deprecatedBuiltinCode = code
        operator_code.version = 3 if code == CODES.DEPTHWISE_CONV_2D else 1
        if code in (CODES.CONV_2D, CODES.FULLY_CONNECTED):
            operator_code.version = 4
        if code in (CODES.MEAN, CODES.PAD, CODES.AVERAGE_POOL_2D):
            operator_code.version = 2
        self._model.operatorCodes = [operator_code]
        self._graph = schema.SubGraphT()
        self._graph.tensors = []
        self.operator = schema.OperatorT()
        self._graph.operators = [self.operator]
        self._model.subgraphs = [self._graph]

    def tensor(self, shape, scale, data=None, axis=0) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer = list(shape), 0
        tensor.type = TYPES.INT8
        if data is not None:
            tensor.buffer = add_buffer(self._model, data.tobytes())
            tensor.type = TYPES.INT32 if data.dtype == np.int32 else TYPES.INT8
        if scale is not None:
            params = schema.QuantizationParametersT()
            params.scale = np.atleast_1d(np.asarray(scale, np.float32))
            params.zeroPoint = np.zeros(params.scale.shape, np.int64)
            params.quantizedDimension = axis
            tensor.quantization = params
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def finish(self, inputs, output, kind=None, options=None) -> bytes:
        self.operator.inputs, self.operator.outputs = inputs, [output]
        if options is not None:
            self.operator.builtinOptions = options
            self.operator.builtinOptionsType = kind
        self._graph.inputs, self._graph.outputs = [inputs[0]], [output]
        return write_model(self._model)


def _int8(rng, shape) -> np.ndarray:
    return rng.integers(-127, 128, shape).astype(np.int8)


def _slide(options, size, stride):
    """Sets strides and SAME padding; returns the output's size."""
    options.strideH = options.strideW = stride
    options.padding = schema.Padding.SAME
    return tuple(-(-length // stride) for length in size)


def _weighted(rng, code, size, channels, kernel, filters, axis, options, kind):
    model = _Model(code)
    inputs = model.tensor((1, *size, channels), INPUT_SCALE)
    scales = KERNEL_SCALE * (1 + np.arange(filters) / filters)
    weights = model.tensor(kernel, scales, _int8(rng, kernel), axis)
    bias = rng.integers(-99, 99, filters).astype(np.int32)
    biases = model.tensor((filters,), INPUT_SCALE * scales, bias)
    output_size = _slide(options, size, options.strideH)
    output = model.tensor((1, *output_size, filters), 0.1)
    return model.finish([inputs, weights, biases], output, kind, options)


def _convolution(rng, size, channels, filters, kernel, stride) -> bytes:
    options = schema.Conv2DOptionsT()
    options.strideH = stride
    kinds = schema.BuiltinOptions
    return _weighted(
        *(rng, CODES.CONV_2D, size, channels),
        *((filters, *kernel, channels), filters, 0, options),
        kinds.Conv2DOptions,
    )


def _depthwise(rng, size, channels, multiplier, kernel, stride) -> bytes:
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH, options.depthMultiplier = stride, multiplier
    filters = channels * multiplier
    return _weighted(
        *(rng, CODES.DEPTHWISE_CONV_2D, size, channels),
        *((1, *kernel, filters), filters, 3, options),
        schema.BuiltinOptions.DepthwiseConv2DOptions,
    )


def _fully_connected(rng, depth, units) -> bytes:
    model = _Model(CODES.FULLY_CONNECTED)
    inputs = model.tensor((1, depth), INPUT_SCALE)
    weights = model.tensor(
        (units, depth), KERNEL_SCALE, _int8(rng, (units, depth))
    )
    bias = rng.integers(-99, 99, units).astype(np.int32)
    biases = model.tensor((units,), INPUT_SCALE * KERNEL_SCALE, bias)
    output = model.tensor((1, units), 0.1)
    return model.finish(
        [inputs, weights, biases],
        output,
        schema.BuiltinOptions.FullyConnectedOptions,
        schema.FullyConnectedOptionsT(),
    )


def _pool(size, channels) -> bytes:
    model = _Model(CODES.AVERAGE_POOL_2D)
    options = schema.Pool2DOptionsT()
    options.filterHeight = options.strideH = min(2, size[0])
    options.filterWidth = options.strideW = min(2, size[1])
    options.padding = schema.Padding.VALID
    inputs = model.tensor((1, *size, channels), INPUT_SCALE)
    height, width = size[0] // options.strideH, size[1] // options.strideW
    output = model.tensor((1, height, width, channels), INPUT_SCALE)
    kind = schema.BuiltinOptions.Pool2DOptions
    return model.finish([inputs], output, kind, options)


def _mean(size, channels) -> bytes:
    model = _Model(CODES.MEAN)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    inputs = model.tensor((1, *size, channels), INPUT_SCALE)
    axes = model.tensor((2,), None, np.array([1, 2], np.int32))
    output = model.tensor((1, 1, 1, channels), 0.01)
    kind = schema.BuiltinOptions.ReducerOptions
    return model.finish([inputs, axes], output, kind, options)


def _pad(size, channels) -> bytes:
    model = _Model(CODES.PAD)
    inputs = model.tensor((1, *size, channels), INPUT_SCALE)
    amounts = np.array([[0, 0], [0, 1], [1, 1], [0, 0]], np.int32)
    paddings = model.tensor((4, 2), None, amounts)
    shape = (1, size[0] + 1, size[1] + 2, channels)
    output = model.tensor(shape, INPUT_SCALE)
    return model.finish(
        [inputs, paddings],
        output,
        schema.BuiltinOptions.PadOptions,
        schema.PadOptionsT(),
    )
