"""Stores biases in eight bits, and reads them back: WidenBias's Python side.

The byte format is defined in `tflm_ops/widen_bias.md`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.custom_ops import (
    WIDEN_BIAS_OP,
    add_vector,
    check_only_source,
    custom_operators,
    insert_operator,
    malformed,
)
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    is_constant,
    operator_name,
    read_model,
    tensor_data,
    tensor_name,
    tensor_shape,
    write_model,
)
from keras_hypertinypw.kernel_search import BIAS_INPUT
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.pruning import prune_buffers

FORMAT_VERSION = 1
BIAS_BITS = 8
HEADER_SIZE = 2
MAX_SHIFT = 24
MAX_BIASES = 255  # A byte counts them.
# A FULLY_CONNECTED's may be summed up in Prepare, before they are there.
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclasses.dataclass(frozen=True, eq=False)
class Bias:
    """One bias that WidenBias makes.

    Attributes:
        index: Of its tensor.
        values: int8 array of shape `(num_channels,)`.
        shift: Power of two that the values are multiplied by, in `[0, 24]`.
    """

    index: int
    values: np.ndarray
    shift: int

    def widen(self) -> np.ndarray:
        """Returns the int32 bias."""
        return self.values.astype(np.int32) << self.shift


def round_bias(
    bias: np.ndarray, *, bits: int = BIAS_BITS
) -> tuple[np.ndarray, int]:
    """Returns the nearest values of few bits, and the least shift for them.

    Args:
        bias: int32 array, in steps of the accumulator. Ties round upwards.
        bits: Of a value, its sign included.

    Returns:
        int64 values in `[-2**(bits - 1), 2**(bits - 1) - 1]`, and the power
        of two that they are multiplied by.
    """
    wide, shift, limit = bias.astype(np.int64), 0, 1 << bits - 1
    while True:
        values = wide + (1 << shift >> 1) >> shift
        if values.min() >= -limit and values.max() < limit:
            return values, shift
        shift += 1


def narrow_biases(model_content: bytes) -> bytes:
    """Stores the biases of convolutions in eight bits and a shift each.

    A WidenBias op at the start of the graph makes the 32-bit biases again,
    once, before the first inference. Each is off by at most half of its
    layer's shift, which changes outputs; what that costs is for data to say
    (`compare_outputs`, `hypertinypw narrow`). Pack kernels first: `pack_int4`
    scales stored biases only.

    Args:
        model_content: Bytes of an int8 `.tflite`, with or without GeneratePW.

    Returns:
        Bytes of a `.tflite` about three bytes a channel smaller; firmware
        needs the op's code (`tflm_ops/widen_bias_op.cc`).

    Raises:
        ConversionError: If the file is damaged, has WidenBias already, or has
            no bias that can be narrowed.
    """
    model = read_model(model_content)
    if widen_operators(model):
        raise ConversionError(
            f"Expected a model without {WIDEN_BIAS_OP}. Received: one that "
            "stores its biases in eight bits already. Use it as it is."
        )
    biases: list[Bias] = []
    for index in _find_biases(model):
        wide = tensor_data(model, _tensor(model, index))
        values, shift = round_bias(wide)
        # A larger one could leave the range of 32 bits.
        if shift <= MAX_SHIFT and len(biases) < MAX_BIASES:
            biases.append(Bias(index, values.astype(np.int8), shift))
    if not biases:
        raise ConversionError(
            "Expected a CONV_2D or DEPTHWISE_CONV_2D with a constant int32 "
            "bias. Received: none. There is nothing to narrow."
        )
    _insert_op(model, biases)
    prune_buffers(model)
    return write_model(model)


def _tensor(model: schema.ModelT, index: int) -> schema.TensorT:
    return model.subgraphs[0].tensors[index]


def _find_biases(model: schema.ModelT) -> list[int]:
    """Returns tensors that convolutions alone read as their bias."""
    graph = model.subgraphs[0]
    found: dict[int, bool] = dict.fromkeys(graph.outputs, False)
    for operator in graph.operators:
        is_layer = operator_name(model, operator) in _LAYERS
        for position, index in enumerate(operator.inputs):
            is_bias = is_layer and position == BIAS_INPUT
            found[index] = found.get(index, True) and is_bias
    return [
        index
        for index, is_bias in found.items()
        if is_bias and index != OPTIONAL_TENSOR and _is_int32(model, index)
    ]


def _is_int32(model: schema.ModelT, index: int) -> bool:
    tensor = _tensor(model, index)
    return (
        tensor.type == schema.TensorType.INT32
        and len(tensor_shape(tensor)) == 1
        and not tensor.isVariable
        and is_constant(model, tensor)
    )


def _insert_op(model: schema.ModelT, biases: list[Bias]) -> None:
    data = b"".join(bias.values.tobytes() for bias in biases)
    values = add_vector(model, "biases", schema.TensorType.INT8, data)
    shifts = [bias.shift for bias in biases]
    insert_operator(
        model,
        0,
        WIDEN_BIAS_OP,
        [values],
        [bias.index for bias in biases],
        bytes([FORMAT_VERSION, len(biases), *shifts]),
    )


def widen_operators(model: schema.ModelT) -> list[schema.OperatorT]:
    """Returns the WidenBias operators, all of them in the main subgraph."""
    return custom_operators(model, WIDEN_BIAS_OP)


def read_biases(model: schema.ModelT, operator: schema.OperatorT) -> list[Bias]:
    """Reads one WidenBias operator.

    Raises:
        ConversionError: If `tflm_ops/widen_bias.md` does not allow it.
    """
    options = operator.customOptions
    options = b"" if options is None else bytes(options)
    outputs = list(operator.outputs)
    if [*options[:HEADER_SIZE]] != [FORMAT_VERSION, len(outputs)]:
        raise malformed(
            WIDEN_BIAS_OP,
            f"options of version {FORMAT_VERSION} for {len(outputs)} biases",
            options[:HEADER_SIZE].hex() or "none",
        )
    shifts = options[HEADER_SIZE:]
    if len(shifts) != len(outputs) or max(shifts, default=0) > MAX_SHIFT:
        raise malformed(
            WIDEN_BIAS_OP,
            f"a shift in [0, {MAX_SHIFT}] for each bias",
            shifts.hex(),
        )
    indices = [*operator.inputs, *outputs]
    is_connected = len(operator.inputs) == 1 and min(indices) >= 0
    if not is_connected or len(set(indices)) < len(indices):
        raise malformed(
            WIDEN_BIAS_OP,
            "1 input, and another tensor for each output",
            (list(operator.inputs), outputs),
        )
    tensor = _tensor(model, operator.inputs[0])
    is_int8 = tensor.type == schema.TensorType.INT8
    if not is_int8 or not is_constant(model, tensor):
        raise malformed(
            WIDEN_BIAS_OP,
            f"constant int8 data in '{tensor_name(tensor)}'",
            f"type {tensor.type}, constant={is_constant(model, tensor)}",
        )
    values = tensor_data(model, tensor)
    shapes = [tensor_shape(_tensor(model, index)) for index in outputs]
    types = {_tensor(model, index).type for index in outputs}
    sizes = [shape[0] if len(shape) == 1 else 0 for shape in shapes]
    if (
        types != {schema.TensorType.INT32}
        or min(sizes) < 1
        or (sum(sizes),) != values.shape
    ):
        raise malformed(
            WIDEN_BIAS_OP,
            f"int32 biases of {values.shape} values in all",
            f"types {sorted(types)}, shapes {shapes}",
        )
    check_only_source(model, model.subgraphs[0], operator)
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [
        Bias(index, part, shift)
        for index, part, shift in zip(outputs, parts, shifts, strict=True)
    ]
