"""The layer whose kernel is generated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import checks, fake_quant
from keras_hypertinypw.generator import (
    PACKAGE,
    BaseGenerator,
    resolve_generator,
)

# Keeps FakeQuant's range from collapsing when training drives a channel to 0.
MIN_SCALE = 1e-6


@keras.saving.register_keras_serializable(package=PACKAGE)
class HyperPointwise(keras.layers.Layer):
    """1x1 convolution whose kernel a shared generator makes from codes.

    Stands where `Conv2D(filters, 1)` or `Conv1D(filters, 1)` would. Only the
    codes, one scale per filter and the bias are its own. ("Codes" are what
    the hypernetwork literature calls layer embeddings.)

    Args:
        filters: Number of output channels.
        generator: A `WeightGenerator`, shared by many layers.
        strides: Integer, or a pair for rank-4 input.
        activation: As in Keras. Quantization takes None, "relu", "relu6".
        use_bias: Whether a bias is added.
        per_channel: Whether each filter has a scale of its own. One for all
            takes 4 bytes less per filter; `quantize_model` then lets the layer
            behind take up how large the channels are. That has to be a
            DepthwiseConv2D, Conv2D or Dense layer (or the 1-D ones), behind a
            ReLU or nothing, pooling, Dropout or ZeroPadding2D, and to be known
            before the float model is trained.
        code_initializer: Initializer of the codes, which are levels times
            `2**-fake_quant.LEARNED_EXPONENT`; by default such that inputs of
            the generator have unit variance, which its initial values rely
            on.
        bias_initializer: Initializer of the bias.
        code_regularizer: Regularizer of the codes.
        bias_regularizer: Regularizer of the bias.
        scale_constraint: Constraint of the scales.
        **kwargs: `name`, `dtype`, `trainable`.

    Attributes:
        codes: Weight of shape `(num_blocks, code_dim)`.
        scale: Weight of shape `(filters,)`, one factor per output channel;
            a negative one becomes a row sign in the file. Unless
            `per_channel`, their mean size counts for all.
        kernel: Tensor of shape `(1, 1, channels, filters)`.
        bias: Weight of shape `(filters,)`.

    Call arguments:
        inputs: Tensor of shape `(batch, ..., channels)`, rank 3 or 4.

    Raises:
        ValueError: If an argument or the input's rank is not supported, or
            the kernel is smaller than a block of the generator.
        TypeError: If `generator` is none.
    """

    def __init__(
        self,
        filters: int,
        generator: BaseGenerator,
        strides: int | tuple[int, int] = 1,
        activation: Any = None,
        use_bias: bool = True,
        per_channel: bool = True,
        code_initializer: Any = None,
        bias_initializer: Any = "zeros",
        code_regularizer: Any = None,
        bias_regularizer: Any = None,
        scale_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = checks.positive_int("filters", filters)
        self.generator = checks.instance("generator", generator, BaseGenerator)
        self.strides = _strides(strides)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.per_channel = per_channel
        # Nothing beyond twice the spread: inside every code range.
        self.code_initializer = keras.initializers.get(
            code_initializer
            or keras.initializers.TruncatedNormal(
                stddev=code_spread(generator.code_bits)
            )
        )
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.code_regularizer = keras.regularizers.get(code_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.scale_constraint = keras.constraints.get(scale_constraint)
        self._constants: tuple[tf.Tensor, tf.Tensor] | None = None

    def build(self, input_shape: Any) -> None:
        """Creates the weights."""
        channels = self._check_input(tf.TensorShape(input_shape))
        kernel_size = channels * self.filters
        block_size = self.generator.block_size
        if block_size > kernel_size:
            raise ValueError(
                f"Layer '{self.name}': expected a kernel of at least one "
                f"generator block. Received: {kernel_size} weights, "
                f"block_size={block_size}. Keep this layer stored (Conv2D or "
                "Conv1D), or build the generator with a smaller `block_size`."
            )
        if not self.generator.built:
            with tf.name_scope(self.generator.name):
                self.generator.build((None, self.generator.code_dim))
        self.codes = self.add_weight(
            name="codes",
            shape=(-(-kernel_size // block_size), self.generator.code_dim),
            initializer=self.code_initializer,
            regularizer=self.code_regularizer,
        )
        # He et al. 2015: variance 2 / fan_in, from blocks of unit variance.
        self.scale = self.add_weight(
            name="scale",
            shape=(self.filters,),
            initializer=keras.initializers.Constant(np.sqrt(2 / channels)),
            constraint=self.scale_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
        self.channels = channels
        super().build(input_shape)

    def _check_input(self, shape: tf.TensorShape) -> int:
        if shape.rank not in (3, 4) or shape[-1] is None:
            raise ValueError(
                f"Layer '{self.name}': expected input of rank 3 or 4, "
                "`(batch, ..., channels)`, with known channels. Received: "
                f"shape={tuple(shape)}."
            )
        if shape.rank == 3 and self.strides[0] != self.strides[1]:
            raise ValueError(
                f"Layer '{self.name}': expected one integer for `strides` "
                f"with input of rank 3. Received: strides={self.strides}."
            )
        return int(shape[-1])

    @property
    def kernel(self) -> tf.Tensor:
        """The kernel, `(1, 1, channels, filters)`; fake-quantized or float."""
        kernel, scales = self._constants or self.generate()
        if self.generator.quantized:
            kernel = fake_quant.quantize_kernel(kernel, scales)
        return kernel

    def generate(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the kernel before FakeQuant, and its int8 scales.

        Returns:
            float32 tensors of shapes `(1, 1, channels, filters)` and
            `(filters,)`.
        """
        blocks = self.generator.make_blocks(self.codes)
        flat = tf.reshape(blocks, (-1,))[: self.filters * self.channels]
        rows = tf.reshape(flat, (self.filters, self.channels))
        sign = tf.where(self.scale < 0, -1.0, 1.0)
        magnitude = tf.maximum(tf.abs(self.scale), MIN_SCALE)
        if not self.per_channel:
            magnitude = tf.fill((self.filters,), tf.reduce_mean(magnitude))
        kernel = tf.transpose(rows) * (sign * magnitude)
        scales = magnitude * 2.0**-fake_quant.OUTPUT_EXPONENT
        return kernel[tf.newaxis, tf.newaxis], scales

    @contextlib.contextmanager
    def constant_kernel(
        self, kernel: np.ndarray, scales: np.ndarray
    ) -> Iterator[None]:
        """Inside it the layer uses these values, for tracing a dense model.

        The stock converter folds FakeQuant of a constant, but not the
        generator's operations.
        """
        self._constants = (tf.constant(kernel), tf.constant(scales))
        try:
            yield
        finally:
            self._constants = None

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolves with the generated kernel; see the class."""
        rank = inputs.shape.rank
        # Rank 4 inside: TensorFlow's per-channel FakeQuant, tfmot and the
        # converter know no rank-3 convolution.
        images = tf.expand_dims(inputs, 1) if rank == 3 else inputs
        strides = (1, self.strides[1]) if rank == 3 else self.strides
        outputs = tf.nn.conv2d(images, self.kernel, strides, "VALID")
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        if rank == 3:
            outputs = tf.squeeze(outputs, axis=1)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
        """Returns the shape of the outputs."""
        shape = tf.TensorShape(input_shape).as_list()
        strides = self.strides[-1:] if len(shape) == 3 else self.strides
        spatial = [
            None if size is None else -(-size // stride)
            for size, stride in zip(shape[1:-1], strides, strict=True)
        ]
        return tf.TensorShape([shape[0], *spatial, self.filters])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for `from_config`."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "strides": self.strides,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "per_channel": self.per_channel,
            "code_initializer": keras.initializers.serialize(
                self.code_initializer
            ),
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
            "code_regularizer": keras.regularizers.serialize(
                self.code_regularizer
            ),
            "bias_regularizer": keras.regularizers.serialize(
                self.bias_regularizer
            ),
            "scale_constraint": keras.constraints.serialize(
                self.scale_constraint
            ),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> HyperPointwise:
        """Rebuilds a layer; its generator comes from the open scope."""
        generator = resolve_generator(config["generator"])
        return cls(**{**config, "generator": generator})


def code_spread(code_bits: int) -> float:
    """Returns the standard deviation of codes at unit variance of levels."""
    exponent = fake_quant.CODE_EXPONENT[code_bits]
    return 2.0 ** (exponent - fake_quant.LEARNED_EXPONENT)


def _strides(strides: Any) -> tuple[int, int]:
    if isinstance(strides, (tuple, list)):
        if len(strides) != 2:
            raise ValueError(
                "Expected `strides` to be an integer or a pair. "
                f"Received: strides={strides}."
            )
        first, second = strides
    else:
        first = second = strides
    return (
        checks.positive_int("strides", first),
        checks.positive_int("strides", second),
    )
