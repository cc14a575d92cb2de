import functools
import subprocess
import sys

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import (
    ConversionError,
    HyperPointwise,
    freeze,
    integer,
    quantize_model,
)
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.kernel_search import find_kernel_tensors
from keras_hypertinypw.quantization import find_layers
from keras_hypertinypw.spec import CODE_BITS

layers = keras.layers
IMAGE_SHAPE = keras_models.IMAGE_SHAPE

# int8 everywhere: a few steps of 1/255 of each layer's range.
INT8_ERROR = 0.06


def image_model(code_bits=4, **options):
    return keras_models.image_model(
        keras_models.generator(code_bits), **options
    )


def float_error(model, quantized, inputs):
    """Returns the error of the outputs over their range."""
    expected = model.predict(inputs, verbose=0)
    found = quantized.predict(inputs, verbose=0)
    return np.abs(found - expected).max() / np.ptp(expected)


def test_calibration_gives_outputs_close_to_the_float_models():
    keras.utils.set_random_seed(21)
    model = keras_models.randomize(image_model(8))
    inputs = 5 * keras_models.noise((64, *IMAGE_SHAPE))
    quantized = quantize_model(model, calibration_data=inputs)
    assert float_error(model, quantized, inputs) < INT8_ERROR


def test_without_calibration_ranges_start_at_6():
    keras.utils.set_random_seed(21)
    model = keras_models.randomize(image_model(8))
    inputs = 20 * keras_models.noise((64, *IMAGE_SHAPE))
    assert float_error(model, quantize_model(model), inputs) > INT8_ERROR


def test_calibration_reaches_layers_whose_names_say_kernel():
    inputs = keras.Input(IMAGE_SHAPE)
    x = HyperPointwise(5, keras_models.generator(8), name="kernel_a")(inputs)
    model = keras.Model(inputs, layers.Conv2D(3, 1, name="kernel_b")(x))
    data = 20 * keras_models.noise((64, *IMAGE_SHAPE))
    quantized = quantize_model(model, calibration_data=data)
    assert float_error(model, quantized, data) < INT8_ERROR


@functools.cache
def two_inputs():
    image, vector = keras.Input(IMAGE_SHAPE), keras.Input((3,))
    x = HyperPointwise(5, keras_models.generator(8))(image)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Concatenate()([x, layers.Dense(4)(vector)])
    model = keras.Model([image, vector], [layers.Dense(3)(x), x])
    data = [30 * keras_models.noise((64, *IMAGE_SHAPE)), vector_data()]
    return model, quantize_model(model, calibration_data=data), data


def vector_data():
    return 9 * keras_models.noise((64, 3), seed=1)


def test_models_with_two_inputs_and_outputs_calibrate():
    model, quantized, data = two_inputs()
    pairs = zip(model(data), quantized(data), strict=True)
    for expected, found in pairs:
        error = np.abs(found - expected).max() / np.ptp(expected)
        assert error < INT8_ERROR


def test_two_inputs_and_outputs_convert():
    _, quantized, _ = two_inputs()
    graph = read_model(freeze(quantized).dense_model).subgraphs[0]
    assert len(graph.inputs) == len(graph.outputs) == 2


def test_branches_keep_their_own_weights():
    # The order of layers by depth is not the order of their creation.
    inputs = keras.Input(IMAGE_SHAPE)
    shared = keras_models.generator(8)
    short = HyperPointwise(5, shared, name="short")(inputs)
    x = HyperPointwise(5, shared, name="long_0")(inputs)
    x = HyperPointwise(5, shared, name="long_1")(x)
    model = keras_models.randomize(
        keras.Model(inputs, layers.Add()([x, short]))
    )
    data = keras_models.noise((64, *IMAGE_SHAPE))
    quantized = quantize_model(model, calibration_data=data)
    for new in find_layers(quantized):
        old = model.get_layer(new.name)
        np.testing.assert_array_equal(new.codes, old.codes)
        np.testing.assert_array_equal(new.bias, old.bias)
    assert float_error(model, quantized, data) < INT8_ERROR


def moved_weights(model):
    """Names of trainable weights, and whether an epoch moved each."""
    inputs = keras_models.noise((96, *IMAGE_SHAPE))
    labels = np.arange(96) % keras_models.NUM_CLASSES
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.fit(inputs, labels, batch_size=16, verbose=0)
    return {
        f"{index} {weight.name}": bool(np.any(weight.numpy() != old))
        for index, (weight, old) in enumerate(
            zip(model.trainable_weights, before, strict=True)
        )
    }


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_every_trainable_weight_moves_in_one_epoch(code_bits, quantized):
    keras.utils.set_random_seed(22)
    shared = keras_models.generator(code_bits, use_skip=True)
    model = keras_models.image_model(shared)
    moved = moved_weights(quantize_model(model) if quantized else model)
    # Codes, scales and biases of two layers, five of the generator, four.
    assert len(moved) == 6 + 5 + 4
    assert moved == dict.fromkeys(moved, True)


@pytest.mark.parametrize("name", ["first", "depthwise", "logits"])
def test_frozen_layers_stay_frozen(name):
    model = image_model()
    model.get_layer(name).trainable = False
    quantized = quantize_model(model)
    wrapper = quantized.get_layer(f"quant_{name}")
    assert not wrapper.trainable_weights
    assert len(quantized.trainable_weights) == len(model.trainable_weights)
    kept = {w.name.split("/")[-1]: w.numpy() for w in wrapper.weights}
    for weight in model.get_layer(name).weights:
        np.testing.assert_array_equal(kept[weight.name.split("/")[-1]], weight)


def test_regularizers_survive_quantization():
    model = image_model(code_regularizer="l2", bias_regularizer="l2")
    assert len(quantize_model(model).losses) == len(model.losses) == 4


def test_the_model_passed_in_does_not_change():
    model = keras_models.randomize(image_model())
    config, weights = model.get_config(), model.get_weights()
    quantize_model(
        model, calibration_data=keras_models.noise((8, *IMAGE_SHAPE))
    )
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_dense_kernels_are_what_the_codes_synthesize():
    frozen = freeze(keras_models.quantized_image_model())
    stored = find_kernel_tensors(read_model(frozen.dense_model))
    assert [spec.layer_name for spec in frozen.specs] == ["first", "second"]
    for spec in frozen.specs:
        kernel = integer.synthesize(spec)
        assert len(np.unique(kernel)) > 8
        assert any(np.array_equal(kernel, other.data) for other in stored)


def test_stored_networks_quantize_and_convert_too():
    model = keras_models.ds_cnn((12, 8, 1), 4, width=8, num_blocks=1)
    data = keras_models.noise((32, 12, 8, 1))
    quantized = quantize_model(model, calibration_data=data)
    assert len(to_dense_tflite(quantized)) > 1000


KERAS_3 = """
import keras_hypertinypw, keras
inputs = keras.Input((8, 8, 3))
model = keras.Model(inputs, keras.layers.Conv2D(4, 1)(inputs))
try:
    keras_hypertinypw.quantize_model(model)
except TypeError as error:
    print(error)
"""


def test_a_keras_3_model_gets_one_clear_sentence():
    done = subprocess.run(
        [sys.executable, "-c", KERAS_3], capture_output=True, text=True
    )
    assert "Expected a tf_keras model" in done.stdout, done.stderr
    assert "Keras 3" in done.stdout
    assert "import tf_keras as keras" in done.stdout


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def unbuilt():
    return keras.Sequential([layers.Dense(3)])


@pytest.mark.parametrize("build", [Subclassed, unbuilt])
def test_a_model_that_is_no_graph_gets_one_clear_sentence(build):
    with pytest.raises(ConversionError, match="functional.*`keras.Input`"):
        quantize_model(build())


@pytest.mark.parametrize("value", [None, "model.keras", layers.Dense(3)])
def test_what_is_no_model_is_an_error(value):
    with pytest.raises(TypeError, match="Expected a tf_keras model"):
        quantize_model(value)


def test_a_model_that_is_quantized_already_is_an_error():
    with pytest.raises(ConversionError, match="expected a float model"):
        quantize_model(keras_models.quantized_image_model())


@pytest.mark.parametrize("num_bits", [4, 16, "8"])
def test_other_bits_than_8_are_an_error(num_bits):
    with pytest.raises(ValueError, match="`num_bits`.*Received: num_bits="):
        quantize_model(image_model(), num_bits=num_bits)


def test_an_activation_that_cannot_be_fused_is_an_error():
    inputs = keras.Input(IMAGE_SHAPE)
    layer = HyperPointwise(
        5, keras_models.generator(), activation="tanh", name="pw"
    )
    with pytest.raises(ConversionError, match="'pw'.*'relu6'.*'tanh'"):
        quantize_model(keras.Model(inputs, layer(inputs)))


def test_a_layer_that_tfmot_does_not_know_is_an_error():
    inputs = keras.Input(IMAGE_SHAPE)
    model = keras.Model(inputs, layers.LayerNormalization(name="n")(inputs))
    with pytest.raises(ConversionError, match="optimization quantizes.*n:"):
        quantize_model(model)


@pytest.mark.parametrize(
    "function", [layers.Lambda(abs), abs], ids=["lambda", "abs"]
)
def test_a_function_in_the_place_of_a_layer_is_an_error(function):
    inputs = keras.Input(IMAGE_SHAPE)
    model = keras.Model(inputs, function(inputs))
    with pytest.raises(ConversionError, match="Lambda. Use layers"):
        quantize_model(model)


def test_freeze_needs_a_generated_layer():
    inputs = keras.Input(IMAGE_SHAPE)
    model = keras.Model(inputs, layers.Conv2D(3, 1)(inputs))
    with pytest.raises(ConversionError, match="at least one HyperPointwise"):
        freeze(quantize_model(model))


def test_freeze_needs_a_quantized_model():
    with pytest.raises(ConversionError, match="'generator'.*`quantize_model`"):
        freeze(image_model())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["codes", "scale", "kernel_1", "kernel"])
def test_freeze_refuses_what_is_not_finite(name, value):
    quantized = keras_models.quantized_image_model()
    weight = next(
        weight
        for weight in quantized.weights
        if weight.name.split("/")[-1] == f"{name}:0"
    )
    kept = weight.numpy()
    weight.assign(np.where(np.arange(weight.shape[-1]) == 0, value, kept))
    try:
        with pytest.raises(ConversionError, match=f"{name}:0.*NaN or infinite"):
            freeze(quantized)
    finally:
        weight.assign(kept)


def test_freeze_refuses_accumulators_that_could_overflow():
    shared = keras_models.generator(8, code_dim=16, use_skip=True, name="huge")
    quantized = quantize_model(keras_models.image_model(shared))
    generator = keras_models.only_generator(quantized)
    keras_models.set_weight(generator.skip_kernel, 3.9)
    keras_models.set_weight(generator.kernels[-1], 1e-4)
    with pytest.raises(ConversionError, match="'huge'.*below 2\\*\\*24"):
        freeze(quantized)


def test_freeze_needs_inputs_of_known_size():
    inputs = keras.Input((None, None, 4))
    x = HyperPointwise(5, keras_models.generator())(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x), name="any")
    with pytest.raises(ConversionError, match="'any'.*inputs of fixed size"):
        freeze(quantize_model(model))
