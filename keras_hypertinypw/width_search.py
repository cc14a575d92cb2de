"""The widest network whose file fits a budget, found before training."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tf_keras as keras

from keras_hypertinypw.files import write_json
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.quantization import quantize_model
from keras_hypertinypw.slim import slim

# Bytes that training may add: fewer vectors of a trained file are equal.
MARGIN = 64
_PROBES = (8, 24, 64)  # Widths that a first guess is drawn through.
_SAMPLES = 32


class KnownSizes:
    """Sizes of files by width, kept in a file between runs.

    What was measured of something else, or cannot be read, is measured anew.

    Args:
        path: Of the file.
        build: Returns the bytes of a `.tflite` of that many channels.
        of: What the networks are but for their width, for JSON.
    """

    def __init__(
        self,
        path: pathlib.Path,
        build: Callable[[int], bytes],
        of: Mapping[str, Any],
    ) -> None:
        self._path = path
        self._build = build
        self._of = json.loads(json.dumps(of))
        self._known = self._read()

    def measure(self, width: int) -> int:
        """Returns the bytes of a file, built if its size is not known."""
        if str(width) not in self._known:
            self.correct(width, len(self._build(width)))
        return self._known[str(width)]

    def correct(self, width: int, size: int) -> None:
        """Keeps what a file of that width takes, in bytes."""
        self._known[str(width)] = size
        write_json(self._path, {"of": self._of, "sizes": self._known})

    def _read(self) -> dict[str, int]:
        try:
            record = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        same = isinstance(record, dict) and record.get("of") == self._of
        return record["sizes"] if same else {}


def widest(
    size_of: Callable[[int], int], budget: int, *, least: int = 2
) -> int | None:
    """Returns the most channels that fit, None if not even the least do.

    Args:
        size_of: Returns the bytes of a network of that many channels; grows
            about as a square, and is asked about eight times.
        budget: In bytes, of which `MARGIN` stay free.
        least: Least channels to try.
    """
    left = budget - MARGIN
    if size_of(least) > left:
        return None
    a, b, c = np.polyfit(_PROBES, [size_of(width) for width in _PROBES], 2)
    inside = max(b * b - 4 * a * (c - left), 0.0)
    width = max(int((math.sqrt(inside) - b) / (2 * a)), least)
    while size_of(width) > left:
        width -= 1
    while size_of(width + 1) <= left:
        width += 1
    return width


def untrained_file(
    model: keras.Model,
    convert: Callable[[keras.Model], bytes],
    *,
    kernel_bits: int = 8,
    kernel_per_channel: bool = True,
) -> bytes:
    """Returns a slimmed file of about the size that training leads to.

    Args:
        model: A float model with its initial values; its normalizations and
            the biases of its dense layers become random, since what is equal
            would be stored once.
        convert: Returns the file of a quantized model.
        kernel_bits: Of stored kernels, as in `quantize_model`.
        kernel_per_channel: Likewise.
    """
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [rng.uniform(0.5, 1, w.shape) for w in layer.get_weights()]
            )
            mean = layer.moving_mean
            mean.assign(rng.uniform(-0.1, 0.1, mean.shape))
            if layer.scale:
                # Little beside beta, or a generated kernel of few rows, all
                # with negative sums, would close every ReLU.
                layer.gamma.assign(rng.uniform(0.01, 0.02, mean.shape))
        elif isinstance(layer, keras.layers.Dense):
            layer.bias.assign(rng.normal(size=layer.bias.shape))
        elif not isinstance(layer, HyperPointwise):
            # Positive, like the inputs, or no ReLU of a narrow network opens.
            layer.set_weights([np.abs(w) for w in layer.get_weights()])
    x = np.abs(rng.normal(size=(_SAMPLES, *model.input_shape[1:])))
    quantized = quantize_model(
        model,
        kernel_bits=kernel_bits,
        kernel_per_channel=kernel_per_channel,
        calibration_data=x.astype(np.float32),
    )
    return slim(convert(quantized), verify=False)
