"""Removes what nothing in a model refers to any more."""

from __future__ import annotations

from collections.abc import Iterable

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.model_checks import NO_BUFFER, OPTIONAL_TENSOR


def prune_buffers(model: schema.ModelT) -> None:
    """Drops unreferenced buffers; the empty buffer 0 stays."""
    tensors = [t for graph in model.subgraphs for t in graph.tensors]
    holders = [*tensors, *(model.metadata or [])]
    kept = _kept(len(model.buffers), [NO_BUFFER, *(h.buffer for h in holders)])
    model.buffers = [model.buffers[index] for index in kept]
    for holder in holders:
        holder.buffer = kept[holder.buffer]


def prune_operator_codes(model: schema.ModelT) -> None:
    """Drops operator codes that no operator uses."""
    operators = [op for graph in model.subgraphs for op in graph.operators]
    kept = _kept(len(model.operatorCodes), [op.opcodeIndex for op in operators])
    model.operatorCodes = [model.operatorCodes[index] for index in kept]
    for operator in operators:
        operator.opcodeIndex = kept[operator.opcodeIndex]


def remove_unused_tensors(
    model: schema.ModelT, candidates: Iterable[int]
) -> None:
    """Removes those candidates that nothing in the main subgraph refers to.

    Other unused tensors stay: it is not for us to touch them.
    """
    graph = model.subgraphs[0]
    lists = [graph.inputs, graph.outputs]
    for operator in graph.operators:
        lists += [operator.inputs, operator.outputs]
        lists.append(operator.intermediates or [])
    items = [
        item
        for signature in model.signatureDefs or []
        if signature.subgraphIndex == 0
        for item in [*(signature.inputs or []), *(signature.outputs or [])]
    ]
    used = {index for indices in lists for index in indices}
    used |= {item.tensorIndex for item in items}
    count = len(graph.tensors)
    kept = _kept(count, set(range(count)) - (set(candidates) - used))
    graph.tensors = [graph.tensors[index] for index in kept]
    kept[OPTIONAL_TENSOR] = OPTIONAL_TENSOR
    for indices in lists:
        indices[:] = [kept[index] for index in indices]
    for item in items:
        item.tensorIndex = kept[item.tensorIndex]


def _kept(count: int, used: Iterable[int]) -> dict[int, int]:
    """Maps every used index to its place once the others are gone."""
    wanted = set(used)
    order = [index for index in range(count) if index in wanted]
    return {old: new for new, old in enumerate(order)}
