"""Reads specs back from their bytes; checks all that the format says."""

from __future__ import annotations

import math

import numpy as np

from keras_hypertinypw import spec
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.spec import require


def resolve_reference(blob: bytes, shared: bytes | None) -> bytes:
    """Returns the shared blob in the place of a reference to it.

    Args:
        blob: Content of a generator tensor. What is no reference comes back
            as it is.
        shared: The shared blob, or None.

    Raises:
        ConversionError: If the reference is of another version, or the blob
            is missing, damaged or another one.
    """
    if len(blob) != spec.REFERENCE_SIZE or blob[1] != spec.KIND_REFERENCE:
        return blob
    version, _, reserved, crc = spec.REFERENCE.unpack(blob)
    if version != spec.FORMAT_VERSION or reserved:
        raise ConversionError(
            "Expected a reference to a shared generator, of version "
            f"{spec.FORMAT_VERSION} and with reserved bytes 0. Received: "
            f"{blob.hex()}. Share the model again."
        )
    if shared is None:
        received = "none"
    elif len(shared) < spec.HEADER_SIZE:
        received = f"one of {len(shared)} bytes"
    elif (other := spec.HEADER.unpack_from(shared)[-1]) != crc:
        received = f"one of {other:#010x}"
    elif crc != spec.blob_crc(
        shared[: spec.CRC_OFFSET], shared[spec.HEADER_SIZE :]
    ):
        received = "that one, damaged"
    else:
        return shared
    raise ConversionError(
        f"Expected the shared generator of CRC-32 {crc:#010x}, which the model "
        f"refers to. Received: {received}. Pass the `generator.bin` that was "
        "written with the model as `generator` (`--generator`), or put it back "
        "with `embed_generator`."
    )


def read_generator(blob: bytes) -> spec.GeneratorSpec:
    """Reads a generator blob; the inverse of `GeneratorSpec.to_bytes`.

    Raises:
        ValueError: If the blob is damaged, of another version, or says
            something the format does not allow.
    """
    size = f"{len(blob)} bytes"
    at_least = f"of at least {spec.HEADER_SIZE} bytes"
    require(len(blob) >= spec.HEADER_SIZE, "a generator blob", at_least, size)
    header = spec.HEADER.unpack_from(blob)
    version, kind, num_layers, code_dim, block_size = header[:5]
    flags, skip_shift, num_bytes, crc = header[5:]
    known = version == spec.FORMAT_VERSION
    require(known, "blob format version", spec.FORMAT_VERSION, version)
    require(kind == spec.KIND_MLP, "generator kind", spec.KIND_MLP, kind)
    promised = f"of {num_bytes} bytes, as its header says"
    require(num_bytes == len(blob), "a generator blob", promised, size)
    actual = spec.blob_crc(blob[: spec.CRC_OFFSET], blob[spec.HEADER_SIZE :])
    require(
        actual == crc, "generator CRC-32", f"{crc:#010x}", f"{actual:#010x}"
    )
    spec.require_range("num_layers", num_layers, 1, spec.MAX_LAYERS)
    require(flags in (0, spec.FLAG_SKIP), "generator flags", "0 or 1", flags)
    reader = _Reader(blob, spec.HEADER_SIZE)
    descriptors = [
        spec.DESCRIPTOR.unpack(reader.take(spec.DESCRIPTOR_SIZE))
        for _ in range(num_layers)
    ]
    last_out = descriptors[-1][0]
    require(block_size == last_out, "`block_size`", last_out, block_size)
    layers = []
    num_in = code_dim
    for num_out, shift, bias_shift in descriptors:
        bias = reader.take_rows(1, num_out)[0]
        weights = reader.take_rows(num_out, num_in)
        layers.append(spec.DenseSpec(weights, bias, bias_shift, shift))
        num_in = num_out
    skip = reader.take_rows(block_size, code_dim) if flags else None
    reader.require_end()
    return spec.GeneratorSpec(tuple(layers), skip, skip_shift)


def read_pointwise(
    layer_name: str,
    generator: spec.GeneratorSpec,
    codes: bytes,
    options: bytes,
    kernel_shape: tuple[int, ...],
) -> spec.PointwiseSpec:
    """Reads one op back from its tensors and its custom options.

    Raises:
        ValueError: If the bytes say what the format does not allow.
    """
    expected = f"of {spec.OPTIONS_SIZE} bytes"
    ok = len(options) == spec.OPTIONS_SIZE
    require(ok, "custom options", expected, f"{len(options)} bytes")
    version, code_bits, residency, synthesis, flags = options[:5]
    known = version == spec.FORMAT_VERSION
    require(known, "op format version", spec.FORMAT_VERSION, version)
    ok = code_bits in spec.CODE_BITS
    require(ok, "`code_bits`", f"one of {spec.CODE_BITS}", code_bits)
    ok = max(residency, synthesis) < 2
    require(ok, "residency, synthesis", "0 or 1", (residency, synthesis))
    ok = flags in (0, spec.FLAG_ROW_SIGNS) and not any(options[5:])
    require(ok, "flags", "0 or 1 and reserved bytes 0", options[4:].hex())
    spec.require_kernel_shape(kernel_shape)
    rows, num_weights = kernel_shape[0], math.prod(kernel_shape)
    count = -(-num_weights // generator.block_size) * generator.code_dim
    split = -(-count * code_bits // 8)
    size = split + (-(-rows // 8) if flags else 0)
    ok = len(codes) == size
    require(ok, "a codes tensor", f"of {size} bytes", f"{len(codes)} bytes")
    fields = unpack_fields(codes[:split], count, code_bits)
    signs = np.zeros(rows, bool)
    if flags:
        signs = unpack_fields(codes[split:], rows, 1).astype(bool)
    return spec.PointwiseSpec(
        layer_name,
        generator,
        spec.decode_levels(fields, code_bits).reshape(-1, generator.code_dim),
        code_bits,
        kernel_shape,
        signs,
        spec.RESIDENCIES[residency],
        spec.SYNTHESES[synthesis],
    )


def unpack_fields(data: bytes, count: int, num_bits: int) -> np.ndarray:
    """Unpacks `count` unsigned fields; the inverse of `spec.pack_fields`."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    rows = bits[: count * num_bits].reshape(count, num_bits).astype(np.int32)
    return (rows << np.arange(num_bits)).sum(axis=1)


class _Reader:
    """Takes bytes from a blob, never beyond its end."""

    def __init__(self, blob: bytes, offset: int) -> None:
        self._blob = blob
        self._offset = offset

    def take(self, size: int) -> bytes:
        end = self._offset + size
        ok = end <= len(self._blob)
        received = f"{len(self._blob)} bytes"
        require(ok, "a generator blob", f"of at least {end} bytes", received)
        data = self._blob[self._offset : end]
        self._offset = end
        return data

    def take_rows(self, num_rows: int, num_columns: int) -> np.ndarray:
        stride = spec.padded(num_columns)
        rows = np.frombuffer(self.take(num_rows * stride), np.int8)
        return rows.reshape(num_rows, stride)[:, :num_columns].copy()

    def require_end(self) -> None:
        ok = self._offset == len(self._blob)
        received = f"{len(self._blob)} bytes"
        require(ok, "a generator blob", f"of {self._offset} bytes", received)
