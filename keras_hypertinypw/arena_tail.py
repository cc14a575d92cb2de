"""The end of the arena, where TFLM keeps what stays, and how it gets there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.arena_layout import (
    LAYOUTS,
    SPARE_SCRATCH_REQUESTS,
    Layout,
    Target,
)
from keras_hypertinypw.custom_ops import CUSTOM_OPS, GENERATE_PW_OP
from keras_hypertinypw.flatbuffer import scales, zero_points
from keras_hypertinypw.kernel_memory import kernel_memory
from keras_hypertinypw.kernel_search import BIAS_INPUT
from keras_hypertinypw.lifetimes import Lifetimes, kernel_name
from keras_hypertinypw.memory_planner import align
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR

INT32_BYTES = 4
# Convolutions look at their tensors twice, at the bias only once.
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


class Step(NamedTuple):
    """One operator's Prepare.

    Attributes:
        structures: Bytes at the end of the arena after it, kernels aside.
        num_kernels: GeneratePW ops up to this one.
        temporary: Bytes at the start of the arena in the meantime.
    """

    structures: int
    num_kernels: int
    temporary: int


@dataclasses.dataclass(frozen=True)
class Tail:
    """What stays, generated kernels aside; all sizes in bytes.

    Attributes:
        structures: All of it, in the end.
        before_planning: What is there when buffers are planned.
        steps: One per operator.
    """

    structures: int
    before_planning: int
    steps: tuple[Step, ...]


class _Stack:
    """Grows down from the arena's end, which is a multiple of 16."""

    def __init__(self) -> None:
        self.size = 0

    def push(self, size: int, alignment: int = 16) -> None:
        self.size = align(self.size + size, alignment)


def lay_structures(
    model: schema.ModelT, target: Target, lifetimes: Lifetimes
) -> Tail:
    """Repeats TFLM's allocations, in their order.

    Raises:
        ConversionError: If an operator's memory is not known.
    """
    layout, graph, stack = LAYOUTS[target], model.subgraphs[0], _Stack()
    pointer = layout.pointer
    names = [kernel_name(model, operator) for operator in graph.operators]
    for size in (*layout.interpreter, layout.subgraph):
        stack.push(size, pointer)
    stack.push(layout.eval_tensor * len(graph.tensors), pointer)
    stack.push(layout.node * len(graph.operators), pointer)
    for name in names:
        if name in layout.builtin_data:
            stack.push(*layout.builtin_data[name])
    for name in names:
        if name in layout.op_data:
            stack.push(layout.op_data[name])
    steps = _prepare(model, target, names, stack)
    stack.push(pointer * len(lifetimes.scratch), pointer)
    before_planning = stack.size
    for indices in (graph.inputs, graph.outputs):
        stack.push(pointer * len(indices))
        for index in indices:
            for size, alignment in _tensor(layout, graph.tensors[index]):
                stack.push(size, alignment)
    return Tail(stack.size, before_planning, tuple(steps))


def _prepare(
    model: schema.ModelT, target: Target, names: list[str], stack: _Stack
) -> list[Step]:
    layout, graph = LAYOUTS[target], model.subgraphs[0]
    steps, requests, kernels = [], SPARE_SCRATCH_REQUESTS, 0
    for operator, name in zip(graph.operators, names, strict=True):
        memory = kernel_memory(graph, operator, name, target)
        for size in memory.persistent:
            stack.push(size)
        kernels += name == GENERATE_PW_OP
        temporary = layout.scratch_request * requests
        if name not in CUSTOM_OPS:
            seen = [*operator.inputs, *operator.outputs]
            if name in _CONVOLUTIONS:
                seen += [*operator.inputs[:BIAS_INPUT], *operator.outputs]
            temporary += _temporary_tensors(layout, graph, seen)
        requests += len(memory.scratch)
        steps.append(Step(stack.size, kernels, temporary))
    return steps


def _temporary_tensors(
    layout: Layout, graph: schema.SubGraphT, indices: Sequence[int]
) -> int:
    """Returns the size of a `TfLiteTensor` for each, one after the other."""
    size = 0
    for index in indices:
        if index != OPTIONAL_TENSOR:
            for part, alignment in _tensor(layout, graph.tensors[index]):
                size = align(size, alignment) + part
    return size


def _tensor(layout: Layout, tensor: schema.TensorT) -> list[tuple[int, int]]:
    """Returns sizes and alignments of a `TfLiteTensor` and what hangs on it."""
    parts = [(layout.tensor, layout.pointer)]
    channels = scales(tensor).size
    if channels and zero_points(tensor).size:
        parts.append((layout.quantization, layout.pointer))
        parts.append((INT32_BYTES * (1 + channels), INT32_BYTES))
    return parts
