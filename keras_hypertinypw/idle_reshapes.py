"""Removes pairs of reshapes that undo each other.

The converter wraps every 1-D convolution in an EXPAND_DIMS and a RESHAPE;
between two convolutions they cancel out.
"""

from __future__ import annotations

import collections

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import (
    is_constant,
    operator_name,
    scales,
    tensor_shape,
    zero_points,
)

# Kernels that copy their first input to their only output.
_COPIES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


def remove_idle_reshapes(model: schema.ModelT, *, desktop: bool) -> None:
    """Connects what reads the second of a pair with what the first reads.

    Args:
        model: With one subgraph; changed in place. Tensors that nothing uses
            any more stay.
        desktop: Keep pairs whose dynamic shapes differ.
    """
    graph = model.subgraphs[0]
    while True:
        pair = _find_pair(model, desktop)
        if pair is None:
            return
        first, second = pair
        before, after = first.inputs[0], second.outputs[0]
        graph.operators = [op for op in graph.operators if op is not second]
        for operator in graph.operators:
            operator.inputs = [
                before if index == after else index for index in operator.inputs
            ]
        if not _is_used(graph, first.outputs[0]):
            graph.operators = [op for op in graph.operators if op is not first]


def _find_pair(
    model: schema.ModelT, desktop: bool
) -> tuple[schema.OperatorT, schema.OperatorT] | None:
    graph = model.subgraphs[0]
    outputs = collections.Counter(
        index for operator in graph.operators for index in operator.outputs
    )
    makers: dict[int, schema.OperatorT] = {}
    for operator in graph.operators:
        ends = [*operator.inputs[:1], *operator.outputs]
        # Only in a damaged file a tensor has more than one source.
        if not _is_copy(model, operator) or max(outputs[e] for e in ends) > 1:
            continue
        first = makers.get(operator.inputs[0])
        if first is not None and _undoes(model, first, operator, desktop):
            return first, operator
        makers[operator.outputs[0]] = operator
    return None


def _is_copy(model: schema.ModelT, operator: schema.OperatorT) -> bool:
    return (
        operator_name(model, operator) in _COPIES
        and len(operator.outputs) == 1
        and min([*operator.inputs[:1], *operator.outputs], default=-1) >= 0
        and len(operator.inputs) > 0
    )


def _undoes(
    model: schema.ModelT,
    first: schema.OperatorT,
    second: schema.OperatorT,
    desktop: bool,
) -> bool:
    graph = model.subgraphs[0]
    before = graph.tensors[first.inputs[0]]
    after = graph.tensors[second.outputs[0]]
    ports = {*graph.inputs, *graph.outputs}
    for signature in model.signatureDefs or []:
        ports.update(item.tensorIndex for item in signature.outputs or [])
    return (
        _kind(before) == _kind(after)
        and not (desktop and _signature(before) != _signature(after))
        and second.outputs[0] not in ports
        and first.inputs[0] != second.outputs[0]
        and not before.isVariable
        and not is_constant(model, after)
    )


def _kind(tensor: schema.TensorT) -> tuple[object, ...]:
    return (
        *(tensor.type, tensor_shape(tensor)),
        *(scales(tensor).tobytes(), zero_points(tensor).tobytes()),
    )


def _signature(tensor: schema.TensorT) -> list[int]:
    sizes = tensor.shapeSignature
    return [] if sizes is None else [int(size) for size in sizes]


def _is_used(graph: schema.SubGraphT, index: int) -> bool:
    return index in graph.outputs or any(
        index in operator.inputs for operator in graph.operators
    )
