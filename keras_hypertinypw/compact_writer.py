"""Writes a model in as few bytes as the flatbuffer format allows.

The schema's own `Pack` says what to write; a builder that only takes notes
makes one node of all that is equal, however many tables point to it. The
nodes are then laid out so that little padding is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.byte_ranges import FILE_IDENTIFIER, ROOT_SIZE
from keras_hypertinypw.compact_layout import WORD, Extent, lay_out
from keras_hypertinypw.flatbuffer import (
    BUFFER_ALIGNMENT,
    read_model,
    write_model,
)


class _Vector(NamedTuple):
    """A vector of scalars or a string: its length field, then its bytes."""

    length: int
    data: bytes
    alignment: int


class _Offsets(NamedTuple):
    """A vector of offsets to nodes."""

    targets: tuple[int, ...]


class _Table(NamedTuple):
    """A table: `(slot, size, value)` by size, largest first, then by slot.

    A value is the scalar's bytes, or the number of a node.
    """

    fields: tuple[tuple[int, int, bytes | int], ...]


_Node = _Vector | _Offsets | _Table


class _Recorder(flatbuffers.Builder):
    """Takes notes of what `Pack` writes; equal nodes get one number.

    Args:
        aligned: `id` of every array whose data the kernels load aligned.
    """

    def __init__(self, aligned: set[int]) -> None:
        super().__init__(0)
        self._aligned = aligned
        self._numbers: dict[_Node, int] = {}
        self._fields: list[tuple[int, int, bytes | int]] = []
        self._elements: list[bytes | int] = []
        self._alignment = 1

    @property
    def nodes(self) -> list[_Node]:
        """All nodes, children first; a node's number is its index + 1."""
        return list(self._numbers)

    def _number(self, node: _Node) -> int:
        # From 1 on: `Pack` omits a field that equals 0.
        return self._numbers.setdefault(node, len(self._numbers) + 1)

    def StartObject(self, numfields: int) -> None:
        self._fields = []

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        if x != d:
            value = _scalar(flags, x)
            self._fields.append((o, flags.bytewidth, value))

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:
        self._fields.append((o, WORD, x))

    def EndObject(self) -> int:
        fields = sorted(self._fields, key=lambda field: (-field[1], field[0]))
        return self._number(_Table(tuple(fields)))

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        self._elements, self._alignment = [], alignment
        return 0

    def Prepend(self, flags: Any, off: Any) -> None:
        self._elements.append(_scalar(flags, off))

    def PrependUOffsetTRelative(self, off: int) -> None:
        self._elements.append(off)

    def EndVector(self, numElems: int | None = None) -> int:
        elements = self._elements[::-1]
        offsets = tuple(e for e in elements if isinstance(e, int))
        if offsets:
            return self._number(_Offsets(offsets))
        data = b"".join(e for e in elements if isinstance(e, bytes))
        return self._number(_Vector(len(elements), data, self._alignment))

    def CreateString(self, s: Any, encoding="utf-8", errors="strict") -> int:
        text = s if isinstance(s, bytes) else s.encode(encoding, errors)
        return self._number(_Vector(len(text), text + b"\0", 1))

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        alignment = x.dtype.itemsize
        if id(x) in self._aligned:
            alignment = BUFFER_ALIGNMENT
        return self._number(_Vector(x.size, x.tobytes(), alignment))


def _scalar(flags: Any, value: Any) -> bytes:
    return struct.pack(flags.packer_type.format, value)


def write_compact(model: schema.ModelT) -> bytes:
    """Writes a model like `write_model`, in fewer bytes.

    Whatever is equal is written once and shared by offset: vectors, tables
    and the data of buffers, which starts at a multiple of 16 bytes. Equal
    models give equal bytes.
    """
    for buffer in model.buffers:
        if buffer.data is None or len(buffer.data) == 0:
            buffer.data = None
        else:
            buffer.data = np.asarray(buffer.data, np.uint8)
    aligned = {id(b.data) for b in model.buffers if b.data is not None}
    recorder = _Recorder(aligned)
    root = model.Pack(recorder)
    return _Image(recorder.nodes).to_bytes(root)


def writer_of(model_content: bytes) -> Callable[[schema.ModelT], bytes]:
    """Returns what wrote a file, so that a slimmed one stays slimmed.

    Args:
        model_content: Bytes of a `.tflite`.

    Returns:
        `write_compact` if that gives the same bytes, else `write_model`.
    """
    is_compact = write_compact(read_model(model_content)) == model_content
    return write_compact if is_compact else write_model


class _Image:
    """The nodes of a file, and where each of them goes."""

    def __init__(self, nodes: list[_Node]) -> None:
        self._nodes = nodes
        self._vtables: dict[bytes, int] = {}
        position = ROOT_SIZE
        for node in nodes:
            if isinstance(node, _Table):
                vtable = _vtable(node)
                if vtable not in self._vtables:
                    self._vtables[vtable] = position
                    position += len(vtable)
        # Offsets lead forwards, so that parents come before children.
        order = range(len(nodes) - 1, -1, -1)
        inner = [i for i in order if not isinstance(nodes[i], _Vector)]
        outer = [i for i in order if isinstance(nodes[i], _Vector)]
        start = -(-position // WORD) * WORD
        extents = [_extent(node) for node in nodes]
        self._places, self._size = lay_out(extents, inner, outer, start)

    def to_bytes(self, root: int) -> bytes:
        """Returns the file whose root table has that number."""
        content = bytearray(self._size)
        _UINT32.pack_into(content, 0, self._places[root - 1])
        content[WORD:ROOT_SIZE] = FILE_IDENTIFIER
        for vtable, place in self._vtables.items():
            content[place : place + len(vtable)] = vtable
        for node, place in zip(self._nodes, self._places, strict=True):
            for offset, part in self._parts(node, place):
                content[offset : offset + len(part)] = part
        return bytes(content)

    def _parts(self, node: _Node, place: int) -> Iterator[tuple[int, bytes]]:
        """Yields where in the file which bytes of a node go."""
        if isinstance(node, _Vector):
            yield place, _UINT32.pack(node.length)
            yield place + WORD, node.data
        elif isinstance(node, _Offsets):
            yield place, _UINT32.pack(len(node.targets))
            for index, target in enumerate(node.targets, 1):
                yield self._offset(place + WORD * index, target)
        else:
            yield place, _INT32.pack(place - self._vtables[_vtable(node)])
            offset = place + WORD
            for _, size, value in node.fields:
                if isinstance(value, int):
                    yield self._offset(offset, value)
                else:
                    yield offset, value
                offset += size

    def _offset(self, place: int, target: int) -> tuple[int, bytes]:
        return place, _UINT32.pack(self._places[target - 1] - place)


def _vtable(table: _Table) -> bytes:
    slots = max((slot for slot, _, _ in table.fields), default=-1) + 1
    offsets = [0] * slots
    size = WORD
    for slot, field_size, _ in table.fields:
        offsets[slot] = size
        size += field_size
    entries = (4 + 2 * slots, size, *offsets)
    return struct.pack(f"<{len(entries)}H", *entries)


def _extent(node: _Node) -> Extent:
    if isinstance(node, _Vector):
        return Extent(WORD + len(node.data), max(WORD, node.alignment))
    if isinstance(node, _Offsets):
        return Extent(WORD * (1 + len(node.targets)), WORD)
    sizes = [size for _, size, _ in node.fields]
    return Extent(WORD + sum(sizes), max(sizes, default=WORD))


_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
