"""Quantization-aware training: tfmot for ordinary layers, ours for the rest."""

from __future__ import annotations

import functools
from typing import Any

import tf_keras as keras

from keras_hypertinypw.calibration import calibrate
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.generator import BaseGenerator, generator_scope
from keras_hypertinypw.int4_values import INT4_BITS, require_kernel_steps
from keras_hypertinypw.keras_checks import (
    all_layers,
    require_float_layers,
    require_functional,
)
from keras_hypertinypw.kernel_quantizer import (
    Int4QuantizeConfig,
    int4_configs,
    start_steps,
)
from keras_hypertinypw.layers import HyperPointwise
from keras_hypertinypw.model_graph import ModelGraph
from keras_hypertinypw.rewriting import rewritten_graph
from keras_hypertinypw.tfmot import tfmot

_tfmot = tfmot.quantization.keras


class HyperPointwiseQuantizeConfig(tfmot.quantization.keras.QuantizeConfig):
    """Quantizes a HyperPointwise's output; the layer does its own kernel."""

    def get_weights_and_quantizers(self, layer: Any) -> list:
        """The kernel is fake-quantized inside the layer."""
        return []

    def get_activations_and_quantizers(self, layer: Any) -> list:
        """The activation runs unchanged, before the output quantizer."""
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        """Nothing to set."""
        return None

    def set_quantize_activations(
        self, layer: Any, quantize_activations: Any
    ) -> None:
        """Nothing to set."""
        return None

    def get_output_quantizers(self, layer: Any) -> list:
        """As tfmot quantizes activations: 8 bits, moving average of ranges."""
        return [
            _tfmot.quantizers.MovingAverageQuantizer(
                num_bits=8, per_axis=False, symmetric=False, narrow_range=False
            )
        ]

    def get_config(self) -> dict:
        """It has no parameters."""
        return {}


def quantize_model(
    model: keras.Model,
    *,
    num_bits: int = 8,
    kernel_bits: int = 8,
    kernel_per_channel: bool = True,
    calibration_data: Any = None,
) -> keras.Model:
    """Returns a copy of a model for quantization-aware training.

    Models inside the model become layers, a BatchNormalization behind a
    convolution is folded, separable layers are split in two, 1-D layers
    become 2-D ones, and generators, codes and kernels are fake-quantized with
    the integer arithmetic of `integer.py`. The model passed in is unchanged.
    A quantized model does not reload from `.keras`: build the float model
    again, call `quantize_model`, then `load_weights`.

    Args:
        model: A built functional or sequential tf_keras model.
        num_bits: Bits of activations; TFLM runs 8.
        kernel_bits: Bits of the stored kernels of convolutions, depthwise
            convolutions and Dense layers: 8, or 4 with steps that train. The
            int8 `.tflite` then holds integers in [-7, 7] and `pack_int4`
            loses nothing.
        kernel_per_channel: Whether each output channel of a stored kernel has
            a scale of its own (one for all in Dense, with four bits). One for
            all takes 4 bytes less per channel, with `kernel_bits=4` alone.
            Sizes of channels are balanced first, between convolutions that
            follow one another, with ReLU, padding, pooling or Dropout between
            them or nothing; a generated kernel takes no part in that.
        calibration_data: A few hundred inputs of the model, to start the
            activations' ranges from. Without it they start at tfmot's
            [-6, 6], the inputs' at nothing, and take thousands of steps of
            training to settle.

    Raises:
        TypeError: If `model` is not a tf_keras model.
        ConversionError: If a layer cannot be quantized, is called twice or
            is quantized already, or two generators have the same name.
        ValueError: If `num_bits` is not 8, `kernel_bits` neither 8 nor 4,
            or 8 with one step for all channels, or the calibration data are
            not finite numbers.
    """
    require_functional(model)
    if num_bits != 8:
        raise ValueError(
            f"Expected `num_bits` to be 8, what TFLM's kernels run. "
            f"Received: num_bits={num_bits}."
        )
    require_kernel_steps(kernel_bits, kernel_per_channel=kernel_per_channel)
    require_float_layers(model)
    find_generators(model)
    graph = rewritten_graph(
        model, kernel_bits=kernel_bits, kernel_per_channel=kernel_per_channel
    )
    _mark_quantized(graph)
    folded = graph.build_model()
    with (
        generator_scope(),
        _tfmot.quantize_scope(
            {
                "HyperPointwiseQuantizeConfig": HyperPointwiseQuantizeConfig,
                "Int4QuantizeConfig": Int4QuantizeConfig,
            }
        ),
    ):
        configs = {}
        if kernel_bits == INT4_BITS:
            configs = int4_configs(folded, per_channel=kernel_per_channel)
        annotate = functools.partial(_annotate, configs=configs)
        annotated = keras.models.clone_model(folded, clone_function=annotate)
        annotated.set_weights(folded.get_weights())
        quantized = _quantize_apply(annotated)
    start_steps(quantized, configs)
    _keep_frozen(quantized)
    if calibration_data is not None:
        calibrate(quantized, calibration_data)
    return quantized


class _OnlyCodes(keras.Model):
    """Trains the codes of its HyperPointwise layers."""

    @property
    def trainable_weights(self) -> list:
        """The codes; tfmot's wrappers train a kernel whatever they say."""
        return [layer.codes for layer in find_layers(self)]


def freeze_all_but_codes(model: keras.Model) -> keras.Model:
    """Returns a model that trains the codes of a quantized one, only them.

    It shares every weight with the model passed in. Scales, biases, other
    kernels, the generator and the activations' ranges stay as they are, so a
    file converted afterwards differs in its codes alone.

    Args:
        model: What `quantize_model` returned, trained.

    Raises:
        ConversionError: If the model has no HyperPointwise layer, or is not
            quantized.
    """
    layers = find_layers(model)
    if not layers or not layers[0].generator.quantized:
        raise ConversionError(
            f"Model '{model.name}': expected HyperPointwise layers, quantized. "
            f"Received: {len(layers)} such layers. Call `quantize_model` and "
            "train it first."
        )
    # Where nothing is in training, ranges do not move.
    outputs = model(model.inputs, training=False)
    return _OnlyCodes(model.inputs, outputs, name=model.name)


class _FixedCodes(keras.Model):
    """Trains all but coarse codes."""

    @property
    def trainable_weights(self) -> list:
        """Every trainable weight but codes of less than eight bits."""
        codes = [id(layer.codes) for layer in _coarse_layers(self)]
        return [w for w in super().trainable_weights if id(w) not in codes]


def freeze_codes(model: keras.Model) -> keras.Model:
    """Returns a model that trains all of another one but its coarse codes.

    Those are codes of one, two or four bits. Near the edge of a level they
    go to and fro from step to step, and each step changes the weights of a
    block by much of their size, too much for a model that is to settle.
    `train` learns them in float, and fine-tunes the quantized model around
    them. Codes of eight bits go on learning.

    It shares every weight with the model passed in, which is returned itself
    if it has no such codes.

    Args:
        model: A float model, or what `quantize_model` returned.
    """
    if not _coarse_layers(model):
        return model
    return _FixedCodes(model.inputs, model.outputs, name=model.name)


def _coarse_layers(model: keras.Model) -> list[HyperPointwise]:
    layers = find_layers(model)
    return [layer for layer in layers if layer.generator.code_bits < 8]


def find_layers(model: keras.Model) -> list[HyperPointwise]:
    """Returns the HyperPointwise layers of a float or quantized model."""
    layers = [getattr(layer, "layer", layer) for layer in all_layers(model)]
    return [layer for layer in layers if isinstance(layer, HyperPointwise)]


def find_generators(model: keras.Model) -> list[BaseGenerator]:
    """Returns the distinct generators of a model.

    Raises:
        ConversionError: If two generators have the same name, as happens
            when layers are cloned or loaded outside a `generator_scope`.
    """
    owners: dict[str, HyperPointwise] = {}
    for layer in find_layers(model):
        owner = owners.setdefault(layer.generator.name, layer)
        if owner.generator is not layer.generator:
            raise ConversionError(
                f"Layers '{owner.name}' and '{layer.name}': expected one "
                f"generator named '{layer.generator.name}'. Received: two, "
                "from different scopes. Clone and load models inside "
                "`keras_hypertinypw.generator_scope()`, or name the "
                "generators differently."
            )
    return [layer.generator for layer in owners.values()]


def _mark_quantized(graph: ModelGraph) -> None:
    for name in graph.names("HyperPointwise"):
        config = graph.config(name)
        if config["activation"] not in ("linear", "relu", "relu6"):
            raise ConversionError(
                f"Layer '{name}': expected activation None, 'relu' or "
                f"'relu6'. Received: {config['activation']!r}. Put others "
                "into an Activation layer of their own."
            )
        config["generator"]["config"]["quantized"] = True


def _annotate(
    layer: keras.layers.Layer, configs: dict[str, Int4QuantizeConfig]
) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.InputLayer):
        return layer.__class__.from_config(layer.get_config())
    copy = layer.__class__.from_config(layer.get_config())
    if isinstance(layer, HyperPointwise):
        config = HyperPointwiseQuantizeConfig()
        return _tfmot.quantize_annotate_layer(copy, config)
    return _tfmot.quantize_annotate_layer(copy, configs.get(layer.name))


def _quantize_apply(annotated: keras.Model) -> keras.Model:
    try:
        return _tfmot.quantize_apply(annotated)
    except (RuntimeError, TypeError, ValueError) as error:
        # What it advises next is not for users of this package.
        reason = str(error).split(" You can quantize")[0].rstrip(".")
        raise ConversionError(
            "Expected layers that tensorflow-model-optimization quantizes. "
            f"Received: {reason}. Replace that layer by others."
        ) from error


def _keep_frozen(model: keras.Model) -> None:
    """Freezes what was frozen: tfmot trains every kernel regardless."""
    for layer in model.layers:
        if not layer.trainable:
            layer._non_trainable_weights += layer._trainable_weights
            layer._trainable_weights = []
