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
    sources = collections.Counter(
        index for operator in graph.operators for index in operator.outputs
    )
    copies: dict[int, schema.OperatorT] = {}
    replaced: dict[int, int] = {}
    kept, firsts = [], set()
    for operator in graph.operators:
        operator.inputs = [replaced.get(i, i) for i in operator.inputs]
        ends = [*operator.inputs[:1], *operator.outputs]
        # Only in a damaged file a tensor has more than one source.
        if _is_copy(model, operator) and max(sources[e] for e in ends) < 2:
            first = copies.get(operator.inputs[0])
            if first and _undoes(model, first, operator, desktop):
                replaced[operator.outputs[0]] = first.inputs[0]
                firsts.add(first.outputs[0])
                continue
            copies[operator.outputs[0]] = operator
        kept.append(operator)
    used = {index for operator in kept for index in operator.inputs}
    idle = firsts - used - set(graph.outputs)
    graph.operators = [op for op in kept if not idle.intersection(op.outputs)]


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
