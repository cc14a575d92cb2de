"""What crosses from training to bytes: integers that check themselves.

The byte format is the table in `tflm_ops/README.md`; its constants are here
and, for C++, in `tflm_ops/generate_pw_format.h`. The specs write their bytes;
`spec_reader.py` reads them back.
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
KIND_REFERENCE = 1
OPTIONS_SIZE = 8
HEADER_SIZE = 16
DESCRIPTOR_SIZE = 4
CRC_OFFSET = 12
REFERENCE_SIZE = 8
REFERENCE_CRC_OFFSET = 4
FLAG_ROW_SIGNS = 1
FLAG_SKIP = 1
MAX_LAYERS = 4
MAX_CODE_DIM = 128
MAX_HIDDEN_UNITS = 256
MAX_BLOCK_SIZE = 4096
MAX_SHIFT = 24
MAX_BIAS_SHIFT = 16
MAX_SKIP_SHIFT = 8
MAX_KERNEL_DIMS = 4
CODE_BITS = (1, 2, 4, 8)

HEADER = struct.Struct("<BBBBHBBII")
DESCRIPTOR = struct.Struct("<HBB")
REFERENCE = struct.Struct("<BBHI")

# float32 counts integers exactly up to here; see `GeneratorSpec`.
ACCUMULATOR_LIMIT = 1 << 24

Residency = Literal["cached", "per_invoke"]
Synthesis = Literal["lazy", "boot"]
RESIDENCIES: tuple[Residency, ...] = ("cached", "per_invoke")
SYNTHESES: tuple[Synthesis, ...] = ("lazy", "boot")


def require(ok: bool, name: str, expected: object, received: object) -> None:
    """Raises a ValueError that names what was expected, unless `ok`."""
    if not ok:
        raise ValueError(f"Expected {name} {expected}. Received: {received}.")


def require_range(name: str, value: int, low: int, high: int) -> None:
    """Checks that `low <= value <= high`."""
    require(low <= value <= high, f"`{name}`", f"in [{low}, {high}]", value)


def _require_int8(name: str, value: np.ndarray, shape: tuple) -> None:
    ok = value.dtype == np.int8 and value.shape == shape
    received = f"{value.dtype} of shape {value.shape}"
    require(ok, f"`{name}`", f"as int8 array of shape {shape}", received)


def require_kernel_shape(shape: tuple[int, ...]) -> None:
    """Checks that a kernel has a shape that the op accepts."""
    expected = f"of 1 to {MAX_KERNEL_DIMS} positive dimensions"
    ok = 1 <= len(shape) <= MAX_KERNEL_DIMS and min(shape) >= 1
    require(ok, "`kernel_shape`", expected, shape)
    fits = math.prod(shape) <= np.iinfo(np.int32).max
    require(fits, "`kernel_shape`", "of fewer than 2**31 weights", shape)


def padded(size: int) -> int:
    """Rounds a size in bytes up to a multiple of 4."""
    return (size + 3) // 4 * 4


def _rows_to_bytes(weights: np.ndarray) -> bytes:
    num_out, num_in = weights.shape
    rows = np.zeros((num_out, padded(num_in)), np.int8)
    rows[:, :num_in] = weights
    return rows.tobytes()


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
        shape = self.weights.shape
        require(len(shape) == 2, "`weights`", "of rank 2", shape)
        _require_int8("weights", self.weights, shape)
        _require_int8("bias", self.bias, (self.num_out,))
        require_range("shift", self.shift, 1, MAX_SHIFT)
        require_range("bias_shift", self.bias_shift, 0, MAX_BIAS_SHIFT)

    @property
    def num_out(self) -> int:
        """Number of outputs."""
        return self.weights.shape[0]

    @property
    def num_in(self) -> int:
        """Number of inputs."""
        return self.weights.shape[1]

    def accumulator_bound(self) -> np.ndarray:
        """Largest possible `|accumulator|` per output, before rounding."""
        # 128, not 127: an 8-bit code may be -128.
        magnitude = 128 * np.abs(self.weights.astype(np.int64)).sum(axis=1)
        bias = np.abs(self.bias.astype(np.int64)) << self.bias_shift
        return magnitude + bias

    def to_bytes(self) -> bytes:
        """Returns bias and weights as in the blob."""
        bias = self.bias.tobytes().ljust(padded(self.num_out), b"\0")
        return bias + _rows_to_bytes(self.weights)


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
        require_range("num_layers", len(layers), 1, MAX_LAYERS)
        for first, second in zip(layers, layers[1:], strict=False):
            require_range("hidden_units", first.num_out, 1, MAX_HIDDEN_UNITS)
            fits = first.num_out == second.num_in
            require(fits, "`num_in`", first.num_out, second.num_in)
        require_range("code_dim", self.code_dim, 1, MAX_CODE_DIM)
        require_range("block_size", self.block_size, 1, MAX_BLOCK_SIZE)
        require_range("skip_shift", self.skip_shift, 0, MAX_SKIP_SHIFT)
        if self.skip_weights is None:
            no_shift = self.skip_shift == 0
            require(no_shift, "`skip_shift`", "0 without skip", self.skip_shift)
        else:
            shape = (self.block_size, self.code_dim)
            _require_int8("skip_weights", self.skip_weights, shape)
        self._require_exact()

    def _require_exact(self) -> None:
        bounds = [layer.accumulator_bound() for layer in self.layers]
        if self.skip_weights is not None:
            skip = np.abs(self.skip_weights.astype(np.int64)).sum(axis=1)
            bounds[-1] = bounds[-1] + (128 * skip << self.skip_shift)
        for index, bound in enumerate(bounds):
            # What rounding adds counts too.
            reached = int(bound.max()) + (1 << (self.layers[index].shift - 1))
            if reached >= ACCUMULATOR_LIMIT:
                raise ValueError(
                    f"Generator layer {index}: expected accumulators below "
                    "2**24, so that float32 emulates them exactly. Received: "
                    f"a bound of {reached}. Use fewer `hidden_units`, or "
                    "regularize the generator's weights."
                )

    @property
    def code_dim(self) -> int:
        """Length of a code vector."""
        return self.layers[0].num_in

    @property
    def block_size(self) -> int:
        """Number of weights made from one code vector."""
        return self.layers[-1].num_out

    def to_bytes(self) -> bytes:
        """Returns the generator blob, CRC-32 included."""
        skip = self.skip_weights
        body = b"".join(
            DESCRIPTOR.pack(layer.num_out, layer.shift, layer.bias_shift)
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
        start = HEADER.pack(*fields, 0)[:CRC_OFFSET]
        return HEADER.pack(*fields, blob_crc(start, body)) + body


def blob_crc(start: bytes, body: bytes) -> int:
    """Returns the CRC-32 of a blob, whose own field lies between the two."""
    return zlib.crc32(body, zlib.crc32(start))


def reference_to(blob: bytes) -> bytes:
    """Returns what stands for a shared blob in a model's file: 8 bytes."""
    crc = HEADER.unpack_from(blob)[-1]
    return REFERENCE.pack(FORMAT_VERSION, KIND_REFERENCE, 0, crc)


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

    Raises:
        ValueError: If shapes do not fit, or a code is no level of its bits.
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
        require_kernel_shape(self.kernel_shape)
        for name, value, allowed in (
            ("code_bits", self.code_bits, CODE_BITS),
            ("residency", self.residency, RESIDENCIES),
            ("synthesis", self.synthesis, SYNTHESES),
        ):
            require(value in allowed, f"`{name}`", f"one of {allowed}", value)
        keeps = self.synthesis == "lazy" or self.residency == "cached"
        expected = "'cached' with boot synthesis"
        require(keeps, "`residency`", expected, self.residency)
        for name, array, shape in (
            ("codes", self.codes, (self.num_blocks, self.generator.code_dim)),
            ("row_signs", self.row_signs, (self.rows,)),
        ):
            ok = array.shape == shape
            require(ok, f"`{name}`", f"of shape {shape}", array.shape)
        levels = decode_levels(self._fields(), self.code_bits)
        received = f"values in [{self.codes.min()}, {self.codes.max()}]"
        ok = np.array_equal(levels, self.codes.reshape(-1))
        require(ok, "`codes`", f"at {self.code_bits}-bit levels", received)

    @property
    def rows(self) -> int:
        """Rows of the kernel: its output channels."""
        return self.kernel_shape[0]

    @property
    def num_weights(self) -> int:
        """Weights of the kernel."""
        return math.prod(self.kernel_shape)

    @property
    def num_blocks(self) -> int:
        """Code vectors of the layer."""
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
        fields = (
            FORMAT_VERSION,
            self.code_bits,
            RESIDENCIES.index(self.residency),
            SYNTHESES.index(self.synthesis),
            FLAG_ROW_SIGNS if self.row_signs.any() else 0,
        )
        return bytes(fields).ljust(OPTIONS_SIZE, b"\0")


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


def pack_fields(fields: np.ndarray, num_bits: int) -> bytes:
    """Packs unsigned fields without gaps, least significant bits first."""
    bits = (fields.reshape(-1, 1) >> np.arange(num_bits)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()
