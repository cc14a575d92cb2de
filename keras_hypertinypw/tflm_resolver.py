"""What registers a model's operators in TFLM's `MicroMutableOpResolver`."""

from __future__ import annotations

from collections.abc import Iterator

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.custom_ops import GENERATE_PW_OP, WIDEN_BIAS_OP
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    operator_name,
    scales,
    tensor_name,
)
from keras_hypertinypw.op_builds import Build

# Of Chirale_TensorFLowLite 2.0.0; later TFLM has these and more.
_OPERATORS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D
    BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL
    CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    DIV ELU EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION
    L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR
    LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_MAX RELU RELU6
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2 SHAPE
    SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
    ZEROS_LIKE
    """.split()
)
# What capitalizing every word does not give.
_IRREGULAR = {
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "BATCH_MATMUL": "AddBatchMatMul",
    "CONV_2D": "AddConv2D",
    "CUMSUM": "AddCumSum",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "L2_POOL_2D": "AddL2Pool2D",
    "MAX_POOL_2D": "AddMaxPool2D",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}
_ADD_CUSTOM = {
    GENERATE_PW_OP: "AddCustom(hypertinypw::kGeneratePwOpName, "
    "hypertinypw::Register_GENERATE_PW())",
    WIDEN_BIAS_OP: "AddCustom(hypertinypw::kWidenBiasOpName, "
    "hypertinypw::Register_WIDEN_BIAS())",
}
_COMPACT = {
    GENERATE_PW_OP: "AddCustom(hypertinypw::kGeneratePwOpName, "
    "hypertinypw::Register_GENERATE_PW_COMPACT())",
}


def method(name: str) -> str:
    """Returns the resolver's method for a builtin operator."""
    words = name.split("_")
    return _IRREGULAR.get(name, "Add" + "".join(map(str.capitalize, words)))


def known_operators() -> dict[str, str]:
    """Returns the method for every operator that the resolver knows."""
    return {name: method(name) for name in sorted(_OPERATORS)}


def resolver_calls(
    model: schema.ModelT, op_build: Build = "fastest"
) -> list[str]:
    """Returns the calls that register exactly the operators of a model.

    Args:
        model: What `read_model` returns.
        op_build: How the ops are compiled.

    Returns:
        Calls like `AddConv2D()`, each once, sorted.

    Raises:
        ConversionError: If the model has custom operators of others.
    """
    calls = set()
    add_custom = _ADD_CUSTOM | (_COMPACT if op_build == "compact" else {})
    for _, operator in _operators(model):
        name = operator_name(model, operator)
        custom = custom_name(model, operator)
        if custom in add_custom:
            calls.add(add_custom[custom])
        elif custom:
            raise ConversionError(
                f"Expected no custom operators but {' and '.join(add_custom)}."
                f" Received: {custom}. Replace the layer that it comes from, "
                "and convert again."
            )
        else:
            calls.add(f"{method(name)}()")
    return sorted(calls)


def require_arduino(model: schema.ModelT) -> None:
    """Refuses what TFLM for Arduino lacks, or computes wrongly.

    Args:
        model: What `read_model` returns.

    Raises:
        ConversionError: If there is such an operator.
    """
    for graph, operator in _operators(model):
        name = operator_name(model, operator)
        custom = custom_name(model, operator)
        if custom not in _ADD_CUSTOM and name not in _OPERATORS:
            raise ConversionError(
                "Expected operators that Chirale_TensorFLowLite 2.0.0 "
                f"has. Received: {custom or name}. Replace the layer that "
                "it comes from, and convert again."
            )
        if name == "FULLY_CONNECTED":
            _require_one_scale(graph.tensors[operator.inputs[1]])


def _operators(
    model: schema.ModelT,
) -> Iterator[tuple[schema.SubGraphT, schema.OperatorT]]:
    for graph in model.subgraphs:
        for operator in graph.operators:
            yield graph, operator


def _require_one_scale(kernel: schema.TensorT) -> None:
    """Refuses what that TFLM would compute with the first scale alone."""
    distinct = set(scales(kernel).tolist())
    if len(distinct) > 1:
        raise ConversionError(
            "Expected one scale for the kernel of a FULLY_CONNECTED, since "
            "Chirale_TensorFLowLite 2.0.0 reads only the first. Received: "
            f"{len(distinct)} scales of '{tensor_name(kernel)}'. Convert with "
            "`quantize_model`, or with TFLiteConverter's _experimental_disable_"
            "per_channel_quantization_for_dense_layers = True."
        )
