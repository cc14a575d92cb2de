"""Finds the stored kernels of a `.tflite` that four bits can hold."""

from __future__ import annotations

import dataclasses
import re

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import (
    consumers,
    is_constant,
    operator_name,
    scales,
    tensor_name,
    tensor_shape,
    zero_points,
)
from keras_hypertinypw.kernel_search import BIAS_INPUT, FILTER_INPUT
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR

# Ranks of the filters that TFLM unpacks, and their axis of output channels.
_FILTERS = {
    "CONV_2D": (4, 0),
    "DEPTHWISE_CONV_2D": (4, 3),
    "FULLY_CONNECTED": (2, 0),
}
_INT8, _INT4 = schema.TensorType.INT8, schema.TensorType.INT4


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """The filter of one operator, or of several.

    Attributes:
        tensor: The filter's tensor.
        operators: Those whose filter it is.
        kind: Their name, as `operator_name` has it.
        axis: Of the output channels.
        fault: Why it cannot be packed; empty if it can.
    """

    tensor: schema.TensorT
    operators: tuple[schema.OperatorT, ...]
    kind: str
    axis: int
    fault: str

    @property
    def is_packed(self) -> bool:
        """Whether it is INT4 already."""
        return self.tensor.type == _INT4

    def answers_to(self, index: int, layer: str) -> bool:
        """Tells whether a name means this kernel, whose tensor is `index`.

        The tensor's own name does, and each part of it, with or without the
        prefix of tfmot: "stem" finds "network/quant_stem/Conv2D".
        """
        name = tensor_name(self.tensor)
        parts = re.split("[/;]", name)
        parts += [part.removeprefix("quant_") for part in parts]
        unnamed = [] if name else [f"tensor {index}"]
        return layer in [name, *parts, *unnamed]


def find_kernels(model: schema.ModelT) -> dict[int, Kernel]:
    """Returns the filters of the main subgraph by tensor, by first use."""
    graph = model.subgraphs[0]
    users: dict[int, list[schema.OperatorT]] = {}
    for operator in graph.operators:
        is_known = operator_name(model, operator) in _FILTERS
        if is_known and len(operator.inputs) > FILTER_INPUT:
            index = operator.inputs[FILTER_INPUT]
            if index != OPTIONAL_TENSOR:
                users.setdefault(index, []).append(operator)
    return {
        index: _describe(model, index, tuple(operators))
        for index, operators in users.items()
    }


def _describe(
    model: schema.ModelT, index: int, operators: tuple[schema.OperatorT, ...]
) -> Kernel:
    tensor = model.subgraphs[0].tensors[index]
    kind = operator_name(model, operators[0])
    rank, axis = _FILTERS[kind]
    fault = ""
    if len(tensor_shape(tensor)) != rank:
        fault = f"a filter of shape {tensor_shape(tensor)}"
    elif not is_constant(model, tensor):
        fault = "a filter that is not stored"
    elif tensor.type not in (_INT8, _INT4):
        fault = f"a filter of TensorType {tensor.type}"
    elif any(operator_name(model, op) != kind for op in operators):
        fault = "a filter of operators of several kinds"
    elif scales(tensor).size not in (1, tensor_shape(tensor)[axis]):
        fault = f"{scales(tensor).size} scales"
    elif not (scales(tensor) > 0).all() or zero_points(tensor).any():
        fault = "scales or zero points that no int8 kernel takes"
    elif index in model.subgraphs[0].outputs or any(
        position != FILTER_INPUT
        or model.subgraphs[0].operators[number] not in operators
        for number, position in consumers(model.subgraphs[0], index)
    ):
        fault = "a filter that something else reads too"
    else:
        faults = [_operator_fault(model, tensor, op, kind) for op in operators]
        fault = next(filter(None, faults), "")
    return Kernel(tensor, operators, kind, axis, fault)


def _operator_fault(
    model: schema.ModelT,
    tensor: schema.TensorT,
    operator: schema.OperatorT,
    kind: str,
) -> str:
    tensors = model.subgraphs[0].tensors
    if operator.inputs[0] == OPTIONAL_TENSOR:
        return "no input"
    source = tensors[operator.inputs[0]]
    if source.type != _INT8 or not scales(source).size:
        return "inputs that are not int8"
    channels = tensor_shape(source)[-1:]
    if kind == "CONV_2D" and channels != tensor_shape(tensor)[3:]:
        return "a grouped convolution, which CMSIS-NN has not in int4"
    bias = operator.inputs[BIAS_INPUT:][:1]
    if bias and bias[0] != OPTIONAL_TENSOR:
        values = tensors[bias[0]]
        count = tensor_shape(tensor)[_FILTERS[kind][1]]
        if (
            values.type != schema.TensorType.INT32
            or not is_constant(model, values)
            or tensor_shape(values) != (count,)
        ):
            return "a bias that is no constant of int32"
    return ""
