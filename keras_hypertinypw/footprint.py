"""Where the bytes of a `.tflite` file are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.byte_ranges import Vector, count_bytes, walk_vectors
from keras_hypertinypw.custom_ops import GENERATE_PW_OP, WIDEN_BIAS_OP
from keras_hypertinypw.flatbuffer import (
    custom_name,
    operator_name,
    read_model,
    tensor_name,
    tensor_shape,
)
from keras_hypertinypw.formatting import format_bytes
from keras_hypertinypw.kernel_search import BIAS_INPUT, FILTER_INPUT
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.op_insertion import (
    CODES_INPUT,
    GENERATOR_INPUT,
    generate_operators,
    read_spec,
)

# In the order of the table. "structure" is what no tensor's data and no
# scale or zero point claims: tables, names, options, metadata and padding.
PARTS = (
    "generator",
    "heads",
    "codes",
    "stored_pointwise",
    "other_convolutions",
    "depthwise",
    "dense",
    "biases",
    "other_tensors",
    "scales_zero_points",
    "structure",
)
QUANTIZATION_VECTORS = ("min", "max", "scale", "zero_point")
_FILTER_PARTS = {
    "CONV_2D": "other_convolutions",
    "TRANSPOSE_CONV": "other_convolutions",
    "CONV_3D": "other_convolutions",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "dense",
}
Vectors = Mapping[tuple[str | int, ...], Vector]


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a model costs; all sizes in bytes.

    Attributes:
        flash_bytes: Size of the file, as flashed.
        by_part: Bytes of every part of the file, in the order of `PARTS`;
            they add up to `flash_bytes`. "heads" is 0: version 1 of the
            format has none.
        by_tensor: Bytes of every tensor with data, scales or zero points in
            the file. What several tensors share counts for the first.
        cached_kernel_bytes: Kernels that GeneratePW keeps in the arena.
        arena_bytes: Size of the tensor arena as measured with TFLM, or None.

    Raises:
        ValueError: If the parts do not add up.
    """

    flash_bytes: int
    by_part: Mapping[str, int]
    by_tensor: Mapping[str, int]
    cached_kernel_bytes: int
    arena_bytes: int | None = None

    def __post_init__(self) -> None:
        total = sum(self.by_part.values())
        if total != self.flash_bytes:
            raise ValueError(
                f"Expected parts that add up to {self.flash_bytes} bytes. "
                f"Received: {total}."
            )

    def __str__(self) -> str:
        rows = [
            (part.replace("_", " "), size, f"{size / self.flash_bytes:7.1%}")
            for part, size in self.by_part.items()
            if size
        ]
        rows.append(("file (flash)", self.flash_bytes, f"{1:7.1%}"))
        rows.append(("kernels cached in arena", self.cached_kernel_bytes, ""))
        if self.arena_bytes is not None:
            rows.append(("arena", self.arena_bytes, ""))
        return "\n".join(
            f"{name:<24}{size:>9,}{format_bytes(size):>12}{share}"
            for name, size, share in rows
        )

    def to_dict(self) -> dict[str, object]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)


def footprint(
    model_content: bytes,
    *,
    arena_bytes: int | None = None,
    generator: bytes | None = None,
) -> Footprint:
    """Attributes every byte of a `.tflite` file.

    Args:
        model_content: Bytes of a `.tflite`, with or without GeneratePW.
        arena_bytes: Arena size that TFLM reports (`Interpreter`), if known.
        generator: The blob that the file refers to, if it does. It is no part
            of the file, and counts nothing.

    Raises:
        ConversionError: If the file or a GeneratePW op in it is damaged, or
            the blob that it refers to is missing.
    """
    model = read_model(model_content)
    vectors = {v.path: v for v in walk_vectors(model_content) if v.size}
    by_part = count_bytes(
        len(model_content), PARTS, _part_vectors(model, vectors)
    )
    specs = [
        read_spec(model, op, generator) for op in generate_operators(model)
    ]
    return Footprint(
        len(model_content),
        by_part,
        _count_tensors(model, vectors, len(model_content)),
        sum(s.num_weights for s in specs if s.residency == "cached"),
        arena_bytes,
    )


def _part_vectors(
    model: schema.ModelT, vectors: Vectors
) -> Iterator[tuple[int, Vector]]:
    parts = _buffer_parts(model)
    for path, vector in vectors.items():
        if path[0] == "buffers" and path[1] in parts:
            yield PARTS.index(parts[path[1]]), vector
        elif path[-1] in QUANTIZATION_VECTORS and path[-2] == "quantization":
            yield PARTS.index("scales_zero_points"), vector


def _buffer_parts(model: schema.ModelT) -> dict[object, str]:
    """Maps the index of every buffer that a tensor uses to its part."""
    parts: dict[object, str] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            for position, index in enumerate(operator.inputs):
                if index != OPTIONAL_TENSOR:
                    tensor = graph.tensors[index]
                    part = _part(model, operator, position, tensor)
                    if part != "other_tensors":
                        parts.setdefault(tensor.buffer, part)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            parts.setdefault(tensor.buffer, "other_tensors")
    return parts


def _part(
    model: schema.ModelT,
    operator: schema.OperatorT,
    position: int,
    tensor: schema.TensorT,
) -> str:
    """Returns the part of the tensor at an operator's input position."""
    if custom_name(model, operator) == GENERATE_PW_OP:
        parts = {CODES_INPUT: "codes", GENERATOR_INPUT: "generator"}
        return parts.get(position, "other_tensors")
    if custom_name(model, operator) == WIDEN_BIAS_OP:
        return "biases"
    name = operator_name(model, operator)
    if name not in _FILTER_PARTS or position not in (FILTER_INPUT, BIAS_INPUT):
        return "other_tensors"
    if position == BIAS_INPUT and name != "TRANSPOSE_CONV":
        return "biases"
    if name == "CONV_2D" and tensor_shape(tensor)[1:3] == (1, 1):
        return "stored_pointwise"
    return _FILTER_PARTS[name]


def _count_tensors(
    model: schema.ModelT, vectors: Vectors, size: int
) -> dict[str, int]:
    names: list[str] = []
    claims: list[tuple[int, Vector]] = []
    for graph_index, graph in enumerate(model.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            name = tensor_name(tensor) or f"tensor {index}"
            if name in names:
                name = f"{name} (tensor {index} of subgraph {graph_index})"
            place = ("subgraphs", graph_index, "tensors", index)
            paths: list[tuple[str | int, ...]] = [
                (*place, "quantization", field)
                for field in QUANTIZATION_VECTORS
            ]
            paths.append(("buffers", tensor.buffer, "data"))
            claims += [(len(names), vectors[p]) for p in paths if p in vectors]
            names.append(name)
    counts = count_bytes(size, [*names, ""], claims)
    return {name: counts[name] for name in names if counts[name]}
