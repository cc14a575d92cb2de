import threading

import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import BaseGenerator, WeightGenerator, generator_scope
from keras_hypertinypw.generator import resolve_generator
from keras_hypertinypw.layers import code_spread
from keras_hypertinypw.spec import CODE_BITS

SERIALIZED = keras.saving.serialize_keras_object


def codes_of(generator: WeightGenerator, num_blocks: int) -> tf.Tensor:
    spread = code_spread(generator.code_bits)
    initializer = keras.initializers.TruncatedNormal(stddev=spread, seed=3)
    return initializer((num_blocks, generator.code_dim))


@pytest.mark.parametrize("hidden_units", [(), (5,), (5, 4, 3)])
def test_maps_codes_to_blocks(hidden_units):
    generator = keras_models.generator(hidden_units=hidden_units)
    assert generator(codes_of(generator, 7)).shape == (7, 10)
    assert len(generator.weights) == 2 * len(hidden_units) + 2


@pytest.mark.parametrize("use_skip", [False, True])
@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_blocks_start_with_about_unit_variance(code_bits, use_skip):
    keras.utils.set_random_seed(4)
    generator = WeightGenerator(code_bits=code_bits, use_skip=use_skip)
    deviation = np.std(generator(codes_of(generator, 200)))
    # A code of 1 bit has variance 1, one of 2 bits 1.25 before clipping.
    assert 0.6 < deviation < 1.5


def test_quantized_blocks_lie_on_the_int8_grid():
    generator = keras_models.generator(use_skip=True)
    generator.quantized = True
    steps = generator(codes_of(generator, 50)).numpy() * 32
    np.testing.assert_array_equal(steps, np.floor(steps))
    assert np.abs(steps).max() <= 127
    assert len(np.unique(steps)) > 50


def test_quantization_changes_blocks_little():
    generator = keras_models.generator(use_skip=True)
    codes = codes_of(generator, 50)
    exact = generator(codes).numpy()
    generator.quantized = True
    # Steps of weights, hidden units (1/16) and outputs (1/32), summed.
    assert np.abs(generator(codes) - np.clip(exact, -3.9, 3.9)).max() < 0.25


def test_skip_is_linear_in_the_codes():
    generator = keras_models.generator(hidden_units=(), use_skip=True)
    codes = codes_of(generator, 6)
    generator.build((None, 3))
    keras_models.set_weight(generator.kernels[0], 0.0)
    levels = tf.floor(codes * 16) / 2 + 0.25
    expected = tf.matmul(levels, generator.skip_kernel)
    np.testing.assert_allclose(generator(codes), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"code_dim": 0},
        {"code_dim": 129},
        {"code_bits": 3},
        {"code_bits": "8"},
        {"block_size": -1},
        {"block_size": 4097},
        {"block_size": 2.5},
        {"hidden_units": (257,)},
        {"hidden_units": (0,)},
        {"hidden_units": (4, 4, 4, 4)},
        {"hidden_units": 16},
    ],
    ids=str,
)
def test_arguments_beyond_the_format_are_errors(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        WeightGenerator(**arguments)


def test_code_bits_become_an_integer():
    assert type(WeightGenerator(code_bits=4.0).code_bits) is int


def test_another_generator_says_what_it_must_implement():
    with pytest.raises(NotImplementedError):
        BaseGenerator(4, 8, 16).quantized_layers()


def test_a_scope_makes_equal_names_one_generator():
    config = SERIALIZED(keras_models.generator())
    with generator_scope():
        assert resolve_generator(config) is resolve_generator(config)


def test_without_a_scope_every_config_is_another_generator():
    config = SERIALIZED(keras_models.generator())
    assert resolve_generator(config) is not resolve_generator(config)


def test_a_scope_ends_where_it_is_left():
    config = SERIALIZED(keras_models.generator())
    with generator_scope():
        outer = resolve_generator(config)
        with pytest.raises(RuntimeError, match="inside"), generator_scope():
            assert resolve_generator(config) is not outer
            raise RuntimeError("inside")
        assert resolve_generator(config) is outer


def test_a_scope_is_of_one_thread():
    config = SERIALIZED(keras_models.generator())
    found = []
    with generator_scope():
        inside = resolve_generator(config)
        thread = threading.Thread(
            target=lambda: found.append(resolve_generator(config))
        )
        thread.start()
        thread.join()
    assert found[0] is not inside


def test_one_name_with_two_configurations_is_an_error():
    with generator_scope():
        resolve_generator(SERIALIZED(keras_models.generator(4)))
        with pytest.raises(ValueError, match="'generator'.*different names"):
            resolve_generator(SERIALIZED(keras_models.generator(8)))


def test_a_generator_itself_is_taken_as_it_is():
    generator = keras_models.generator()
    with generator_scope():
        assert resolve_generator(generator) is generator
