"""`.tflite` files of one peculiarity each, for `test_slim.py`."""

from __future__ import annotations

import numpy as np
from slim_models import OPS, RandomModel

from keras_hypertinypw.flatbuffer import write_model


class _Model(RandomModel):
    """An int8 chain, layer by layer."""

    def __init__(self, shape=(1, 4, 4, 8)) -> None:
        super().__init__(0, always=False)
        self.first = self._tensor("input", shape)

    def finish(self, last: int) -> bytes:
        self._graph.inputs, self._graph.outputs = [self.first], [last]
        return write_model(self._model)


def dense(*, per_channel: bool) -> bytes:
    """A FULLY_CONNECTED layer with one scale, or one per channel."""
    model = _Model((1, 16))
    model._last_input = model.first
    model.always = per_channel
    weights, bias = model._weights((4, 16), 0)
    model.always = False
    inputs = [model.first, weights, bias]
    options = "FullyConnectedOptions"
    return model.finish(
        model._operator(OPS.FULLY_CONNECTED, inputs, (1, 4), options)
    )


def with_offline_plan() -> bytes:
    """A model whose memory plan has an entry for each tensor."""
    model = _Model()
    last = model._conv(model.first)
    model._tensor("unused", (3,))
    plan = [1, 0, len(model._graph.tensors)]
    plan += [-1] * len(model._graph.tensors)
    data = np.frombuffer(np.int32(plan).tobytes(), np.uint8)
    entry = model._metadata(b"OfflineMemoryAllocation", data)
    model._model.metadata = [entry]
    return model.finish(last)


def with_idle_reshapes() -> bytes:
    """Two reshapes between two layers."""
    model = _Model()
    current = model._reshapes(model._conv(model.first))
    return model.finish(model._depthwise(current))


def with_two_subgraphs() -> bytes:
    """The same subgraph twice; the second is never called."""
    model = _Model()
    current = model._depthwise(model._conv(model.first))
    model._model.subgraphs.append(model._graph)
    return model.finish(current)


def large(num_bytes: int) -> bytes:
    """Convolutions of 256 channels of random weights."""
    model = _Model((1, 2, 2, 256))
    current = model.first
    for _ in range(-(-num_bytes // (256 * 256))):
        model._last_input = current
        weights, bias = model._weights((256, 1, 1, 256), 0)
        current = model._operator(
            *(OPS.CONV_2D, [current, weights, bias], (1, 2, 2, 256)),
            "Conv2DOptions",
            **{"strideH": 1, "strideW": 1},
        )
    return model.finish(current)
