"""What `read_model` guarantees: lists instead of None, and valid indices."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError

OPTIONAL_TENSOR = -1
NO_BUFFER = 0  # Empty, says the schema.


def damaged(expected: str, received: object) -> ConversionError:
    """Returns the error for a file that cannot be right."""
    return ConversionError(
        f"Expected a `.tflite` file with {expected}. Received: {received}. "
        "The file is damaged, or newer than this package: copy it again, or "
        "convert the model again."
    )


def normalize(model: schema.ModelT) -> None:
    """Makes lists of what every model has, so that no caller meets None."""
    for name in ("operatorCodes", "subgraphs", "buffers"):
        setattr(model, name, getattr(model, name) or [])
    for subgraph in model.subgraphs:
        subgraph.tensors = subgraph.tensors or []
        subgraph.operators = subgraph.operators or []
        subgraph.inputs = _integers(subgraph.inputs)
        subgraph.outputs = _integers(subgraph.outputs)
        for operator in subgraph.operators:
            operator.inputs = _integers(operator.inputs)
            operator.outputs = _integers(operator.outputs)
            if operator.intermediates is not None:
                operator.intermediates = _integers(operator.intermediates)
        for tensor in subgraph.tensors:
            if tensor.shape is not None:
                tensor.shape = _integers(tensor.shape)


def _integers(values: np.ndarray | list[int] | None) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def check_indices(model: schema.ModelT) -> None:
    """Checks every index of a normalized model, so that no caller has to.

    Raises:
        ConversionError: If one leads nowhere.
    """
    if not model.subgraphs or not model.buffers:
        raise damaged(
            "at least one subgraph and one buffer",
            f"{len(model.subgraphs)} and {len(model.buffers)}",
        )
    first = model.buffers[NO_BUFFER].data
    if first is not None and len(first):
        raise damaged("an empty buffer 0", f"{len(first)} bytes in it")
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise ConversionError(
            "Expected every buffer inside the flatbuffer. Received: a model "
            "of more than 2 GB, which keeps them behind it. No "
            "microcontroller holds it; pass a smaller model."
        )
    buffers = len(model.buffers)
    for entry in model.metadata or []:
        _check_index("Metadata.buffer", entry.buffer, buffers)
    for subgraph in model.subgraphs:
        tensors = len(subgraph.tensors)
        for tensor in subgraph.tensors:
            _check_index("Tensor.buffer", tensor.buffer, buffers)
            data = model.buffers[tensor.buffer].data
            if tensor.isVariable and data is not None and len(data):
                # Interpreters set variables to zero.
                raise damaged("variables without data", f"{len(data)} bytes")
        for index in subgraph.inputs + subgraph.outputs:
            _check_index("SubGraph.inputs", index, tensors)
        for operator in subgraph.operators:
            _check_operator(model, operator, tensors)
    for signature in model.signatureDefs or []:
        where = signature.subgraphIndex
        _check_index("SignatureDef.subgraph", where, len(model.subgraphs))
        tensors = len(model.subgraphs[where].tensors)
        for item in (signature.inputs or []) + (signature.outputs or []):
            _check_index("TensorMap.tensor", item.tensorIndex, tensors)


def _check_operator(
    model: schema.ModelT, operator: schema.OperatorT, tensors: int
) -> None:
    codes = len(model.operatorCodes)
    _check_index("Operator.opcode_index", operator.opcodeIndex, codes)
    intermediates = operator.intermediates or []
    for index in operator.inputs + operator.outputs + intermediates:
        if index != OPTIONAL_TENSOR:
            _check_index("Operator.inputs", index, tensors)
    for kind, options in (
        (operator.builtinOptionsType, operator.builtinOptions),
        (operator.builtinOptions2Type, operator.builtinOptions2),
    ):
        if kind and options is None:
            # Writing would silently lose them.
            raise damaged("operator options of a known type", f"type {kind}")


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise damaged(f"`{what}` below {count}", index)
