"""Brings a kernel into four bits, and scales and biases along with it."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import (
    add_buffer,
    consumers,
    scales,
    tensor_data,
)
from keras_hypertinypw.int4_kernels import Kernel
from keras_hypertinypw.int4_values import fit_steps, fits_int4, quantize_int4
from keras_hypertinypw.kernel_search import BIAS_INPUT
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR

_INT32 = np.iinfo(np.int32)


def rescale(model: schema.ModelT, kernel: Kernel) -> np.ndarray:
    """Returns a kernel in four bits, and rewrites what its scales change.

    Channels whose weights are in `[-8, 7]` keep weights, scale and bias to
    the last bit.

    Args:
        model: Changed in place.
        kernel: One of it, without fault.

    Returns:
        int8 array of the kernel's shape, of values in `[-8, 7]`.
    """
    weights = tensor_data(model, kernel.tensor)
    old = scales(kernel.tensor)
    # TFLM refuses INT4 filters of several scales here.
    is_single = kernel.kind == "FULLY_CONNECTED"
    if fits_int4(weights) and not (is_single and len(set(old.tolist())) > 1):
        if is_single:
            _set_scales(kernel.tensor, old[:1], kernel.axis)
        return weights
    columns = np.moveaxis(weights, kernel.axis, -1)
    shape = columns.shape
    columns = columns.reshape(-1, shape[-1])
    old = np.broadcast_to(old, shape[-1])
    new, levels = _fit(columns, old, is_single)
    for operator in kernel.operators:
        _rescale_bias(model, operator, old, new, is_single)
    _set_scales(kernel.tensor, new[:1] if is_single else new, kernel.axis)
    return np.moveaxis(levels.reshape(shape), -1, kernel.axis)


def _fit(
    columns: np.ndarray, old: np.ndarray, is_single: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns new float32 scales and the weights in four bits.

    Args:
        columns: int8 array of shape `(num_values, num_channels)`.
        old: float32 scales of shape `(num_channels,)`.
        is_single: Whether all channels get one scale.
    """
    values = columns.astype(np.float64) * old
    if is_single:
        step = fit_steps(values.reshape(-1, 1)).astype(np.float32)
        new = np.repeat(step, old.size)
        return new, quantize_int4(values, new.astype(np.float64))
    keeps = np.array([fits_int4(column) for column in columns.T])
    new = np.where(keeps, old, fit_steps(values)).astype(np.float32)
    levels = quantize_int4(values, new.astype(np.float64))
    return new, np.where(keeps, columns, levels)


def _set_scales(tensor: schema.TensorT, values: np.ndarray, axis: int) -> None:
    params = tensor.quantization
    if len(values) != scales(tensor).size:
        params.zeroPoint = np.zeros(len(values), np.int64)
    params.scale = values
    params.quantizedDimension = axis if len(values) > 1 else 0
    params.min = params.max = None  # Of the old scales.


def _rescale_bias(
    model: schema.ModelT,
    operator: schema.OperatorT,
    old: np.ndarray,
    new: np.ndarray,
    is_single: bool,
) -> None:
    """Writes a bias in units of input scale times the new scales."""
    graph = model.subgraphs[0]
    index = dict(enumerate(operator.inputs)).get(BIAS_INPUT, OPTIONAL_TENSOR)
    if index == OPTIONAL_TENSOR:
        return
    bias = _own_tensor(graph, operator, index)
    ratio = old.astype(np.float64) / new
    values = np.floor(tensor_data(model, bias) * ratio + 0.5)
    values = np.clip(values, _INT32.min, _INT32.max).astype(np.int32)
    bias.buffer = add_buffer(model, values.tobytes())
    if scales(bias).size:
        (step,) = scales(graph.tensors[operator.inputs[0]])
        _set_scales(bias, step * (new[:1] if is_single else new), 0)


def _own_tensor(
    graph: schema.SubGraphT, operator: schema.OperatorT, index: int
) -> schema.TensorT:
    """Returns the operator's bias, a copy if it is not its alone."""
    tensor = graph.tensors[index]
    if len(list(consumers(graph, index))) == 1 and index not in graph.outputs:
        return tensor
    copy = schema.TensorT()
    vars(copy).update(vars(tensor))
    if tensor.quantization is not None:
        copy.quantization = schema.QuantizationParametersT()
        vars(copy.quantization).update(vars(tensor.quantization))
    graph.tensors.append(copy)
    operator.inputs[BIAS_INPUT] = len(graph.tensors) - 1
    return copy
