"""TFLM's own compression: kernels as indices into a table per channel.

The format is TFLM's `COMPRESSION_METADATA`; its interpreter expands a kernel
into scratch memory at every inference, where it was built for that (x86 and
Xtensa in 2026, not CMSIS-NN). `lut_code.py` measured the code that does so.
"""

from __future__ import annotations

import functools
import json
import pathlib

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.compact_writer import write_compact
from keras_hypertinypw.flatbuffer import (
    COMPRESSION,
    add_buffer,
    is_constant,
    operator_name,
    read_model,
    tensor_data,
    tensor_shape,
)
from keras_hypertinypw.slim_comparison import draw, run_tflm

# Written by `python benchmarks/lut_code.py --write`.
CODE_RECORD = pathlib.Path(__file__).parent / "results" / "lut_code.json"
_NUM_INPUTS = 50
_SCHEMA_VERSION = 1


@functools.cache
def code_bytes() -> int:
    """Returns the bytes of TFLM's decompression on a Cortex-M4, with -Os."""
    return json.loads(CODE_RECORD.read_text())["decompression"]


def compress(content: bytes, index_bits: int) -> bytes:
    """Compresses the pointwise kernels of a slimmed file; nothing is lost.

    Args:
        content: Bytes of a `.tflite` whose pointwise kernels have at most
            `2**index_bits` values in a channel.
        index_bits: Of an index, 1 to 4.

    Raises:
        RuntimeError: If there are no such kernels, one has more values, or
            TFLM computes something else than before.
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    kernels = sorted(_pointwise_kernels(model))
    if not kernels:
        raise RuntimeError("Expected int8 pointwise kernels. Received: none.")
    entries = [
        (index, _compress_kernel(model, index, index_bits), index_bits)
        for index in kernels
    ]
    metadata = schema.MetadataT()
    metadata.name = COMPRESSION.decode()
    metadata.buffer = add_buffer(model, _metadata(entries))
    model.metadata = [*(model.metadata or []), metadata]
    compressed = write_compact(model)
    inputs = draw(graph, _NUM_INPUTS)
    if run_tflm(compressed, graph, inputs) != run_tflm(content, graph, inputs):
        raise RuntimeError("Expected TFLM's outputs to stay. Received: others.")
    return compressed


def _pointwise_kernels(model: schema.ModelT) -> set[int]:
    """Returns the indices of stored int8 ones."""
    tensors = model.subgraphs[0].tensors
    kernels = {
        operator.inputs[1]
        for operator in model.subgraphs[0].operators
        if operator_name(model, operator) == "CONV_2D"
    }
    return {
        index
        for index in kernels
        if tensor_shape(tensors[index])[1:3] == (1, 1)
        and tensors[index].type == schema.TensorType.INT8
        and is_constant(model, tensors[index])
    }


def _compress_kernel(model: schema.ModelT, index: int, index_bits: int) -> int:
    """Puts indices in the kernel's place; returns the buffer of its values."""
    tensor = model.subgraphs[0].tensors[index]
    rows = tensor_data(model, tensor)
    rows = rows.reshape(tensor_shape(tensor)[0], -1)
    tables = np.zeros((len(rows), 1 << index_bits), np.int8)
    indices = np.empty(rows.shape, np.uint8)
    for channel, row in enumerate(rows):
        values, indices[channel] = np.unique(row, return_inverse=True)
        if len(values) > tables.shape[1]:
            raise RuntimeError(
                f"Expected at most {tables.shape[1]} values in a channel. "
                f"Received: {len(values)}."
            )
        tables[channel, : len(values)] = values
    # Most significant bits first.
    bits = (indices.reshape(-1, 1) >> np.arange(index_bits)[::-1]) & 1
    # In its place: no buffer may get another number from here on.
    model.buffers[tensor.buffer].data = np.packbits(bits)
    return add_buffer(model, tables.tobytes())


def _metadata(entries: list[tuple[int, int, int]]) -> bytes:
    """Returns the flatbuffer that says which tensors are compressed, how."""
    builder = flatbuffers.Builder()
    tensors = []
    for tensor, value_buffer, index_bits in entries:
        builder.StartObject(3)
        builder.PrependInt32Slot(0, tensor, 0)
        builder.PrependUint32Slot(1, value_buffer, 0)
        builder.PrependUint8Slot(2, index_bits, 0)
        tensors.append(builder.EndObject())
    subgraph = _table_of(builder, 0, tensors)
    subgraphs = _offsets(builder, [subgraph])
    builder.StartObject(2)
    builder.PrependUint32Slot(0, _SCHEMA_VERSION, 0)
    builder.PrependUOffsetTRelativeSlot(1, subgraphs, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _table_of(
    builder: flatbuffers.Builder, slot: int, members: list[int]
) -> int:
    vector = _offsets(builder, members)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(slot, vector, 0)
    return builder.EndObject()


def _offsets(builder: flatbuffers.Builder, members: list[int]) -> int:
    builder.StartVector(4, len(members), 4)
    for member in reversed(members):
        builder.PrependUOffsetTRelative(member)
    return builder.EndVector()
