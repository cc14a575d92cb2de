"""How wide a contender may be, and what its file takes on a device."""

from __future__ import annotations

import functools
import json
import math
import pathlib

from frontier_contenders import Contender
from frontier_tasks import Task

from keras_hypertinypw import quantize_model  # isort: skip
import numpy as np
import op_size
import tf_keras as keras
from board_synthesis import multiply_accumulates as generator_macs

from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.flatbuffer import (
    operator_name,
    read_model,
    tensor_shape,
)
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.slim import slim

KIB = 1024
_PROBES = (16, 64, 160)  # Widths that a first guess is drawn through.
_SAMPLES = 32
_MARGIN = 64  # Bytes that training may add: fewer vectors are equal then.
_MULTIPLY_ACCUMULATE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@functools.cache
def op_code_bytes() -> int:
    """Flash of GeneratePW on a Cortex-M4, without its faster path."""
    return op_size.measure("-DHYPERTINYPW_LANES=0")["sum"]


def code_bytes(contender: Contender) -> int:
    """Flash of the op that a contender's file needs, 0 for stock ops."""
    return op_code_bytes() if contender.needs_op else 0


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
        left = budget - _MARGIN - code_bytes(self._contender)
        a, b, c = np.polyfit(_PROBES, [self._size(w) for w in _PROBES], 2)
        inside = max(b * b - 4 * a * (c - left), 0.0)
        least = self._contender.least_width
        width = max(int((math.sqrt(inside) - b) / (2 * a)), least)
        while width >= least and self._size(width) > left:
            width -= 1
        if width < least:
            return None
        while self._size(width + 1) <= left:
            width += 1
        return width

    def _size(self, width: int) -> int:
        if str(width) not in self._known:
            self._known[str(width)] = len(self._file(width))
            write_atomically(self._path, json.dumps(self._known).encode())
        return self._known[str(width)]

    def _file(self, width: int) -> bytes:
        model = self._build(width)
        rng = np.random.default_rng(0)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.set_weights(
                    [rng.uniform(0.5, 1, w.shape) for w in layer.get_weights()]
                )
            elif isinstance(layer, keras.layers.Dense):
                layer.bias.assign(rng.normal(size=layer.bias.shape))
        x = rng.normal(size=(_SAMPLES, *model.input_shape[1:]))
        quantized = quantize_model(
            model,
            kernel_bits=self._contender.kernel_bits,
            calibration_data=x.astype(np.float32),
        )
        return slim(self._contender.convert(quantized))


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
