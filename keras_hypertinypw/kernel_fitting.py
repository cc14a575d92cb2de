"""Fits generated kernels to given ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import fake_quant
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.progress import progress_bar

LEARNING_RATE = 0.08  # Of Adam, decaying to zero by a cosine.
_SHOWN_EVERY = 20  # Steps.


def fit_kernels(
    kernels: Mapping[HyperPointwise, np.ndarray],
    *,
    steps: int,
    fit_generator: bool,
) -> None:
    """Sets codes, scales and generator so that kernels approximate others.

    Adam minimizes the mean square of `given - scale * generated`, all filters
    weighted alike (each divided by its own root mean square). The scale of
    each filter is the best one, `<given, generated> / <generated,
    generated>`, at every step. In the end codes lie in the middle of their
    levels, so that training does not undo the fit at its first step.

    Args:
        kernels: The kernels to approximate, of shape `(..., channels,
            filters)`, by built layer. All layers share one generator.
        steps: Steps of Adam, each over all kernels.
        fit_generator: Whether the generator's weights are fitted too.
    """
    layers = list(kernels)
    targets = [_columns(kernel) for kernel in kernels.values()]
    variables = [layer.codes for layer in layers]
    if fit_generator:
        variables += layers[0].generator.trainable_weights
    for layer in layers:
        layer.scale.assign(tf.ones_like(layer.scale))
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(LEARNING_RATE, max(steps, 1))
    )

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            losses = [
                _unexplained(_generated(layer), target)
                for layer, target in zip(layers, targets, strict=True)
            ]
            loss = tf.reduce_mean(tf.concat(losses, axis=0))
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    with progress_bar(total=steps, desc="Fitting kernels", unit="step") as bar:
        for index in range(steps):
            loss = step()
            if index % _SHOWN_EVERY == 0:
                error = f"{float(loss) ** 0.5:.3f}"
                bar.set_postfix(error=error, refresh=False)
            bar.update()
    if steps:
        for layer in layers:
            _settle(layer)
    for layer, target in zip(layers, targets, strict=True):
        layer.scale.assign(_best_scale(_generated(layer), target))


def _settle(layer: HyperPointwise) -> None:
    """Moves codes from the edges of levels, where the fit leaves many."""
    levels = fake_quant.code_levels(layer.codes, layer.generator.code_bits)
    layer.codes.assign(levels * 2.0**-fake_quant.LEARNED_EXPONENT)


def _columns(kernel: np.ndarray) -> tf.Tensor:
    """Returns a kernel as float32 tensor `(channels, filters)`."""
    return tf.constant(kernel.reshape(kernel.shape[-2:]), tf.float32)


def _generated(layer: HyperPointwise) -> tf.Tensor:
    kernel, _ = layer.generate()
    return kernel[0, 0]


def _best_scale(generated: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the least-squares scale of each filter, shape `(filters,)`."""
    return tf.math.divide_no_nan(
        tf.reduce_sum(generated * target, axis=0),
        tf.reduce_sum(generated * generated, axis=0),
    )


def _unexplained(generated: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the share of each filter's energy that stays, `(filters,)`."""
    # The scale is at its best, so the gradient through it is zero.
    scale = tf.stop_gradient(_best_scale(generated, target))
    rest = tf.reduce_sum((target - scale * generated) ** 2, axis=0)
    return tf.math.divide_no_nan(rest, tf.reduce_sum(target**2, axis=0))
