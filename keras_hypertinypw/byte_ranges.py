"""Walks the bytes of a `.tflite` file, checking every offset on the way.

The object reader of the schema follows any offset and believes any length.
This walk comes first, costs time proportional to the file, and tells
`footprint.py` which byte belongs to what.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_hypertinypw.errors import ConversionError

FILE_IDENTIFIER = b"TFL3"
ROOT_SIZE = 8  # Offset of the root table, then the identifier.

# Fields in the order of the schema. `name:4` is a vector of 4-byte elements,
# `name:[Table]` a vector of tables, `name:Table` a table, `name:?` a union;
# a bare name is a scalar inside the table.
_SCHEMA = {
    "Model": "version operator_codes:[OperatorCode] subgraphs:[SubGraph] "
    "description:1 buffers:[Buffer] metadata_buffer:4 metadata:[Metadata] "
    "signature_defs:[SignatureDef] external_buffer_groups:[Named] "
    "external_buffers:[ExternalBuffer]",
    "OperatorCode": "deprecated_builtin_code custom_code:1 version",
    "SubGraph": "tensors:[Tensor] inputs:4 outputs:4 operators:[Operator] "
    "name:1",
    "Tensor": "shape:4 type buffer name:1 quantization:Quantization "
    "is_variable sparsity:Sparsity shape_signature:4 has_rank "
    "variant_tensors:[VariantSubType]",
    "Quantization": "min:4 max:4 scale:4 zero_point:8 details_type details:?",
    "Sparsity": "traversal_order:4 block_map:4 dim_metadata:[Dimension]",
    "Dimension": "format dense_size segments_type segments:? indices_type "
    "indices:?",
    "VariantSubType": "shape:4",
    "Operator": "opcode_index inputs:4 outputs:4 builtin_options_type "
    "builtin_options:? custom_options:1 custom_options_format "
    "mutating_variable_inputs:1 intermediates:4 large_offset large_size "
    "builtin_options_2_type builtin_options_2:?",
    "Buffer": "data:1 offset size",
    "Metadata": "name:1 buffer",
    "SignatureDef": "inputs:[Named] outputs:[Named] signature_key:1",
    "Named": "name:1",
    "ExternalBuffer": "id group offset length packing:1",
    "?": "",
}
_FIELDS = {
    table: [tuple(field.partition(":")[::2]) for field in fields.split()]
    for table, fields in _SCHEMA.items()
}


class Vector(NamedTuple):
    """The content of one vector of scalars, length field excluded.

    Attributes:
        path: Names and indices from the root, such as
            `("subgraphs", 0, "tensors", 3, "quantization", "scale")`.
        start: Offset in the file, in bytes.
        size: Size in bytes.
    """

    path: tuple[str | int, ...]
    start: int
    size: int


def walk_vectors(model_content: bytes) -> Iterator[Vector]:
    """Yields every vector of scalars of a `.tflite` file.

    Raises:
        ConversionError: If it is no `.tflite` file, or an offset or a length
            leads outside the file.
    """
    size = len(model_content)
    identifier = bytes(model_content[4:ROOT_SIZE])
    if size < ROOT_SIZE or identifier != FILE_IDENTIFIER:
        raise ConversionError(
            "Expected the content of a `.tflite` file, with the identifier "
            f"{FILE_IDENTIFIER!r} at byte 4. Received: {size} bytes with "
            f"{identifier!r} there. Pass the bytes that the TFLite converter "
            "returned."
        )
    walker = _Walker(model_content)
    yield from walker.table(walker.uint32(0, "root"), "Model", ())


def count_bytes(
    size: int, names: Sequence[str], claims: Iterable[tuple[int, Vector]]
) -> dict[str, int]:
    """Counts the bytes of every name.

    Args:
        size: Size of the file, in bytes.
        names: What bytes can belong to; the last one gets the unclaimed.
        claims: Pairs of an index into `names` and a range of bytes. A byte
            belongs to the first that claims it.
    """
    rest = len(names) - 1
    owners = np.full(size, rest, np.int32)
    for index, vector in claims:
        owned = owners[vector.start : vector.start + vector.size]
        owned[owned == rest] = index
    counts = np.bincount(owners, minlength=len(names))
    return {name: int(n) for name, n in zip(names, counts, strict=True)}


class _Walker:
    """Reads scalars and tables, never outside the file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        # An offset takes 4 bytes, and may lead to a tensor that shares all of
        # itself. Only a file that shares tables without end has more.
        self._tables_left = len(content) // 2

    def _require(self, ok: bool, what: str, received: int) -> None:
        if not ok:
            raise ConversionError(
                f"Expected a `.tflite` file whose `{what}` lies within its "
                f"{len(self._content)} bytes. Received: {received}. The file "
                "is truncated or damaged: copy it again, or convert the model "
                "again."
            )

    def _scalar(self, layout: struct.Struct, offset: int, what: str) -> int:
        inside = 0 <= offset <= len(self._content) - layout.size
        self._require(inside, what, offset)
        return int(layout.unpack_from(self._content, offset)[0])

    def uint32(self, offset: int, what: str) -> int:
        return self._scalar(_UINT32, offset, what)

    def table(self, at: int, kind: str, path: tuple) -> Iterator[Vector]:
        self._tables_left -= 1
        self._require(self._tables_left >= 0, "number of tables", at)
        vtable = at - self._scalar(_INT32, at, kind)
        vtable_size = self._scalar(_UINT16, vtable, kind)
        table_size = self._scalar(_UINT16, vtable + 2, kind)
        self._require(vtable + vtable_size <= len(self._content), kind, vtable)
        self._require(at + table_size <= len(self._content), kind, at)
        for slot, (name, form) in enumerate(_FIELDS[kind]):
            entry = 4 + 2 * slot
            if not form or entry + 2 > vtable_size:
                continue
            offset = self._scalar(_UINT16, vtable + entry, kind)
            if offset:
                field = at + offset
                target = field + self.uint32(field, f"{kind}.{name}")
                yield from self._field(target, kind, name, form, path)

    def _field(
        self, target: int, kind: str, name: str, form: str, path: tuple
    ) -> Iterator[Vector]:
        what = f"{kind}.{name}"
        path = (*path, name)
        if not form.isdigit() and form[0] != "[":
            yield from self.table(target, form, path)
            return
        count = self.uint32(target, what)
        start = target + 4
        size = count * (int(form) if form.isdigit() else 4)
        self._require(start + size <= len(self._content), what, start + size)
        if form.isdigit():
            yield Vector(path, start, size)
            return
        for index in range(count):
            entry = start + 4 * index
            child = entry + self.uint32(entry, what)
            yield from self.table(child, form[1:-1], (*path, index))


_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
