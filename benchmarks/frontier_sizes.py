"""How wide a contender may be, and what its file takes on a device."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable

import frontier_lut
from frontier_contenders import Contender
from frontier_tasks import Task

from keras_hypertinypw import width_search  # isort: skip
from board_synthesis import multiply_accumulates as generator_macs

from keras_hypertinypw.flatbuffer import (
    operator_name,
    read_model,
    tensor_shape,
)
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_size import ops_code_bytes

KIB = 1024
_MULTIPLY_ACCUMULATE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def code_bytes(contender: Contender) -> int:
    """Flash of the code that a contender's file needs beside stock kernels."""
    if contender.family == "lut":
        return frontier_lut.code_bytes()
    return ops_code_bytes(
        contender.op_build,
        generates=contender.needs_op,
        widens=contender.narrow,
    )


def untrained_file(
    task: Task,
    contender: Contender,
    input_shape: tuple[int, ...],
    num_classes: int,
    width: int,
) -> bytes:
    """Returns a file as it would be flashed, of about its trained size.

    Args:
        task: What the network is for.
        contender: How it makes kernels.
        input_shape: Of the network, without the batch.
        num_classes: Of the network.
        width: Its channels.
    """
    content = width_search.untrained_file(
        contender.build(task.network, input_shape, num_classes, width),
        contender.convert,
        kernel_bits=contender.kernel_bits,
        kernel_per_channel=contender.kernel_per_channel,
    )
    return contender.finished(content)


def untrained_sizes(
    task: Task,
    contender: Contender,
    input_shape: tuple[int, ...],
    num_classes: int,
    path: pathlib.Path,
    commit: str,
) -> width_search.KnownSizes:
    """Returns the sizes of untrained files, kept in a file between runs.

    Args:
        task: What the networks are for.
        contender: How they make kernels.
        input_shape: Of the networks, without the batch.
        num_classes: Of the networks.
        path: Of the file that keeps sizes.
        commit: Whose sizes they are.
    """

    def build(width: int) -> bytes:
        return untrained_file(task, contender, input_shape, num_classes, width)

    return width_search.KnownSizes(path, build, {"commit": commit})


def widest(
    size_of: Callable[[int], int], contender: Contender, budget: int
) -> int | None:
    """Returns the most channels whose file and op fit, None if none do.

    Args:
        size_of: Returns the bytes of the contender's file of that many
            channels.
        contender: How they make kernels.
        budget: In bytes.
    """
    return width_search.widest(
        size_of,
        budget - code_bytes(contender),
        least=contender.least_width,
    )


def multiply_accumulates(dense: bytes) -> int:
    """Counts the multiply-accumulates of an inference, stock ops alone."""
    model = read_model(dense)
    graph = model.subgraphs[0]
    total = 0
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name in _MULTIPLY_ACCUMULATE:
            _, *kernel = tensor_shape(graph.tensors[operator.inputs[1]])
            if name == "DEPTHWISE_CONV_2D":
                kernel = kernel[:2]  # The last axis numbers the outputs.
            output = tensor_shape(graph.tensors[operator.outputs[0]])
            total += math.prod(output) * math.prod(kernel)
    return total


def synthesis_macs(content: bytes) -> int:
    """Counts the multiply-accumulates of making every kernel once."""
    return sum(map(generator_macs, read_specs(content)))
