"""Reads and writes `.tflite` bytes, and finds things in a model by name.

A model is the schema's own `ModelT`: plain objects with lists, changed in
place between `read_model` and `write_model`.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.byte_ranges import FILE_IDENTIFIER, walk_vectors
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.int4_values import unpack_nibbles
from keras_hypertinypw.model_checks import check_indices, damaged, normalize

# Kernels load constants with aligned SIMD instructions.
BUFFER_ALIGNMENT = 16
OFFSET_SIZE = 4
# Metadata of TFLM's own compression: numbers of tensors and buffers, in a
# format of its own.
COMPRESSION = b"COMPRESSION_METADATA"

_CODES = schema.BuiltinOperator
_OPERATOR_NAMES = {
    code: name for name, code in vars(_CODES).items() if name.isupper()
}
DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.UINT8: np.uint8,
    schema.TensorType.INT64: np.int64,
    schema.TensorType.BOOL: np.bool_,
    schema.TensorType.INT16: np.int16,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.FLOAT64: np.float64,
    schema.TensorType.UINT64: np.uint64,
    schema.TensorType.UINT32: np.uint32,
    schema.TensorType.UINT16: np.uint16,
}


def read_model(model_content: bytes) -> schema.ModelT:
    """Reads `.tflite` bytes into a mutable model.

    Args:
        model_content: Bytes of a `.tflite` file.

    Returns:
        A `ModelT` whose lists are never None and whose indices are valid.

    Raises:
        ConversionError: If the bytes are no `.tflite` file, or a damaged
            one, or one that keeps data outside of the flatbuffer.
    """
    if not isinstance(model_content, (bytes, bytearray, memoryview)):
        raise ConversionError(
            "Expected `model_content` as bytes of a `.tflite` file. Received: "
            f"{type(model_content).__name__}. Read the file first: "
            "`pathlib.Path(path).read_bytes()`."
        )
    content = bytes(model_content)
    for _ in walk_vectors(content):
        pass  # The walk itself is the check.
    try:
        model = schema.ModelT.InitFromPackedBuf(content)
    except (
        struct.error,
        IndexError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise damaged("readable tables", error) from error
    normalize(model)
    check_indices(model)
    return model


class _Builder(flatbuffers.Builder):
    """Aligns the data of buffers, and wastes no byte on anything else.

    The schema's `Pack` adds a table's fields in the schema's order, with
    padding between small and large ones. As the C++ converter does, this
    builder writes the large ones first.
    """

    def __init__(self, buffer_data: list[np.ndarray]) -> None:
        super().__init__()
        self._aligned = {id(data) for data in buffer_data}
        self._fields: list[tuple[int, Callable[[], None]]] = []

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        if id(x) in self._aligned:
            self.Prep(BUFFER_ALIGNMENT, x.size)
        return super().CreateNumpyVector(x)

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        write = functools.partial(super().PrependSlot, flags, o, x, d)
        self._fields.append((flags.bytewidth, write))

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:
        write = functools.partial(super().PrependUOffsetTRelativeSlot, o, x, d)
        self._fields.append((OFFSET_SIZE, write))

    def EndObject(self) -> int:
        for _, write in sorted(self._fields, key=lambda field: -field[0]):
            write()
        self._fields.clear()
        return super().EndObject()


def write_model(model: schema.ModelT) -> bytes:
    """Writes a model; every buffer's data starts at a multiple of 16 bytes.

    Equal models give equal bytes. Empty buffers have no data vector.
    """
    for buffer in model.buffers:
        if buffer.data is None or len(buffer.data) == 0:
            buffer.data = None
        else:
            buffer.data = np.asarray(buffer.data, np.uint8)
    data = [b.data for b in model.buffers if b.data is not None]
    builder = _Builder(data)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def add_buffer(model: schema.ModelT, data: bytes) -> int:
    """Appends a buffer and returns its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def builtin_code(code: schema.OperatorCodeT) -> int:
    """Returns the builtin operator, wherever the file's version keeps it."""
    return max(code.deprecatedBuiltinCode, code.builtinCode)


def operator_name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """Returns `CONV_2D` and the like; `CUSTOM` for every custom op."""
    code = builtin_code(model.operatorCodes[operator.opcodeIndex])
    return _OPERATOR_NAMES.get(code, f"BUILTIN_{code}")


def custom_name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """Returns the name of a custom op, an empty string for a builtin one."""
    code = model.operatorCodes[operator.opcodeIndex]
    if builtin_code(code) != _CODES.CUSTOM:
        return ""
    return _text(code.customCode)


def _text(name: bytes | str | None) -> str:
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    return name or ""


def tensor_name(tensor: schema.TensorT) -> str:
    """Returns a tensor's name, an empty string if it has none."""
    return _text(tensor.name)


def tensor_shape(tensor: schema.TensorT) -> tuple[int, ...]:
    """Returns a tensor's shape; a scalar's is empty."""
    return tuple(tensor.shape or ())


def find_tensor(subgraph: schema.SubGraphT, name: str) -> schema.TensorT:
    """Returns the tensor of that name.

    Raises:
        ConversionError: If there is none, or more than one.
    """
    found = [t for t in subgraph.tensors if tensor_name(t) == name]
    if len(found) != 1:
        names = sorted(tensor_name(t) for t in subgraph.tensors)
        raise ConversionError(
            f"Expected one tensor named '{name}'. Received: {len(found)}. "
            f"Choose one of {names}."
        )
    return found[0]


def is_constant(model: schema.ModelT, tensor: schema.TensorT) -> bool:
    """Tells whether the file holds data for a tensor."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def tensor_data(model: schema.ModelT, tensor: schema.TensorT) -> np.ndarray:
    """Returns a constant tensor as a read-only array of its shape.

    INT4 comes unpacked, as int8.

    Raises:
        ConversionError: If the tensor has no data, a type without a numpy
            counterpart, or data that does not fill its shape.
    """
    shape, name = tensor_shape(tensor), tensor_name(tensor)
    is_packed = tensor.type == schema.TensorType.INT4
    dtype = np.int8 if is_packed else DTYPES.get(tensor.type)
    if dtype is None or not is_constant(model, tensor):
        raise ConversionError(
            f"Tensor '{name}': expected a constant of a numpy type. Received: "
            f"type {tensor.type}, constant={is_constant(model, tensor)}."
        )
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    count = math.prod(shape)
    size = (count + 1) // 2 if is_packed else count * np.dtype(dtype).itemsize
    if min(shape, default=0) < 0 or len(data) != size:
        raise damaged(
            f"data that fills tensor '{name}' of shape {shape}",
            f"{len(data)} bytes",
        )
    if is_packed:
        values = unpack_nibbles(np.frombuffer(data, np.uint8), count)
        values.flags.writeable = False
        return values.reshape(shape)
    return np.frombuffer(data, dtype).reshape(shape)


def metadata_name(entry: schema.MetadataT) -> bytes:
    """Returns the name of an entry of a model's metadata."""
    name = entry.name or b""
    return name if isinstance(name, bytes) else name.encode()


def is_compressed(model: schema.ModelT) -> bool:
    """Tells whether TFLM's compression holds constants in another form."""
    return any(metadata_name(e) == COMPRESSION for e in model.metadata or [])


def check_constants(model: schema.ModelT) -> None:
    """Checks that constants fill their shapes: TFLM reads on regardless.

    Those of a compressed model do not, and are not checked.

    Raises:
        ConversionError: If one does not.
    """
    if is_compressed(model):
        return
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            # A sparse tensor's shape is that of what it stands for.
            is_known = tensor.type in (*DTYPES, schema.TensorType.INT4)
            is_dense = is_known and tensor.sparsity is None
            if is_dense and is_constant(model, tensor):
                tensor_data(model, tensor)


def scales(tensor: schema.TensorT) -> np.ndarray:
    """Returns float32 scales of shape `(num_scales,)`, empty without any."""
    params = tensor.quantization
    scale = None if params is None else params.scale
    return np.asarray([] if scale is None else scale, np.float32)


def zero_points(tensor: schema.TensorT) -> np.ndarray:
    """Returns int64 zero points like `scales`."""
    params = tensor.quantization
    values = None if params is None else params.zeroPoint
    return np.asarray([] if values is None else values, np.int64)


def consumers(
    subgraph: schema.SubGraphT, tensor_index: int
) -> Iterator[tuple[int, int]]:
    """Yields `(operator index, input position)` of every use of a tensor."""
    for index, operator in enumerate(subgraph.operators):
        for position, used in enumerate(operator.inputs):
            if used == tensor_index:
                yield index, position
