"""Finds the constant kernel of a layer in the dense model, by its data."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import integer
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    is_constant,
    operator_name,
    tensor_data,
    tensor_name,
)
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.spec import PointwiseSpec

FILTER_INPUT = 1
BIAS_INPUT = 2
FILTER_OPERATORS = ("CONV_2D", "FULLY_CONNECTED")


@dataclasses.dataclass(frozen=True, eq=False)
class KernelTensor:
    """A constant int8 filter of the dense model.

    Attributes:
        index: Index of the tensor in the main subgraph.
        name: Name of the tensor.
        data: int8 array, of the tensor's shape.
        num_uses: How often it is the filter of an operator.
    """

    index: int
    name: str
    data: np.ndarray
    num_uses: int


def find_kernel_tensors(model: schema.ModelT) -> list[KernelTensor]:
    """Returns the constant int8 filters of the main subgraph, by first use."""
    graph = model.subgraphs[0]
    uses: collections.Counter[int] = collections.Counter()
    for operator in graph.operators:
        filters = operator_name(model, operator) in FILTER_OPERATORS
        if filters and len(operator.inputs) > FILTER_INPUT:
            uses[operator.inputs[FILTER_INPUT]] += 1
    del uses[OPTIONAL_TENSOR]
    tensors = [(index, graph.tensors[index]) for index in uses]
    return [
        KernelTensor(
            index, tensor_name(tensor), tensor_data(model, tensor), uses[index]
        )
        for index, tensor in tensors
        if tensor.type == schema.TensorType.INT8 and is_constant(model, tensor)
    ]


def find_kernel(
    kernels: Sequence[KernelTensor],
    spec: PointwiseSpec,
    claims: Mapping[int, int],
) -> KernelTensor:
    """Returns the kernel that equals what a spec synthesizes, exactly.

    Of equal kernels it prefers one that no layer has claimed. One that is
    claimed already serves again only if it has more uses than claims: the
    converter merges layers whose kernels are equal.

    Args:
        kernels: The constant filters of the dense model.
        spec: The layer.
        claims: How many layers have got each kernel, by tensor index.

    Raises:
        ConversionError: If there is none. It names the layer, the nearest
            kernel, and the first index where that one differs.
    """
    expected = integer.synthesize(spec)
    free = [
        kernel
        for kernel in kernels
        if kernel.data.shape == expected.shape
        and claims.get(kernel.index, 0) < kernel.num_uses
    ]
    equal = [k for k in free if np.array_equal(k.data, expected)]
    if not equal:
        raise _no_kernel(spec, expected, kernels, free)
    return min(equal, key=lambda kernel: claims.get(kernel.index, 0))


def _no_kernel(
    spec: PointwiseSpec,
    expected: np.ndarray,
    kernels: Sequence[KernelTensor],
    free: Sequence[KernelTensor],
) -> ConversionError:
    wanted = (
        f"Layer '{spec.layer_name}': expected a constant int8 filter of shape "
        f"{expected.shape} in the dense model, equal to the kernel that its "
        "codes synthesize"
    )
    if not free:
        shapes = sorted({kernel.data.shape for kernel in kernels})
        return ConversionError(
            f"{wanted}. Received: filters of shapes {shapes}, or as many "
            "layers as filters of that shape before. Pass the dense model "
            "that these specs were frozen with, and each spec once."
        )
    nearest = min(free, key=lambda k: np.count_nonzero(k.data != expected))
    different = np.argwhere(nearest.data != expected)
    first = tuple(int(index) for index in different[0])
    return ConversionError(
        f"{wanted}. Received: nothing closer than '{nearest.name}', which "
        f"differs in {len(different)} of {expected.size} weights, first at "
        f"index {first}: {nearest.data[first]} instead of {expected[first]}. "
        "Freeze the model again and convert what it returns; if that fails "
        "too, keep this layer stored and report it."
    )
