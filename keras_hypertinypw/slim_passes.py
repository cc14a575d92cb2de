"""Removes from a model what nothing reads, and merges what is equal."""

from __future__ import annotations

import collections

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    COMPRESSION,
    builtin_code,
    is_compressed,
    metadata_name,
    scales,
    zero_points,
)
from keras_hypertinypw.idle_reshapes import remove_idle_reshapes
from keras_hypertinypw.pruning import (
    prune_buffers,
    prune_operator_codes,
    remove_unused_tensors,
)
from keras_hypertinypw.unread_parts import (
    OFFLINE_PLAN,
    convolution_filters,
    is_quantized,
    num_channels,
    unread_biases,
)

_NO_DEBUG_METADATA = -1


def slim_metadata(
    model: schema.ModelT, *, keep_metadata: bool, keep_signatures: bool
) -> None:
    """Drops metadata and signatures, but for the plan that TFLM reads.

    Raises:
        ConversionError: If TFLM's compression numbers tensors and buffers.
    """
    entries = model.metadata or []
    if is_compressed(model):
        raise ConversionError(
            "Expected a model whose tensors are not compressed. Received: one "
            f"with the metadata '{COMPRESSION.decode()}', which numbers "
            "tensors and buffers. Slim the model first, then compress it."
        )
    if not keep_metadata:
        model.description = None
        entries = [e for e in entries if metadata_name(e) == OFFLINE_PLAN]
        for graph in model.subgraphs:
            graph.debugMetadataIndex = _NO_DEBUG_METADATA
            for operator in graph.operators:
                operator.debugMetadataIndex = _NO_DEBUG_METADATA
    model.metadata = entries or None
    model.metadataBuffer = None  # Deprecated.
    if not keep_signatures:
        model.signatureDefs = None


def has_offline_plan(model: schema.ModelT) -> bool:
    """Tells whether metadata has an entry for each of the tensors."""
    return any(
        metadata_name(entry) == OFFLINE_PLAN for entry in model.metadata or []
    )


def can_renumber(model: schema.ModelT) -> bool:
    """Tells whether nothing but the only subgraph numbers its tensors."""
    return len(model.subgraphs) == 1 and not has_offline_plan(model)


def slim_graphs(model: schema.ModelT, *, desktop: bool) -> None:
    """Drops names and deprecated fields, and what only desktop runtimes read.

    Args:
        model: Changed in place.
        desktop: Keep what desktop TensorFlow Lite and its delegates read.
    """
    for code in model.operatorCodes:
        code.builtinCode = builtin_code(code)
        code.deprecatedBuiltinCode = 0
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
            if not desktop:
                tensor.shape = tensor.shape or None
                tensor.shapeSignature = None
                tensor.hasRank = False
        for operator in graph.operators:
            if not desktop:
                operator.mutatingVariableInputs = None
            if not operator.intermediates:
                operator.intermediates = None


def slim_quantization(model: schema.ModelT, *, desktop: bool) -> None:
    """Drops quantization that nothing reads or repeats; `unread_parts.py`."""
    for graph in model.subgraphs:
        unread = set() if desktop else unread_biases(model, graph)
        for index, tensor in enumerate(graph.tensors):
            params = tensor.quantization
            if params is None:
                continue
            params.min = params.max = None
            if params.details is not None:
                continue  # Of a kind of its own; carried through.
            if index in unread or not is_quantized(tensor):
                tensor.quantization = None
            elif not desktop:
                _shorten_zero_points(tensor)
        if not desktop:
            _shorten_scales(model, graph)


def _shorten_zero_points(tensor: schema.TensorT) -> None:
    """Leaves one zero point where TFLM expands it to what the file has."""
    values = zero_points(tensor)
    # As many as scales, or else TFLM takes the first for all of them.
    if len(values) != len(scales(tensor)) or (values == values[0]).all():
        tensor.quantization.zeroPoint = values[:1]


def _shorten_scales(model: schema.ModelT, graph: schema.SubGraphT) -> None:
    """Leaves one scale where all channels have the same.

    TFLM, CMSIS-NN and LiteRT take one for all channels of a convolution, and
    compute with it what they would with as many equal ones.
    """
    for index in convolution_filters(model, graph):
        tensor = graph.tensors[index]
        values = scales(tensor)
        if (
            len(values) > 1
            and len(values) == num_channels(tensor)
            and len(zero_points(tensor)) == 1
            and (values == values[0]).all()
        ):
            tensor.quantization.scale = values[:1]


def slim_operators(model: schema.ModelT, *, desktop: bool) -> None:
    """Drops reshapes that undo each other, and tensors that nothing uses."""
    if can_renumber(model):
        remove_idle_reshapes(model, desktop=desktop)
        tensors = model.subgraphs[0].tensors
        remove_unused_tensors(model, range(len(tensors)))
    prune_operator_codes(model)
    _sort_operator_codes(model)


def _sort_operator_codes(model: schema.ModelT) -> None:
    """Gives number 0, which takes no bytes, to the most frequent code."""
    operators = [op for graph in model.subgraphs for op in graph.operators]
    uses = collections.Counter(op.opcodeIndex for op in operators)
    indices = range(len(model.operatorCodes))
    order = sorted(indices, key=lambda index: (-uses[index], index))
    model.operatorCodes = [model.operatorCodes[index] for index in order]
    for operator in operators:
        operator.opcodeIndex = order.index(operator.opcodeIndex)


def slim_buffers(model: schema.ModelT) -> None:
    """Merges equal buffers, and drops what nothing refers to."""
    firsts: dict[bytes, int] = {}
    same = [0] * len(model.buffers)
    for index, buffer in enumerate(model.buffers):
        buffer.offset = buffer.size = 0  # Of data behind the flatbuffer.
        data = b"" if buffer.data is None else np.asarray(buffer.data).tobytes()
        same[index] = firsts.setdefault(data, index)
    tensors = [t for graph in model.subgraphs for t in graph.tensors]
    for holder in [*tensors, *(model.metadata or [])]:
        holder.buffer = same[holder.buffer]
    prune_buffers(model)
