"""What TFLM's kernels ask of the arena in Prepare, operator by operator.

On the host those are the reference kernels of the wheel. On the board they
are CMSIS-NN's int8 kernels for a Cortex-M4 (its DSP extension, not MVE),
compiled with GCC; Arm's own compiler asks for a little more in 1x1
convolutions. "arduino" is CMSIS-NN of 2023, which knows no four bits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.arena_layout import Target
from keras_hypertinypw.custom_ops import WIDEN_BIAS_OP
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import scales, tensor_shape
from keras_hypertinypw.memory_planner import align
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR

INT16_BYTES = 2
INT32_BYTES = 4
# Inputs that the requests depend on, and their ranks.
_RANKS: dict[str, tuple[int | None, ...]] = {
    "AVERAGE_POOL_2D": (4,),
    "CONV_2D": (4, 4),
    "DEPTHWISE_CONV_2D": (4, 4),
    "FULLY_CONNECTED": (None, 2),
    "MEAN": (None, None),
    "SUM": (None, None),
}
_QUANTIZED = (schema.TensorType.INT8, schema.TensorType.INT16)


class KernelMemory(NamedTuple):
    """Requests of one operator, in their order, in bytes.

    Attributes:
        persistent: Kept for good; each is aligned to 16.
        scratch: Needed while the operator runs.
    """

    persistent: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()


def kernel_memory(
    graph: schema.SubGraphT,
    operator: schema.OperatorT,
    name: str,
    target: Target,
) -> KernelMemory:
    """Returns what an operator's kernel requests beside its own data.

    Args:
        graph: The operator's subgraph.
        operator: An operator of it.
        name: The operator's name, as `operator_name` has it.
        target: See `predict_arena`.

    Raises:
        ConversionError: If a tensor is missing, or has another rank than the
            operator takes.
    """
    if name == WIDEN_BIAS_OP:
        sizes = [
            math.prod(tensor_shape(graph.tensors[index])) * INT32_BYTES
            for index in operator.outputs
        ]
        return KernelMemory(tuple(sizes))
    if name not in _RANKS:
        return KernelMemory()
    tensors = _require_tensors(graph, operator, name)
    is_packed = len(tensors) > 1 and tensors[1].type == schema.TensorType.INT4
    unpacked = math.prod(tensor_shape(tensors[1])) if is_packed else 0
    is_newest = target == "board"
    if name in ("MEAN", "SUM"):
        return KernelMemory(scratch=_reduction(tensors))
    if name == "CONV_2D":
        per_channel = _per_channel(tensor_shape(tensors[1])[0])
        scratch = _convolution(tensors, operator)
    elif name == "DEPTHWISE_CONV_2D":
        per_channel = _per_channel(tensor_shape(tensors[1])[3])
        scratch = _depthwise(tensors, operator, is_newest and not is_packed)
    elif name == "FULLY_CONNECTED":
        num_scales = scales(tensors[1]).size
        per_channel = _per_channel(num_scales) if num_scales > 1 else ()
        reads_packed = is_packed and is_newest  # The others unpack it.
        scratch = 0 if reads_packed else _fully_connected(tensors, num_scales)
    else:
        per_channel = ()
        scratch = tensor_shape(tensors[0])[3] * INT32_BYTES
    scratches = {
        "host": (unpacked,),  # The reference kernels need no more.
        "board": (scratch,),
        "arduino": (unpacked, scratch),
    }[target]
    return KernelMemory(per_channel, tuple(filter(None, scratches)))


def _require_tensors(
    graph: schema.SubGraphT, operator: schema.OperatorT, name: str
) -> list[schema.TensorT]:
    """Returns the inputs that count, then the output."""
    ranks = _RANKS[name]
    indices = [*operator.inputs[: len(ranks)], *operator.outputs]
    if len(indices) == len(ranks) + 1 and OPTIONAL_TENSOR not in indices:
        tensors = [graph.tensors[index] for index in indices]
        found = [len(tensor_shape(tensor)) for tensor in tensors]
        if all(
            rank in (None, length)
            for rank, length in zip((*ranks, None), found, strict=True)
        ):
            return tensors
        received = f"{found}"
    else:
        received = f"tensors {indices}"
    raise ConversionError(
        f"{name}: expected one output and inputs of ranks {list(ranks)}, "
        f"where None is any. Received: {received}. TFLM does not run this "
        "either; convert the model again."
    )


def _per_channel(channels: int) -> tuple[int, ...]:
    """Multipliers and shifts."""
    return (channels * INT32_BYTES,) * 2


def _reduction(tensors: list[schema.TensorT]) -> tuple[int, ...]:
    """Accumulators, then two lists of indices."""
    source, axes, output = tensors
    requests = (
        len(tensor_shape(source)) * INT32_BYTES,
        math.prod(tensor_shape(axes)) * INT32_BYTES,
    )
    if source.type in _QUANTIZED:
        size = math.prod(tensor_shape(output)) * INT32_BYTES
        return (size, *requests)
    return requests


def _is_dilated(operator: schema.OperatorT) -> bool:
    options = operator.builtinOptions
    if options is None:
        return False
    return (options.dilationHFactor, options.dilationWFactor) != (1, 1)


def _convolution(
    tensors: list[schema.TensorT], operator: schema.OperatorT
) -> int:
    """Two columns of im2col as int16; none for 1x1."""
    channels = tensor_shape(tensors[0])[3]
    _, height, width, filter_channels = tensor_shape(tensors[1])
    is_grouped = channels != filter_channels
    if (height, width) == (1, 1) and not (is_grouped or _is_dilated(operator)):
        return 0
    column = align(height * width * channels, 4)
    return 2 * column * INT16_BYTES


def _depthwise(
    tensors: list[schema.TensorT], operator: schema.OperatorT, has_special: bool
) -> int:
    """One window as int16; none for 3x3, nor where nothing is optimized.

    In four bits 3x3 is no special case, nor in CMSIS-NN of 2023.
    """
    batch, _, _, channels = tensor_shape(tensors[0])
    _, height, width, filters = tensor_shape(tensors[1])
    is_optimized = channels == filters and batch == 1
    is_special = height == width == 3 and has_special
    if not is_optimized or _is_dilated(operator) or is_special:
        return 0
    return height * width * channels * INT16_BYTES


def _fully_connected(tensors: list[schema.TensorT], num_scales: int) -> int:
    """Multipliers and shifts of the 1x1 convolution that rank 3 and 4 use."""
    output = tensor_shape(tensors[-1])
    is_convolution = len(output) > 2 and tensor_shape(tensors[1])[-1] % 4 == 0
    if not is_convolution or num_scales > 1:
        return 0
    return 2 * output[-1] * INT32_BYTES
