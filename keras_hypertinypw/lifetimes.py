"""When each tensor and scratch buffer of a model is needed, as TFLM sees it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.arena_layout import LAYOUTS, Target
from keras_hypertinypw.bias_narrowing import widen_operators
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    DTYPES,
    custom_name,
    is_constant,
    operator_name,
    tensor_name,
    tensor_shape,
)
from keras_hypertinypw.kernel_memory import kernel_memory
from keras_hypertinypw.memory_planner import Buffer
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.op_insertion import generate_operators

_OFFLINE_PLAN = (b"OfflineMemoryAllocation", "OfflineMemoryAllocation")


@dataclasses.dataclass(frozen=True)
class Lifetimes:
    """The buffers of a model.

    Attributes:
        tensors: Every tensor that needs memory, in the order of the file,
            with the index of the GeneratePW op that makes it, or None.
        scratch: Scratch buffers, in the order of their requests.
        num_tensors: Tensors of the file, constants included.
    """

    tensors: tuple[tuple[Buffer, int | None], ...]
    scratch: tuple[Buffer, ...]
    num_tensors: int


def kernel_name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """Returns the operator's name, a custom one's own.

    Raises:
        ConversionError: If its memory is not known.
    """
    name = custom_name(model, operator) or operator_name(model, operator)
    known = LAYOUTS["host"].known_operators
    if name not in known:
        raise ConversionError(
            f"Expected operators of known memory: {', '.join(known)}. "
            f"Received: {name}. Measure the arena with `Interpreter` instead."
        )
    return name


def find_lifetimes(model: schema.ModelT, target: Target) -> Lifetimes:
    """Finds the buffers of a model.

    Raises:
        ConversionError: If it has several subgraphs, variables, an offline
            memory plan, or an operator whose memory is not known.
    """
    _require_plain(model)
    graph = model.subgraphs[0]
    first, last = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.inputs, 0)
    scratch = []
    for time, operator in enumerate(graph.operators, 1):
        for index in operator.outputs:
            first.setdefault(index, time)
        for index in (*operator.inputs, *operator.outputs):
            if index != OPTIONAL_TENSOR:
                last[index] = time
        name = kernel_name(model, operator)
        memory = kernel_memory(graph, operator, name, target)
        scratch += [Buffer(size, time, time) for size in memory.scratch]
    for index in graph.outputs:
        first.setdefault(index, len(graph.operators))
        last[index] = len(graph.operators)
    kernels = {
        operator.outputs[0]: number
        for number, operator in enumerate(generate_operators(model))
    }
    # Prepare has given these their memory.
    biases = {
        index
        for operator in widen_operators(model)
        for index in operator.outputs
    }
    # What nothing touches lives before everything else.
    tensors = [
        (
            Buffer(_size(tensor), first.get(i, -1), last.get(i, -1)),
            kernels.get(i),
        )
        for i, tensor in enumerate(graph.tensors)
        if not is_constant(model, tensor) and i not in biases and _size(tensor)
    ]
    return Lifetimes(tuple(tensors), tuple(scratch), len(graph.tensors))


def _size(tensor: schema.TensorT) -> int:
    dtype = DTYPES.get(tensor.type)
    if dtype is None:
        raise ConversionError(
            f"Tensor '{tensor_name(tensor)}': expected a type of known size. "
            f"Received: type {tensor.type}. Measure the arena with "
            "`Interpreter` instead."
        )
    return math.prod(tensor_shape(tensor)) * np.dtype(dtype).itemsize


def _require_plain(model: schema.ModelT) -> None:
    names = [entry.name for entry in model.metadata or []]
    found = {
        "several subgraphs": len(model.subgraphs) > 1,
        "variables": any(t.isVariable for t in model.subgraphs[0].tensors),
        "an offline memory plan": any(n in _OFFLINE_PLAN for n in names),
    }
    wrong = [what for what, is_so in found.items() if is_so]
    if wrong:
        raise ConversionError(
            "Expected a model of one subgraph without state, to predict its "
            f"arena. Received: {' and '.join(wrong)}. Measure the arena with "
            "`Interpreter` instead."
        )
