"""Int8 models whose kernels lie on a grid of four bits, or do not."""

from __future__ import annotations

import numpy as np
from dense_models import stock_model

from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    tensor_data,
    tensor_shape,
    write_model,
)
from keras_hypertinypw.int4_kernels import find_kernels
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.pruning import prune_buffers


def kernels(content):
    """Returns the kernels by tensor."""
    return find_kernels(read_model(content))


def kernel_values(content):
    """Returns the values of all kernels, unpacked."""
    model = read_model(content)
    return [
        tensor_data(model, kernel.tensor)
        for kernel in find_kernels(model).values()
    ]


def with_bias(kernel):
    """Returns the kernel's operators that have a bias."""
    return [op for op in kernel.operators if op.inputs[2] != OPTIONAL_TENSOR]


def real_kernels(content):
    """Returns what all kernels stand for: values times scales."""
    model = read_model(content)
    found = []
    for kernel in find_kernels(model).values():
        scales = np.asarray(kernel.tensor.quantization.scale, np.float64)
        values = np.moveaxis(tensor_data(model, kernel.tensor), kernel.axis, -1)
        found.append(values * scales)
    return found


def coarse_model(factor=18):
    """`grid_model`, its kernels times a factor, without biases."""
    model = read_model(grid_model())
    for kernel in find_kernels(model).values():
        values = tensor_data(model, kernel.tensor) * np.int8(factor)
        kernel.tensor.buffer = add_buffer(model, values.tobytes())
        for operator in kernel.operators:
            operator.inputs[2] = OPTIONAL_TENSOR
    return write_model(model)


def grid_model(seed=0, *, largest=7, shared_layer=False):
    """The stock model with random kernels in `[-largest, largest]`.

    Scales grow as much as weights shrink, so that outputs still vary.
    """
    rng = np.random.default_rng(seed)
    model = read_model(stock_model(shared_layer))
    for kernel in find_kernels(model).values():
        tensor = kernel.tensor
        shape = tensor_shape(tensor)
        values = rng.integers(-largest, largest + 1, shape).astype(np.int8)
        tensor.buffer = add_buffer(model, values.tobytes())
        params = tensor.quantization
        params.scale = np.asarray(params.scale, np.float32) * np.float32(
            127 / largest
        )
        # TFLM takes no INT4 kernel of several scales in FULLY_CONNECTED.
        if kernel.kind == "FULLY_CONNECTED":
            params.scale = params.scale[:1]
            params.zeroPoint = np.zeros(1, np.int64)
            for operator in with_bias(kernel):
                bias = model.subgraphs[0].tensors[operator.inputs[2]]
                source = model.subgraphs[0].tensors[operator.inputs[0]]
                step = np.asarray(source.quantization.scale, np.float32)
                bias.quantization.scale = step * params.scale
                bias.quantization.zeroPoint = np.zeros(1, np.int64)
    prune_buffers(model)
    return write_model(model)
