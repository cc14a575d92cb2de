"""Removes from a model what nothing reads, and merges what is equal."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import builtin_code, scales, zero_points
from keras_hypertinypw.pruning import (
    prune_buffers,
    prune_operator_codes,
    remove_unused_tensors,
)
from keras_hypertinypw.unread_parts import (
    COMPRESSION,
    OFFLINE_PLAN,
    is_quantized,
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
    if any(_name(entry) == COMPRESSION for entry in entries):
        raise ConversionError(
            "Expected a model whose tensors are not compressed. Received: one "
            f"with the metadata '{COMPRESSION.decode()}', which numbers "
            "tensors and buffers. Slim the model first, then compress it."
        )
    if not keep_metadata:
        model.description = None
        entries = [e for e in entries if _name(e) == OFFLINE_PLAN]
        for graph in model.subgraphs:
            graph.debugMetadataIndex = _NO_DEBUG_METADATA
            for operator in graph.operators:
                operator.debugMetadataIndex = _NO_DEBUG_METADATA
    model.metadata = entries or None
    model.metadataBuffer = None  # Deprecated.
    if not keep_signatures:
        model.signatureDefs = None


def _name(entry: schema.MetadataT) -> bytes:
    name = entry.name or b""
    return name if isinstance(name, bytes) else name.encode()


def has_offline_plan(model: schema.ModelT) -> bool:
    """Tells whether metadata has an entry for each of the tensors."""
    return any(_name(entry) == OFFLINE_PLAN for entry in model.metadata or [])


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
    """Drops quantization that nothing reads; see `unread_parts.py`."""
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


def _shorten_zero_points(tensor: schema.TensorT) -> None:
    """Leaves one zero point where TFLM expands it to what the file has."""
    values = zero_points(tensor)
    # As many as scales, or else TFLM takes the first for all of them.
    if len(values) != len(scales(tensor)) or (values == values[0]).all():
        tensor.quantization.zeroPoint = values[:1]


def slim_buffers(model: schema.ModelT) -> None:
    """Merges equal buffers, and drops what nothing refers to."""
    if len(model.subgraphs) == 1 and not has_offline_plan(model):
        tensors = model.subgraphs[0].tensors
        remove_unused_tensors(model, range(len(tensors)))
    prune_operator_codes(model)
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
