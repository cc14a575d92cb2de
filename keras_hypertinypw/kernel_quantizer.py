"""Quantizes stored kernels to four bits while they train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import fake_quant
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.int4_values import INT4_MAX, fit_steps
from keras_hypertinypw.tfmot import default_registry, tfmot

# Layers with a stored kernel: the weight's name, and how many of its last
# axes number the output channels. TFLM takes no INT4 filter of several scales
# in FULLY_CONNECTED, so a Dense kernel has a single step.
KERNELS = {
    "Conv2D": ("kernel", 1),
    "DepthwiseConv2D": ("depthwise_kernel", 2),
    "Dense": ("kernel", 0),
}
_FUSED = ("linear", "relu", "relu6")
_SMALLEST_GAIN = 1 / 64


class Int4KernelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Fake-quantizes a kernel to `[-7, 7]` times a step that is learned.

    A step is a constant, fitted to the kernel, times a gain that trains
    ("learned step size quantization", LSQ). A gain is near 1 whatever the
    kernel's size is, so the optimizer moves all of them alike.

    Args:
        channel_axes: How many of the last axes have a step of their own.
    """

    def __init__(self, channel_axes: int) -> None:
        self.channel_axes = channel_axes

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict:
        """Adds the variables; `start_steps` gives them values."""
        shape = tuple(tensor_shape)[len(tensor_shape) - self.channel_axes :]
        weights = {}
        for what, trainable in (("step", False), ("gain", True)):
            weights[what] = layer.add_weight(
                f"{name}_{what}",
                shape=shape,
                initializer="ones",
                trainable=trainable,
            )
        return weights

    def __call__(
        self, inputs: Any, training: Any, weights: dict, **kwargs: Any
    ) -> tf.Tensor:
        """Returns integers times the steps, as the int8 converter finds it."""
        steps = weights["step"] * tf.maximum(weights["gain"], _SMALLEST_GAIN)
        return fake_quant.quantize_to_steps(inputs, steps, INT4_MAX)

    def get_config(self) -> dict:
        """Returns the argument."""
        return {"channel_axes": self.channel_axes}


class Int4QuantizeConfig(default_registry.Default8BitQuantizeConfig):
    """Quantizes as tfmot does by default, but the kernel to four bits."""

    def __init__(
        self,
        weight_attrs: list[str],
        activation_attrs: list[str],
        quantize_output: bool,
        channel_axes: int,
    ) -> None:
        super().__init__(weight_attrs, activation_attrs, quantize_output)
        self.weight_quantizer = Int4KernelQuantizer(channel_axes)

    def get_config(self) -> dict:
        """Returns the arguments."""
        channel_axes = self.weight_quantizer.channel_axes
        return {**super().get_config(), "channel_axes": channel_axes}


def int4_configs(
    model: keras.Model, *, per_channel: bool
) -> dict[str, Int4QuantizeConfig]:
    """Returns how to quantize each layer with a stored kernel, by name.

    Args:
        model: A float model.
        per_channel: Whether output channels have steps of their own.
    """
    configs = {}
    for layer in model.layers:
        if type(layer).__name__ in KERNELS:
            weight, channel_axes = KERNELS[type(layer).__name__]
            # Behind what TFLite fuses the output is quantized; tfmot's own
            # way, within the activation, knows no relu6.
            is_fused = layer.get_config()["activation"] in _FUSED
            configs[layer.name] = Int4QuantizeConfig(
                [weight],
                [] if is_fused else ["activation"],
                is_fused,
                channel_axes if per_channel else 0,
            )
    return configs


def start_steps(model: keras.Model, layers: Iterable[str]) -> None:
    """Fits the steps of a quantized model to its kernels.

    Args:
        model: What tfmot quantized.
        layers: Names of the float layers that have steps now.

    Raises:
        ConversionError: If tfmot took another configuration.
    """
    for name in layers:
        layer = model.get_layer(f"quant_{name}")
        # tfmot puts what it quantized in the place of `layer.layer.kernel`.
        weights = {w.name.split("/")[-1]: w for w in layer.weights}
        attribute, _ = KERNELS[type(layer.layer).__name__]
        steps = weights.get(f"{attribute}_step:0")
        if steps is None:
            raise ConversionError(
                f"Layer '{name}': expected ReLU() or ReLU(6) behind a kernel "
                "of four bits, if any ReLU. Received: another one, for which "
                "tensorflow-model-optimization leaves the kernel as it is. "
                "Replace it, or quantize with `kernel_bits=8`."
            )
        kernel = weights[f"{attribute}:0"].numpy()
        columns = kernel.reshape(-1, steps.numpy().size)
        fitted = fit_steps(columns.astype(np.float64))
        steps.assign(fitted.reshape(steps.shape))
