"""Which kinds of bytes a file has, before and after it was slimmed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.byte_ranges import Vector, count_bytes, walk_vectors
from keras_hypertinypw.flatbuffer import (
    custom_name,
    is_constant,
    operator_name,
    read_model,
    scales,
    zero_points,
)
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.kernel_search import FILTER_INPUT
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.slim_comparison import Comparison
from keras_hypertinypw.slim_passes import has_offline_plan

# "structure" is tables, offsets and padding: what no vector claims.
KINDS = (
    "constants",
    "scales",
    "zero_points",
    "ranges",
    "shapes",
    "operators",
    "names",
    "metadata",
    "signatures",
    "structure",
)
_KINDS_OF_FIELDS = {
    "scale": "scales",
    "zero_point": "zero_points",
    "min": "ranges",
    "max": "ranges",
    "shape": "shapes",
    "shape_signature": "shapes",
    "name": "names",
    "description": "names",
}
_KINDS_OF_ROOTS = {
    "metadata": "metadata",
    "metadata_buffer": "metadata",
    "signature_defs": "signatures",
}
_WEIGHTED = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"),
    *("FULLY_CONNECTED", "CONV_3D"),
)


@dataclasses.dataclass(frozen=True)
class SlimReport:
    """Bytes by kind, before and after; all sizes in bytes.

    Attributes:
        before: Bytes of every kind in the original, in the order of `KINDS`.
        after: The same of the slimmed file.
        bound_bytes: Constants and scales of weights in the slimmed file,
            which no lossless tool for TFLM can do without.
        operators_removed: Reshapes that undo each other.
        left: What stayed although it is not needed everywhere, and why.
        comparison: What was compared.
    """

    before: Mapping[str, int]
    after: Mapping[str, int]
    bound_bytes: int
    operators_removed: int
    left: tuple[str, ...]
    comparison: Comparison

    @property
    def bytes_before(self) -> int:
        """Size of the original."""
        return sum(self.before.values())

    @property
    def bytes_after(self) -> int:
        """Size of the slimmed file."""
        return sum(self.after.values())

    def __str__(self) -> str:
        rows = [("", "before", "after")]
        rows += [
            (kind.replace("_", " "), f"{size:,}", f"{self.after[kind]:,}")
            for kind, size in self.before.items()
            if size or self.after[kind]
        ]
        rows.append(("file", f"{self.bytes_before:,}", f"{self.bytes_after:,}"))
        lines = [f"{name:<13}{old:>10}{new:>10}" for name, old, new in rows]
        ratio = self.bytes_after / max(self.bound_bytes, 1)
        lines.append(
            f"constants and weight scales: {self.bound_bytes:,} B; the file "
            f"is {ratio:.3f} times that"
        )
        if self.operators_removed:
            lines.append(
                f"removed: {self.operators_removed} reshapes that undo each "
                "other"
            )
        lines += [f"left: {what}" for what in self.left]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Returns plain values for JSON."""
        return {
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            **dataclasses.asdict(self),
        }


def report(
    original: bytes, slimmed: bytes, comparison: Comparison
) -> SlimReport:
    """Counts the bytes of both files.

    Args:
        original: Bytes of a `.tflite`.
        slimmed: Bytes of the smaller one.
        comparison: What was compared.
    """
    model = read_model(slimmed)
    return SlimReport(
        count_kinds(original),
        count_kinds(slimmed),
        _bound(model),
        _num_operators(read_model(original)) - _num_operators(model),
        tuple(_left(model)),
        comparison,
    )


def count_kinds(model_content: bytes) -> dict[str, int]:
    """Returns the bytes of every kind, which add up to the file.

    What two kinds share counts for the one that comes first in the file's
    order of fields.
    """
    model = read_model(model_content)
    constants = {t.buffer for graph in model.subgraphs for t in graph.tensors}
    claims = [
        (KINDS.index(_kind(vector, constants)), vector)
        for vector in walk_vectors(model_content)
    ]
    return count_bytes(len(model_content), KINDS, claims)


def _kind(vector: Vector, constants: set[int]) -> str:
    root, field = vector.path[0], vector.path[-1]
    if root == "buffers":
        return "constants" if vector.path[1] in constants else "metadata"
    if root in _KINDS_OF_ROOTS:
        return _KINDS_OF_ROOTS[str(root)]
    return _KINDS_OF_FIELDS.get(str(field), "operators")


def _bound(model: schema.ModelT) -> int:
    """Returns the bytes of constants and of weight scales."""
    buffers = {t.buffer for graph in model.subgraphs for t in graph.tensors}
    data = [model.buffers[index].data for index in buffers]
    size = sum(len(values) for values in data if values is not None)
    vectors = {
        scales(graph.tensors[operator.inputs[FILTER_INPUT]]).tobytes()
        for graph in model.subgraphs
        for operator in graph.operators
        if operator_name(model, operator) in _WEIGHTED
        and len(operator.inputs) > FILTER_INPUT
        and operator.inputs[FILTER_INPUT] != OPTIONAL_TENSOR
    }
    return size + sum(map(len, vectors))


def _num_operators(model: schema.ModelT) -> int:
    return sum(len(graph.operators) for graph in model.subgraphs)


def _left(model: schema.ModelT) -> list[str]:
    """Says what stayed, and why."""
    left = []
    if has_offline_plan(model):
        left.append("the offline memory plan and all tensors, for TFLM")
    custom = {
        custom_name(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
    } - {""}
    if custom:
        left.append(f"the options of custom ops: {', '.join(sorted(custom))}")
    tensors = [t for graph in model.subgraphs for t in graph.tensors]
    several = sum(len(zero_points(t)) > 1 for t in tensors)
    if several:
        channelwise = format_count(several, "tensor")
        left.append(f"zero points per channel, of {channelwise}")
    biases = sum(
        t.type == schema.TensorType.INT32
        and is_constant(model, t)
        and len(scales(t)) > 0
        for t in tensors
    )
    if biases:
        constants = format_count(
            biases, "bias or int32 constant", "biases or int32 constants"
        )
        left.append(f"the quantization of {constants}")
    if len(model.subgraphs) > 1:
        left.append(f"unused tensors, of {len(model.subgraphs)} subgraphs")
    if any(t.sparsity is not None for t in tensors):
        left.append("sparse tensors, as they are")
    return left
