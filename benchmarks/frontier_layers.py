"""Layers of contenders that are not part of the package."""

from __future__ import annotations

from typing import Any

from keras_hypertinypw import generator as generators  # isort: skip
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import HyperPointwise, fake_quant

_RANK_DIVISOR = 4  # Of the channels.
_LEVELS_BLOCK = 16


@keras.saving.register_keras_serializable(package="frontier")
class TiedKernel(generators.BaseGenerator):
    """One stored kernel for all layers, which only scale its rows.

    Stands where a generator would: every layer gets the same blocks, and the
    file holds equal int8 kernels with scales of their own, which slimming
    stores once.

    Args:
        channels: Of the square kernel.
        quantized: As of every generator.
    """

    def __init__(
        self, channels: int, quantized: bool = False, **kwargs: Any
    ) -> None:
        kwargs.setdefault("name", "generator")
        super().__init__(1, 1, channels, quantized, **_own(kwargs))
        self.channels = channels

    def build(self, input_shape: Any) -> None:
        """Creates the kernel."""
        self.blocks = self.add_weight(
            name="blocks",
            shape=(self.channels, self.channels),
            initializer=keras.initializers.RandomNormal(),
        )
        super().build(input_shape)

    def call(self, codes: tf.Tensor) -> tf.Tensor:
        """Ignores the codes."""
        unit = 2.0**fake_quant.OUTPUT_EXPONENT
        blocks = self.blocks
        if self.quantized:
            steps = tf.clip_by_value(blocks * unit, -127.0, 127.0)
            blocks = fake_quant.round_half_up(steps) / unit
        return blocks + 0.0 * tf.reduce_sum(codes)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for `from_config`."""
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="frontier")
class OwnLevels(generators.BaseGenerator):
    """No generator: a layer's codes are its kernel's levels.

    The kernel is a stored one of few bits whose steps are its layer's scales.

    Args:
        code_bits: Of a weight.
        quantized: As of every generator.
    """

    def __init__(
        self, code_bits: int, quantized: bool = False, **kwargs: Any
    ) -> None:
        kwargs.setdefault("name", "generator")
        derived = {**_own(kwargs)}
        super().__init__(
            _LEVELS_BLOCK, code_bits, _LEVELS_BLOCK, quantized, **derived
        )

    def call(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the levels, of about unit variance."""
        unit = 2.0 ** fake_quant.CODE_EXPONENT[self.code_bits]
        return fake_quant.code_levels(codes, self.code_bits) / unit


def _own(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Drops what follows from `channels` and comes back with a config."""
    derived = ("code_dim", "code_bits", "block_size")
    return {key: v for key, v in kwargs.items() if key not in derived}


def unsigned(model: keras.Model) -> keras.Model:
    """Lets no scale turn negative: a tied kernel's rows would differ then.

    Args:
        model: With its initial values, which are drawn anew.
    """
    options = {
        HyperPointwise: {"scale_constraint": "non_neg"},
        keras.layers.BatchNormalization: {"gamma_constraint": "non_neg"},
    }

    def change(layer: keras.layers.Layer) -> keras.layers.Layer:
        changed = options.get(type(layer), {})
        return layer.__class__.from_config({**layer.get_config(), **changed})

    with generators.generator_scope():
        return keras.models.clone_model(model, clone_function=change)


def split_low_rank(model: keras.Model) -> keras.Model:
    """Splits every pointwise layer but the first into two of low rank.

    Args:
        model: A chain of layers, as `models.py` builds them.
    """
    x = model.input
    for layer in model.layers[1:]:
        config = layer.get_config()
        name = config["name"]
        if name in ("pointwise_1", "pointwise_2", "pointwise_3"):
            rank = max(config["filters"] // _RANK_DIVISOR, 1)
            thin = {**config, "name": f"{name}_thin", "filters": rank}
            x = layer.__class__.from_config(thin)(x)
        x = layer.__class__.from_config(config)(x)
    return keras.Model(model.input, x, name=model.name)
