"""Models as users have them: nothing of this package in them."""

from __future__ import annotations

from collections.abc import Callable

import keras_models
import numpy as np
import tf_keras as keras

layers = keras.layers


def plain() -> keras.Model:
    """A depthwise-separable 2-D network, half of it with batch norms."""
    x = inputs = keras.Input((20, 16, 3), name="image")
    x = layers.Conv2D(12, 3, strides=2, activation="relu", name="stem")(x)
    for index, filters in enumerate((16, 24, 24)):
        x = layers.DepthwiseConv2D(
            3, padding="same", activation="relu", name=f"depthwise_{index}"
        )(x)
        x = layers.Conv2D(filters, 1, name=f"pointwise_{index}")(x)
        if index:
            x = layers.BatchNormalization(name=f"norm_{index}")(x)
        x = layers.ReLU(name=f"relu_{index}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(4, name="logits")(x)
    return keras.Model(inputs, outputs, name="plain")


def sequential_1d() -> keras.Model:
    """Separable and ordinary 1-D convolutions, one after the other."""
    return keras.Sequential(
        [
            keras.Input((64, 2)),
            layers.Conv1D(8, 5, strides=2, padding="same", name="stem"),
            layers.SeparableConv1D(
                12, 5, padding="same", use_bias=False, name="separable"
            ),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv1D(
                16, 1, strides=2, activation="relu", name="pointwise"
            ),
            layers.SeparableConv1D(
                20, 3, activation="relu6", depth_multiplier=2, name="last"
            ),
            layers.GlobalAveragePooling1D(name="pool"),
            layers.Dense(4, name="logits"),
        ],
        name="sequential_1d",
    )


def branching() -> keras.Model:
    """Two inputs, two outputs, a shared pointwise layer, residual adds."""
    first = keras.Input((10, 8, 3), name="first")
    second = keras.Input((10, 8, 3), name="second")
    stem = layers.Conv2D(12, 3, padding="same", name="stem")
    shared = layers.Conv2D(12, 1, activation="relu", name="shared")
    shared_separable = layers.SeparableConv2D(
        12, 3, padding="same", name="shared_separable"
    )
    branches = []
    for inputs in (first, second):
        x = stem(inputs)
        x = layers.Add()([x, shared(x)])
        branches.append(layers.Add()([x, shared_separable(x)]))
    x = layers.Concatenate(name="both")(branches)
    x = layers.Conv2D(16, 1, strides=2, use_bias=False, name="strided")(x)
    x = layers.SeparableConv2D(
        14, 3, strides=2, activation="relu", name="separable"
    )(x)
    grouped = layers.Conv2D(14, 1, groups=2, name="grouped")(x)
    mask = layers.Conv2D(2, 1, name="mask")(grouped)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(3, name="logits")(x)
    return keras.Model([first, second], [outputs, mask], name="branching")


def mobilenet() -> keras.Model:
    """Keras's MobileNet 0.25 with batch norms of forward passes.

    Untrained ones shrink activations until nothing is left of them.
    """
    model = keras.applications.MobileNet(
        alpha=0.25,
        input_shape=(96, 96, 3),
        weights=None,
        classes=2,
        classifier_activation=None,
    )
    set_batch_norms(model)
    return model


def set_batch_norms(model: keras.Model, *, passes: int = 8) -> None:
    """Takes the batch norms' statistics from forward passes of noise."""
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.5
    for seed in range(passes):
        model(blobs((16, *model.input_shape[1:]), seed), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def blobs(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Noise with coarse structure, which survives pooling."""
    count, *spatial, channels = shape
    coarse = [-(-size // 8) for size in spatial]
    x = keras_models.noise((count, *coarse, channels), seed)
    for axis, size in enumerate(spatial, 1):
        x = x.repeat(8, axis).take(range(size), axis)
    return x + 0.3 * keras_models.noise(shape, seed + 1)


ALL: dict[str, Callable[[], keras.Model]] = {
    model.__name__: model for model in (plain, sequential_1d, branching)
}
