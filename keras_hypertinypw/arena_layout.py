"""Sizes of TFLM's structures, in bytes: on the host and on the board.

Those of the host are what the pinned wheel allocates. Those of the board
follow from the same declarations (TFLM of August 2026) with pointers of 4
bytes and, as on bare-metal Arm, enumerations in a single byte. The Arduino
library, TFLM of 2023, is that board but for one structure. TFLM allocates each
with its own alignment; what kernels ask for is aligned to 16.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from keras_hypertinypw.custom_ops import CUSTOM_OPS

Target = Literal["host", "board", "arduino"]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Sizes of what lies in an arena; all in bytes.

    Attributes:
        pointer: A pointer, which is also what most structures align to.
        interpreter: Structures that exist once, in the order of allocation:
            arena allocator, memory planner, allocator, builtin data
            allocator.
        subgraph: `SubgraphAllocations`.
        eval_tensor: `TfLiteEvalTensor`, for each tensor.
        node: `NodeAndRegistration`, for each operator.
        tensor: `TfLiteTensor`, for each input and output of the model.
        quantization: `TfLiteAffineQuantization` of those.
        scratch_request: `ScratchBufferRequest`, while tensors are allocated.
        allocation_info: `AllocationInfo`, likewise.
        builtin_data: Size and alignment of the parsed options of an operator.
        op_data: What a kernel's Init asks for.
    """

    pointer: int
    interpreter: tuple[int, ...]
    subgraph: int
    eval_tensor: int
    node: int
    tensor: int
    quantization: int
    scratch_request: int
    allocation_info: int
    builtin_data: Mapping[str, tuple[int, int]]
    op_data: Mapping[str, int]

    @property
    def known_operators(self) -> tuple[str, ...]:
        """Names of the operators whose memory is known."""
        return tuple(sorted({*self.builtin_data, *self.op_data, *CUSTOM_OPS}))


# What the greedy planner takes for a buffer, and what TFLM keeps ready.
PLANNER_ENTRY = 40
SPARE_SCRATCH_REQUESTS = 12

HOST = Layout(
    pointer=8,
    # The wheel records what it does, and takes compressed tensors.
    interpreter=(104, 72, 272, 16),
    subgraph=24,
    eval_tensor=24,
    node=64,
    tensor=64,
    quantization=24,
    scratch_request=16,
    allocation_info=32,
    builtin_data={
        "ADD": (8, 4),
        "AVERAGE_POOL_2D": (40, 4),
        "CONCATENATION": (8, 4),
        "CONV_2D": (28, 4),
        "DEPTHWISE_CONV_2D": (28, 4),
        # Measured; its declaration of August 2026 has 16.
        "FULLY_CONNECTED": (32, 4),
        "MAX_POOL_2D": (40, 4),
        "MEAN": (1, 1),
        "MUL": (4, 4),
        "RESHAPE": (36, 4),
        "SOFTMAX": (4, 4),
        "SUM": (1, 1),
    },
    op_data={
        "ADD": 60,
        "AVERAGE_POOL_2D": 32,
        "CONCATENATION": 40,
        "CONV_2D": 80,
        "DEPTHWISE_CONV_2D": 80,
        "DEQUANTIZE": 32,
        "FULLY_CONNECTED": 72,
        "GeneratePW": 32,
        "LOGISTIC": 16,
        "MAX_POOL_2D": 32,
        "MEAN": 44,
        "MUL": 36,
        "PAD": 56,
        "QUANTIZE": 32,
        "RELU": 28,
        "RELU6": 8,
        "SOFTMAX": 80,
        "SUM": 44,
    },
)

BOARD = Layout(
    pointer=4,
    interpreter=(36, 44, 36, 8),
    subgraph=8,
    eval_tensor=12,
    node=32,
    tensor=32,
    quantization=12,
    scratch_request=12,
    allocation_info=24,
    builtin_data={
        **HOST.builtin_data,
        "ADD": (2, 1),
        "FULLY_CONNECTED": (5, 1),
        "MUL": (1, 1),
    },
    # CMSIS-NN's kernels add the indices of their scratch buffers.
    op_data={
        **HOST.op_data,
        "AVERAGE_POOL_2D": 36,
        "CONCATENATION": 24,
        "CONV_2D": 60,
        "DEPTHWISE_CONV_2D": 60,
        "FULLY_CONNECTED": 72,
        "GeneratePW": 20,
        "MAX_POOL_2D": 36,
        "SOFTMAX": 56,
    },
)

# In Chirale_TensorFLowLite 2.0.0. What else is other there is within the
# exporter's margin.
ARDUINO = dataclasses.replace(BOARD, tensor=64)

LAYOUTS: Mapping[Target, Layout] = {
    "host": HOST,
    "board": BOARD,
    "arduino": ARDUINO,
}
