"""One generator stays one generator, wherever Keras rebuilds layers."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import (
    ConversionError,
    freeze,
    generator_scope,
    load_model,
    quantize_model,
)
from keras_hypertinypw.quantization import find_generators, find_layers

INPUTS = keras_models.noise((4, *keras_models.IMAGE_SHAPE))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(6)
    return keras_models.randomize(
        keras_models.image_model(keras_models.generator())
    )


def require_same(clone, model):
    first, second = find_layers(clone)
    assert first.generator is second.generator
    assert first.generator is not keras_models.only_generator(model)
    assert len(clone.weights) == len(model.weights)
    np.testing.assert_array_equal(clone(INPUTS), model(INPUTS))


def test_clone_keeps_one_generator(model):
    with generator_scope():
        clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    require_same(clone, model)


def test_load_model_keeps_one_generator(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    require_same(load_model(path), model)
    require_same(load_model(str(path)), model)


def test_a_loaded_model_saves_and_loads_again(model, tmp_path):
    model.save(tmp_path / "first.keras")
    load_model(tmp_path / "first.keras").save(tmp_path / "second.keras")
    require_same(load_model(tmp_path / "second.keras"), model)


def test_two_loaded_models_do_not_share(model, tmp_path):
    model.save(tmp_path / "model.keras")
    with generator_scope():
        first, second = (load_model(tmp_path / "model.keras") for _ in "12")
    assert find_generators(first)[0] is not find_generators(second)[0]


def test_weights_load_into_a_rebuilt_model(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    rebuilt = keras_models.image_model(keras_models.generator())
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    require_same(rebuilt, model)


def test_quantization_keeps_one_generator(model):
    quantized = quantize_model(model)
    first, second = find_layers(quantized)
    assert first.generator is second.generator
    assert first.generator.quantized
    hyper = {id(w) for layer in (first, second) for w in layer.weights}
    assert len(hyper) == 3 + 3 + len(first.generator.weights)
    # What tfmot adds does not train.
    assert len(quantized.trainable_weights) == len(model.trainable_weights)


def test_quantization_leaves_the_generators_weights_alone(model):
    old = keras_models.only_generator(model)
    new = keras_models.only_generator(quantize_model(model))
    assert new is not old
    assert not old.quantized
    for before, after in zip(old.weights, new.weights, strict=True):
        np.testing.assert_array_equal(before, after)


def test_two_generators_of_one_shape_keep_their_own_weights():
    inputs = keras.Input(keras_models.IMAGE_SHAPE)
    x = inputs
    for name in ("one", "other"):
        generator = keras_models.generator(name=name)
        x = keras_models.HyperPointwise(5, generator, name=f"pw_{name}")(x)
    model = keras.Model(inputs, x)
    quantized = quantize_model(model)
    for new in find_layers(quantized):
        old = model.get_layer(new.name)
        for before, after in zip(old.weights, new.weights, strict=True):
            np.testing.assert_array_equal(before, after)


def test_a_quantized_models_weights_load_into_a_rebuilt_one(tmp_path):
    quantized = keras_models.quantized_image_model()
    quantized.save_weights(tmp_path / "model.weights.h5")
    rebuilt = quantize_model(keras_models.image_model(keras_models.generator()))
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(rebuilt(INPUTS), quantized(INPUTS))


def test_a_clone_without_scope_is_refused_with_both_layers_named(model):
    clone = keras.models.clone_model(model)
    with pytest.raises(
        ConversionError, match="'first' and 'second'.*generator_scope"
    ):
        quantize_model(clone)


def test_a_file_loaded_without_scope_is_refused(model, tmp_path):
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="'generator'.*load_model"):
        keras.models.load_model(tmp_path / "model.keras")


def test_freeze_refuses_two_generators_of_one_name():
    quantized = keras_models.quantized_image_model()
    first, second = find_layers(quantized)
    shared = second.generator
    second.generator = keras_models.generator()
    try:
        with pytest.raises(ConversionError, match="'first' and 'second'"):
            freeze(quantized)
    finally:
        second.generator = shared


def test_two_configurations_of_one_name_are_an_error_in_a_scope():
    inputs = keras.Input(keras_models.IMAGE_SHAPE)
    x = inputs
    for code_bits in (4, 8):
        generator = keras_models.generator(code_bits)
        x = keras_models.HyperPointwise(5, generator)(x)
    model = keras.Model(inputs, x)
    with (
        pytest.raises(ValueError, match="one configuration.*'generator'"),
        generator_scope(),
    ):
        keras.models.clone_model(model)
