"""How wide a contender may be, and what its file takes on a device."""

from __future__ import annotations

import functools
import json
import math
import pathlib

from frontier_contenders import Contender
from frontier_tasks import Task

from keras_hypertinypw import width_search  # isort: skip
from board_synthesis import multiply_accumulates as generator_macs

from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.flatbuffer import (
    operator_name,
    read_model,
    tensor_shape,
)
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_size import op_code_bytes

KIB = 1024
_MULTIPLY_ACCUMULATE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def code_bytes(contender: Contender) -> int:
    """Flash of the op that a contender's file needs, 0 for stock ops."""
    return op_code_bytes(fastest=False) if contender.needs_op else 0


class Sizes:
    """Sizes of untrained files, kept in a file between runs.

    Args:
        task: What the networks are for.
        contender: How they make kernels.
        input_shape: Of the networks, without the batch.
        num_classes: Of the networks.
        path: Of the file that keeps sizes.
    """

    def __init__(
        self,
        task: Task,
        contender: Contender,
        input_shape: tuple[int, ...],
        num_classes: int,
        path: pathlib.Path,
    ) -> None:
        self._build = functools.partial(
            contender.build, task.network, input_shape, num_classes
        )
        self._contender = contender
        self._path = path
        self._known: dict[str, int] = {}
        if path.exists():
            self._known = json.loads(path.read_text())

    def widest(self, budget: int) -> int | None:
        """Returns the most channels whose file and op fit, None if none do.

        Args:
            budget: In bytes.
        """
        return width_search.widest(
            self._size,
            budget - code_bytes(self._contender),
            least=self._contender.least_width,
        )

    def _size(self, width: int) -> int:
        if str(width) not in self._known:
            content = width_search.untrained_file(
                self._build(width),
                self._contender.convert,
                kernel_bits=self._contender.kernel_bits,
            )
            self.correct(width, len(content))
        return self._known[str(width)]

    def correct(self, width: int, size: int) -> None:
        """Keeps what a file of that width takes, in bytes."""
        self._known[str(width)] = size
        write_atomically(self._path, json.dumps(self._known).encode())


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
