"""What crosses from training to bytes: integers that check themselves.

The byte format is the table in `tflm_ops/README.md`; its constants are here
and, for C++, in `tflm_ops/generate_pw_format.h`.
"""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib
from typing import Literal

import numpy as np

FORMAT_VERSION = 1
KIND_MLP = 0
OPTIONS_SIZE = 8
HEADER_SIZE = 16
DESCRIPTOR_SIZE = 4
CRC_OFFSET = 12
FLAG_ROW_SIGNS = 1
FLAG_SKIP = 1
MAX_LAYERS = 4
MAX_CODE_DIM = 128
MAX_HIDDEN_UNITS = 256
MAX_BLOCK_SIZE = 4096
MAX_SHIFT = 24
MAX_BIAS_SHIFT = 16
MAX_SKIP_SHIFT = 8
CODE_BITS = (1, 2, 4, 8)

# float32 counts integers exactly up to here; see `DenseSpec`.
ACCUMULATOR_LIMIT = 1 << 24

Residency = Literal["cached", "per_invoke"]
Synthesis = Literal["lazy", "boot"]
RESIDENCIES: tuple[Residency, ...] = ("cached", "per_invoke")
SYNTHESES: tuple[Synthesis, ...] = ("lazy", "boot")

_HEADER = struct.Struct("<BBBBHBBII")
_DESCRIPTOR = struct.Struct("<HBB")


def padded(size: int) -> int:
    """Rounds a size in bytes up to a multiple of 4."""
    return (size + 3) // 4 * 4


def _require(ok: bool, name: str, expected: str, received: object) -> None:
    if not ok:
        raise ValueError(f"Expected {name} {expected}. Received: {received}.")


def _require_int8(name: str, value: np.ndarray, shape: tuple) -> None:
    _require(
        value.dtype == np.int8 and value.shape == shape,
        name,
        f"as int8 array of shape {shape}",
        f"{value.dtype} of shape {value.shape}",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class DenseSpec:
    """One integer dense layer of the generator.

    Attributes:
        weights: int8 array of shape `(num_out, num_in)`.
        bias: int8 array of shape `(num_out,)`, in units of
            `2**bias_shift` accumulator steps.
        bias_shift: Left shift from `bias` to accumulator, in `[0, 16]`.
        shift: Right shift from accumulator to output, in `[1, 24]`.
    """

    weights: np.ndarray
    bias: np.ndarray
    bias_shift: int
    shift: int

    def __post_init__(self) -> None:
        _require(
            self.weights.ndim == 2, "`weights`", "of rank 2", self.weights.shape
        )
        _require_int8("`weights`", self.weights, self.weights.shape)
        _require_int8("`bias`", self.bias, (self.num_out,))
        _require(
            1 <= self.shift <= MAX_SHIFT,
            "`shift`",
            f"in [1, {MAX_SHIFT}]",
            self.shift,
        )
        _require(
            0 <= self.bias_shift <= MAX_BIAS_SHIFT,
            "`bias_shift`",
            f"in [0, {MAX_BIAS_SHIFT}]",
            self.bias_shift,
        )

    @property
    def num_out(self) -> int:
        return self.weights.shape[0]

    @property
    def num_in(self) -> int:
        return self.weights.shape[1]

    def accumulator_bound(self) -> np.ndarray:
        """Largest possible `|accumulator|` per output, before rounding."""
        # 128, not 127: an 8-bit code may be -128.
        magnitude = 128 * np.abs(self.weights.astype(np.int64)).sum(axis=1)
        bias = np.abs(self.bias.astype(np.int64)) << self.bias_shift
        return magnitude + bias

    def to_bytes(self) -> bytes:
        bias = self.bias.tobytes().ljust(padded(self.num_out), b"\0")
        return bias + _rows_to_bytes(self.weights)


def _rows_to_bytes(weights: np.ndarray) -> bytes:
    num_out, num_in = weights.shape
    rows = np.zeros((num_out, padded(num_in)), np.int8)
    rows[:, :num_in] = weights
    return rows.tobytes()


@dataclasses.dataclass(frozen=True, eq=False)
class GeneratorSpec:
    """The shared generator: dense layers with ReLU between, optional skip.

    Attributes:
        layers: 1 to 4 `DenseSpec`; the last one makes the block.
        skip_weights: None, or int8 array of shape `(block_size, code_dim)`.
        skip_shift: Left shift from the skip's sum to the last layer's
            accumulator, in `[0, 8]`.

    Raises:
        ValueError: If the layers do not fit together, or an accumulator
            could reach `2**24`, where float32 stops being exact.
    """

    layers: tuple[DenseSpec, ...]
    skip_weights: np.ndarray | None = None
    skip_shift: int = 0

    def __post_init__(self) -> None:
        layers = self.layers
        _require(
            1 <= len(layers) <= MAX_LAYERS,
            "`layers`",
            f"of length 1 to {MAX_LAYERS}",
            len(layers),
        )
        for first, second in zip(layers, layers[1:], strict=False):
            _require(
                1 <= first.num_out <= MAX_HIDDEN_UNITS,
                "`hidden_units`",
                f"in [1, {MAX_HIDDEN_UNITS}]",
                first.num_out,
            )
            _require(
                first.num_out == second.num_in,
                "`num_in`",
                f"equal to the previous {first.num_out}",
                second.num_in,
            )
        _require(
            1 <= self.code_dim <= MAX_CODE_DIM,
            "`code_dim`",
            f"in [1, {MAX_CODE_DIM}]",
            self.code_dim,
        )
        _require(
            1 <= self.block_size <= MAX_BLOCK_SIZE,
            "`block_size`",
            f"in [1, {MAX_BLOCK_SIZE}]",
            self.block_size,
        )
        _require(
            0 <= self.skip_shift <= MAX_SKIP_SHIFT,
            "`skip_shift`",
            f"in [0, {MAX_SKIP_SHIFT}]",
            self.skip_shift,
        )
        bounds = [layer.accumulator_bound() for layer in layers]
        if self.skip_weights is not None:
            _require_int8(
                "`skip_weights`",
                self.skip_weights,
                (self.block_size, self.code_dim),
            )
            skip = np.abs(self.skip_weights.astype(np.int64)).sum(axis=1)
            bounds[-1] = bounds[-1] + (128 * skip << self.skip_shift)
        else:
            _require(
                self.skip_shift == 0,
                "`skip_shift`",
                "0 without skip",
                self.skip_shift,
            )
        for index, (layer, bound) in enumerate(
            zip(layers, bounds, strict=True)
        ):
            reached = int(bound.max()) + (1 << (layer.shift - 1))
            if reached >= ACCUMULATOR_LIMIT:
                raise ValueError(
                    f"Generator layer {index}: expected accumulators below "
                    "2**24, so that float32 emulates them exactly. Received: "
                    f"a bound of {reached}. Use fewer `hidden_units`, or "
                    "regularize the generator's weights."
                )

    @property
    def code_dim(self) -> int:
        return self.layers[0].num_in

    @property
    def block_size(self) -> int:
        return self.layers[-1].num_out

    def to_bytes(self) -> bytes:
        """Returns the generator blob, CRC-32 included."""
        skip = self.skip_weights
        body = b"".join(
            _DESCRIPTOR.pack(layer.num_out, layer.shift, layer.bias_shift)
            for layer in self.layers
        )
        body += b"".join(layer.to_bytes() for layer in self.layers)
        body += b"" if skip is None else _rows_to_bytes(skip)
        fields = (
            FORMAT_VERSION,
            KIND_MLP,
            len(self.layers),
            self.code_dim,
            self.block_size,
            0 if skip is None else FLAG_SKIP,
            self.skip_shift,
            HEADER_SIZE + len(body),
        )
        start = _HEADER.pack(*fields, 0)[:CRC_OFFSET]
        crc = zlib.crc32(body, zlib.crc32(start))
        return _HEADER.pack(*fields, crc) + body

    @classmethod
    def from_bytes(cls, blob: bytes) -> GeneratorSpec:
        """Reads a blob; the inverse of `to_bytes`.

        Raises:
            ValueError: If the blob is damaged, of another version, or says
                something the format does not allow.
        """
        _require(
            len(blob) >= HEADER_SIZE,
            "a generator blob",
            f"of at least {HEADER_SIZE} bytes",
            f"{len(blob)} bytes",
        )
        (
            version,
            kind,
            num_layers,
            code_dim,
            block_size,
            flags,
            skip_shift,
            num_bytes,
            crc,
        ) = _HEADER.unpack_from(blob)
        _require(
            version == FORMAT_VERSION,
            "generator format version",
            f"{FORMAT_VERSION}",
            version,
        )
        _require(kind == KIND_MLP, "generator kind", f"{KIND_MLP}", kind)
        _require(
            num_bytes == len(blob),
            "a generator blob",
            f"of {num_bytes} bytes, as its header says",
            f"{len(blob)} bytes",
        )
        actual = zlib.crc32(blob[HEADER_SIZE:], zlib.crc32(blob[:CRC_OFFSET]))
        _require(
            actual == crc, "generator CRC-32", f"{crc:#010x}", f"{actual:#010x}"
        )
        _require(
            1 <= num_layers <= MAX_LAYERS,
            "`num_layers`",
            f"in [1, {MAX_LAYERS}]",
            num_layers,
        )
        _require(flags in (0, FLAG_SKIP), "generator flags", "0 or 1", flags)
        reader = _Reader(blob, HEADER_SIZE)
        descriptors = [
            _DESCRIPTOR.unpack(reader.take(DESCRIPTOR_SIZE))
            for _ in range(num_layers)
        ]
        _require(
            descriptors[-1][0] == block_size,
            "`block_size`",
            f"{descriptors[-1][0]}, as the last layer has",
            block_size,
        )
        layers = []
        num_in = code_dim
        for num_out, shift, bias_shift in descriptors:
            bias = reader.take_rows(1, num_out)[0]
            weights = reader.take_rows(num_out, num_in)
            layers.append(DenseSpec(weights, bias, bias_shift, shift))
            num_in = num_out
        skip = reader.take_rows(block_size, code_dim) if flags else None
        reader.require_end()
        return cls(tuple(layers), skip, skip_shift)


class _Reader:
    """Takes bytes from a blob, never beyond its end."""

    def __init__(self, blob: bytes, offset: int) -> None:
        self._blob = blob
        self._offset = offset

    def take(self, size: int) -> bytes:
        end = self._offset + size
        _require(
            end <= len(self._blob),
            "a generator blob",
            f"of at least {end} bytes",
            f"{len(self._blob)} bytes",
        )
        data = self._blob[self._offset : end]
        self._offset = end
        return data

    def take_rows(self, num_rows: int, num_columns: int) -> np.ndarray:
        stride = padded(num_columns)
        rows = np.frombuffer(self.take(num_rows * stride), np.int8)
        return rows.reshape(num_rows, stride)[:, :num_columns].copy()

    def require_end(self) -> None:
        _require(
            self._offset == len(self._blob),
            "a generator blob",
            f"of {self._offset} bytes",
            f"{len(self._blob)} bytes",
        )


def pack_fields(fields: np.ndarray, num_bits: int) -> bytes:
    """Packs unsigned fields without gaps, least significant bits first."""
    bits = (fields.reshape(-1, 1) >> np.arange(num_bits)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def unpack_fields(data: bytes, count: int, num_bits: int) -> np.ndarray:
    """Unpacks `count` unsigned fields; the inverse of `pack_fields`."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    rows = bits[: count * num_bits].reshape(count, num_bits).astype(np.int32)
    return (rows << np.arange(num_bits)).sum(axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class PointwiseSpec:
    """One generated layer: its codes, its shape, and how it is synthesized.

    Attributes:
        layer_name: Name of the Keras layer.
        generator: The shared `GeneratorSpec`.
        codes: int32 array of shape `(num_blocks, code_dim)`: levels as in
            `tflm_ops/README.md`, not packed fields.
        code_bits: 1, 2, 4 or 8.
        kernel_shape: `(rows, ...)`, the op's output shape.
        row_signs: bool array of shape `(rows,)`, True where a row is
            negated.
        residency: "cached" keeps the kernel in the arena, "per_invoke"
            synthesizes it at every Invoke.
        synthesis: "lazy" at the first Invoke, "boot" in Prepare.
    """

    layer_name: str
    generator: GeneratorSpec
    codes: np.ndarray
    code_bits: int
    kernel_shape: tuple[int, ...]
    row_signs: np.ndarray
    residency: Residency = "cached"
    synthesis: Synthesis = "lazy"

    def __post_init__(self) -> None:
        _require(
            self.code_bits in CODE_BITS,
            "`code_bits`",
            f"one of {CODE_BITS}",
            self.code_bits,
        )
        _require(
            self.residency in RESIDENCIES,
            "`residency`",
            f"one of {RESIDENCIES}",
            self.residency,
        )
        _require(
            self.synthesis in SYNTHESES,
            "`synthesis`",
            f"one of {SYNTHESES}",
            self.synthesis,
        )
        _require(
            self.synthesis == "lazy" or self.residency == "cached",
            "`residency`",
            "'cached' with boot synthesis",
            self.residency,
        )
        shape = (self.num_blocks, self.generator.code_dim)
        _require(
            self.codes.shape == shape,
            "`codes`",
            f"of shape {shape}",
            self.codes.shape,
        )
        _require(
            self.row_signs.shape == (self.rows,),
            "`row_signs`",
            f"of shape {(self.rows,)}",
            self.row_signs.shape,
        )
        decoded = decode_levels(self._fields(), self.code_bits)
        _require(
            bool(np.array_equal(decoded, self.codes.reshape(-1))),
            "`codes`",
            f"at levels of {self.code_bits}-bit codes",
            f"values in [{self.codes.min()}, {self.codes.max()}]",
        )

    @property
    def rows(self) -> int:
        return self.kernel_shape[0]

    @property
    def num_weights(self) -> int:
        return math.prod(self.kernel_shape)

    @property
    def num_blocks(self) -> int:
        return -(-self.num_weights // self.generator.block_size)

    def _fields(self) -> np.ndarray:
        return encode_levels(self.codes.reshape(-1), self.code_bits)

    def codes_to_bytes(self) -> bytes:
        """Returns the codes tensor: packed codes, then row signs if any."""
        data = pack_fields(self._fields(), self.code_bits)
        if self.row_signs.any():
            data += pack_fields(self.row_signs.astype(np.int32), 1)
        return data

    def options_to_bytes(self) -> bytes:
        """Returns the op's custom options."""
        flags = FLAG_ROW_SIGNS if self.row_signs.any() else 0
        fields = (
            FORMAT_VERSION,
            self.code_bits,
            RESIDENCIES.index(self.residency),
            SYNTHESES.index(self.synthesis),
            flags,
        )
        return bytes(fields).ljust(OPTIONS_SIZE, b"\0")

    @classmethod
    def from_bytes(
        cls,
        layer_name: str,
        generator: GeneratorSpec,
        codes: bytes,
        options: bytes,
        kernel_shape: tuple[int, ...],
    ) -> PointwiseSpec:
        """Reads one op back from its tensors; the inverse of the writers.

        Raises:
            ValueError: If the bytes say what the format does not allow.
        """
        _require(
            len(options) == OPTIONS_SIZE,
            "custom options",
            f"of {OPTIONS_SIZE} bytes",
            f"{len(options)} bytes",
        )
        version, code_bits, residency, synthesis, flags = options[:5]
        _require(
            version == FORMAT_VERSION,
            "GeneratePW format version",
            f"{FORMAT_VERSION}",
            version,
        )
        _require(
            code_bits in CODE_BITS,
            "`code_bits`",
            f"one of {CODE_BITS}",
            code_bits,
        )
        _require(
            residency < 2 and synthesis < 2,
            "residency and synthesis",
            "0 or 1",
            (residency, synthesis),
        )
        _require(
            flags in (0, FLAG_ROW_SIGNS) and not any(options[5:]),
            "GeneratePW flags",
            "0 or 1, reserved bytes 0",
            options[4:].hex(),
        )
        rows, num_weights = kernel_shape[0], math.prod(kernel_shape)
        _require(
            num_weights > 0, "a kernel", "of at least one weight", kernel_shape
        )
        count = -(-num_weights // generator.block_size) * generator.code_dim
        split = -(-count * code_bits // 8)
        size = split + (-(-rows // 8) if flags else 0)
        _require(
            len(codes) == size,
            "a codes tensor",
            f"of {size} bytes",
            f"{len(codes)} bytes",
        )
        fields = unpack_fields(codes[:split], count, code_bits)
        levels = decode_levels(fields, code_bits)
        signs = np.zeros(rows, bool)
        if flags:
            signs = unpack_fields(codes[split:], rows, 1).astype(bool)
        return cls(
            layer_name,
            generator,
            levels.reshape(-1, generator.code_dim),
            code_bits,
            kernel_shape,
            signs,
            RESIDENCIES[residency],
            SYNTHESES[synthesis],
        )


def decode_levels(fields: np.ndarray, code_bits: int) -> np.ndarray:
    """Returns the int32 levels that packed fields stand for."""
    if code_bits == 8:
        return fields.astype(np.uint8).astype(np.int8).astype(np.int32)
    return 2 * fields - ((1 << code_bits) - 1)


def encode_levels(levels: np.ndarray, code_bits: int) -> np.ndarray:
    """Returns the packed fields of int32 levels; inverts `decode_levels`."""
    if code_bits == 8:
        return levels & 0xFF
    return ((levels + ((1 << code_bits) - 1)) >> 1) & ((1 << code_bits) - 1)
