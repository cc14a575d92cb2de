"""Faults in Keras models."""

from __future__ import annotations

import os
import sys
from unittest import mock

import keras as keras_3
import keras_models
import numpy as np
import tensorflow as tf
import tf_keras as keras
from faults import Registry

import keras_hypertinypw as htpw
from keras_hypertinypw import HyperPointwise, WeightGenerator

layers = keras.layers

BUILDING = Registry()
CONVERTING = Registry()

IMAGE = keras_models.IMAGE_SHAPE


def quantize(*middle, shape=IMAGE, **options):
    """Quantizes a model of these layers around a generated one."""
    inputs = x = keras.Input(shape)
    x = HyperPointwise(6, keras_models.generator(), name="pointwise")(x)
    for layer in middle:
        x = layer(x)
    return htpw.quantize_model(keras.Model(inputs, x, name="net"), **options)


@BUILDING.fault("`tensorflow` is imported before `keras_hypertinypw`")
def import_order(folder):
    loaded = {n: m for n, m in sys.modules.items() if n != "tf_keras"}
    environment = {
        n: v for n, v in os.environ.items() if n != "TF_USE_LEGACY_KERAS"
    }
    with (
        mock.patch.dict(sys.modules, loaded, clear=True),
        mock.patch.dict(os.environ, environment, clear=True),
    ):
        htpw._choose_legacy_keras()


@BUILDING.fault("a kernel smaller than a block of the generator")
def small_kernel(folder):
    inputs = keras.Input((5, 2))
    HyperPointwise(4, WeightGenerator(block_size=64), name="pw")(inputs)


@BUILDING.fault("`code_bits` out of range")
def code_bits(folder):
    WeightGenerator(code_bits=3)


@BUILDING.fault("`block_size` out of range")
def block_size(folder):
    WeightGenerator(block_size=100_000)


@BUILDING.fault("`hidden_units` of four layers")
def hidden_units(folder):
    WeightGenerator(hidden_units=(8, 8, 8, 8))


@BUILDING.fault("`filters` below 1")
def filters(folder):
    HyperPointwise(0, WeightGenerator())


@BUILDING.fault("a layer without a generator")
def no_generator(folder):
    HyperPointwise(8, None)


@BUILDING.fault("inputs of another rank")
def rank(folder):
    HyperPointwise(8, WeightGenerator(), name="pw")(keras.Input((7,)))


@BUILDING.fault("two generators of one name in a `generator_scope`")
def one_name_two_configurations(folder):
    serialize = keras.saving.serialize_keras_object
    with htpw.generator_scope():
        for bits in (4, 8):
            shared = serialize(keras_models.generator(bits))
            HyperPointwise.from_config({"filters": 8, "generator": shared})


@CONVERTING.fault("a Keras 3 model")
def keras_3_model(folder):
    inputs = keras_3.Input((8, 2))
    model = keras_3.Model(inputs, keras_3.layers.Conv1D(3, 1)(inputs))
    htpw.quantize_model(model)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@CONVERTING.fault("a subclassed model")
def subclassed(folder):
    htpw.quantize_model(Subclassed(name="own"))


@CONVERTING.fault("a model that is not built")
def unbuilt(folder):
    htpw.quantize_model(keras.Sequential([layers.Dense(3)], name="unbuilt"))


@CONVERTING.fault("mixed precision")
def mixed_precision(folder):
    quantize(layers.Conv2D(3, 1, dtype="mixed_float16", name="half"))


@CONVERTING.fault("a Lambda layer")
def lambda_layer(folder):
    quantize(layers.Lambda(abs, name="absolute"))


@CONVERTING.fault("an operator in the place of a layer")
def operator(folder):
    quantize(lambda x: x + 1.0)


@CONVERTING.fault("a causal Conv1D")
def causal(folder):
    conv = layers.Conv1D(2, 3, padding="causal", name="causal")
    quantize(conv, shape=(16, 3))


@CONVERTING.fault("a recurrent layer")
def recurrent(folder):
    quantize(layers.LSTM(2, name="memory"), shape=(16, 3))


@CONVERTING.fault("a batch norm without a convolution before it")
def batch_norm(folder):
    quantize(layers.ReLU(name="relu"), layers.BatchNormalization(name="norm"))


@CONVERTING.fault("a layer that is called twice")
def called_twice(folder):
    shared = layers.Conv2D(6, 1, name="shared")
    quantize(shared, shared)


@CONVERTING.fault("`channels_first`")
def channels_first(folder):
    layer = layers.GlobalAveragePooling2D(
        data_format="channels_first", name="pool"
    )
    quantize(layer)


@CONVERTING.fault("a layer that tensorflow-model-optimization lacks")
def unknown_layer(folder):
    quantize(layers.LayerNormalization(name="norm"))


@CONVERTING.fault("an activation that cannot be fused")
def activation(folder):
    inputs = keras.Input(IMAGE)
    layer = HyperPointwise(
        6, keras_models.generator(), activation="tanh", name="pointwise"
    )
    htpw.quantize_model(keras.Model(inputs, layer(inputs)))


@CONVERTING.fault("two generators of one name in a model")
def generator_clash(folder):
    second = HyperPointwise(6, keras_models.generator(8), name="second")
    quantize(second)


@CONVERTING.fault("a model that is quantized already")
def quantized_twice(folder):
    htpw.quantize_model(keras_models.quantized_image_model())


@CONVERTING.fault("other bits than 8")
def num_bits(folder):
    quantize(num_bits=4)


@CONVERTING.fault("calibration data of another shape")
def calibration_shape(folder):
    quantize(calibration_data=np.ones((64, 5, 5, 4), np.float32))


@CONVERTING.fault("calibration data with one input's shape, no batch")
def calibration_rank(folder):
    quantize(calibration_data=np.ones(7, np.float32))


@CONVERTING.fault("NaN in the calibration data")
def calibration_nan(folder):
    quantize(calibration_data=np.full((64, *IMAGE), np.nan, np.float32))


@CONVERTING.fault("a model that was never calibrated nor trained")
def uncalibrated(folder):
    htpw.convert_keras_model(quantize())


@CONVERTING.fault("a float model")
def float_model(folder):
    model = keras_models.image_model(keras_models.generator())
    htpw.convert_keras_model(model)


@CONVERTING.fault("a model without generated layers")
def nothing_generated(folder):
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, layers.Conv2D(3, 1)(inputs), name="stored")
    htpw.convert_keras_model(htpw.quantize_model(model))


@CONVERTING.fault("NaN among the weights, as after a training diverged")
def nan_weights(folder):
    model = keras_models.quantized_image_model()
    kept = model.get_weights()
    codes = next(w for w in model.weights if w.name.endswith("codes:0"))
    keras_models.set_weight(codes, np.nan)
    try:
        htpw.convert_keras_model(model)
    finally:
        model.set_weights(kept)


@CONVERTING.fault("inputs of unknown size")
def unknown_size(folder):
    pool = layers.GlobalAveragePooling2D(name="pool")
    htpw.convert_keras_model(quantize(pool, shape=(None, None, 4)))


@CONVERTING.fault("kernels made per inference, but at boot")
def boot_per_invoke(folder):
    htpw.convert_keras_model(
        keras_models.quantized_image_model(),
        residency="per_invoke",
        synthesis="boot",
    )


@CONVERTING.fault("an arena budget that no choice of kernels fits")
def small_budget(folder):
    model = keras_models.quantized_image_model()
    htpw.convert_keras_model(model, arena_budget=2000)


@CONVERTING.fault("an arena budget beside a residency")
def budget_and_residency(folder):
    htpw.convert_keras_model(
        keras_models.quantized_image_model(),
        residency="per_invoke",
        arena_budget=64 * 1024,
    )


@CONVERTING.fault("an arena budget of no bytes")
def no_budget(folder):
    model = keras_models.quantized_image_model()
    htpw.convert_keras_model(model, arena_budget=0)


@CONVERTING.fault("int16 inputs")
def input_type(folder):
    htpw.convert_keras_model(
        keras_models.quantized_image_model(), inference_input_type=tf.int16
    )


@CONVERTING.fault("`load_model` of a text file")
def load_text(folder):
    (folder / "model.keras").write_text("no archive")
    htpw.load_model(folder / "model.keras")
