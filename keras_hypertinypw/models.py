"""Networks of the examples: the same graph with stored or generated kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tf_keras as keras

from keras_hypertinypw.generator import BaseGenerator
from keras_hypertinypw.layers import HyperPointwise

_layers = keras.layers


def ecg_network(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    generator: BaseGenerator | None = None,
    keep_first: bool = True,
    per_channel: bool = True,
    block_strides: Sequence[int] = (2, 1, 2, 1),
) -> keras.Model:
    """1-D depthwise-separable network for beats.

    With a generator the pointwise layers are HyperPointwise, but for the
    first, which stays stored as in the paper (PW1).

    Args:
        input_shape: `(samples, channels)`.
        num_classes: Number of logits.
        width: Channels of every pointwise layer; the stem has half of them.
        generator: The shared generator, or None for stored kernels.
        keep_first: Whether the first pointwise kernel is always stored.
        per_channel: Whether each filter of a generated kernel has a scale of
            its own.
        block_strides: Stride of each depthwise-separable block.
    """
    inputs = keras.Input(input_shape, name="beat")
    x = _layers.Conv1D(
        width // 2, 7, strides=2, padding="same", use_bias=False, name="stem"
    )(inputs)
    x = _normalize(x, "stem")
    for index, strides in enumerate(block_strides):
        shared = None if keep_first and index == 0 else generator
        x = _separable(x, index, (5,), strides, width, shared, per_channel)
    x = _layers.GlobalAveragePooling1D(name="pool")(x)
    outputs = _layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="ecg_network")


def long_ecg_network(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    generator: BaseGenerator | None = None,
    keep_first: bool = True,
    per_channel: bool = True,
) -> keras.Model:
    """`ecg_network` for a minute: its last layer sees 27 s at 100 Hz.

    Args:
        input_shape: `(samples, channels)`.
        num_classes: Number of logits.
        width: Channels of every pointwise layer; the stem has half of them.
        generator: The shared generator, or None for stored kernels.
        keep_first: Whether the first pointwise kernel is always stored.
        per_channel: Whether each filter of a generated kernel has a scale of
            its own.
    """
    return ecg_network(
        input_shape,
        num_classes,
        width=width,
        generator=generator,
        keep_first=keep_first,
        per_channel=per_channel,
        block_strides=(4, 4, 4, 4, 1),
    )


def ds_cnn(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    num_blocks: int = 4,
    generator: BaseGenerator | None = None,
    keep_first: bool = True,
    per_channel: bool = True,
) -> keras.Model:
    """2-D depthwise-separable network in the shape of MLPerf Tiny's DS-CNN.

    Args:
        input_shape: `(height, width, channels)`, as `(49, 10, 1)` for MFCC.
        num_classes: Number of logits.
        width: Channels of every layer.
        num_blocks: Number of depthwise-separable blocks.
        generator: The shared generator, or None for stored kernels.
        keep_first: Whether the first pointwise kernel is always stored.
        per_channel: Whether each filter of a generated kernel has a scale of
            its own.
    """
    inputs = keras.Input(input_shape, name="image")
    x = _layers.Conv2D(
        width, (10, 4), strides=2, padding="same", use_bias=False, name="stem"
    )(inputs)
    x = _normalize(x, "stem")
    for index in range(num_blocks):
        shared = None if keep_first and index == 0 else generator
        x = _separable(x, index, (3, 3), 1, width, shared, per_channel)
    x = _layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = _layers.Dense(num_classes, name="logits")(x)
    return keras.Model(inputs, outputs, name="ds_cnn")


def _separable(
    x: Any,
    index: int,
    kernel_size: tuple[int, ...],
    strides: int,
    width: int,
    generator: BaseGenerator | None,
    per_channel: bool,
) -> Any:
    """Depthwise, then pointwise convolution, in 1-D or 2-D."""
    rank = f"{len(kernel_size)}D"
    x = getattr(_layers, f"DepthwiseConv{rank}")(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        name=f"depthwise_{index}",
    )(x)
    x = _normalize(x, f"depthwise_{index}")
    name = f"pointwise_{index}"
    if generator is None:
        conv = getattr(_layers, f"Conv{rank}")
        x = conv(width, 1, use_bias=False, name=name)(x)
    else:
        x = HyperPointwise(
            width,
            generator,
            use_bias=False,
            per_channel=per_channel,
            name=name,
        )(x)
    return _normalize(x, name)


def _normalize(x: Any, name: str) -> Any:
    # Keras's own momentum, 0.99, lags behind for the first epochs. Layers
    # have names, since Keras's numbered ones would end up in the file.
    norm = _layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")
    return _layers.ReLU(name=f"{name}_relu")(norm(x))
