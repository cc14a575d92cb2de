"""Gate 1: the float emulation equals the integer definition."""

import keras_models
import numpy as np
import pytest
import random_specs
import tensorflow as tf

from keras_hypertinypw import (
    ConversionError,
    HyperPointwise,
    WeightGenerator,
    fake_quant,
    freezing,
    integer,
)
from keras_hypertinypw.spec import CODE_BITS, decode_levels

TIES = np.array([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], np.float32)
TIES_ROUNDED = np.array([-3, -2, -1, 0, 1, 2, 3, 4], np.float32)


def emulated_blocks(spec):
    """What the float graph makes of a spec's integers."""
    generator = spec.generator
    layers = [
        fake_quant.QuantizedDense(
            tf.constant(layer.weights.T, tf.float32),
            tf.constant(layer.bias, tf.float32),
            tf.constant(layer.bias_shift, tf.float32),
            tf.constant(layer.shift, tf.float32),
        )
        for layer in generator.layers
    ]
    skip = None
    if generator.skip_weights is not None:
        skip = fake_quant.QuantizedSkip(
            tf.constant(generator.skip_weights.T, tf.float32),
            tf.constant(generator.skip_shift, tf.float32),
        )
    levels = tf.constant(spec.codes, tf.float32)
    return fake_quant.generate_blocks(levels, layers, skip).numpy()


def test_float_arithmetic_equals_integers_over_random_specs():
    rng = np.random.default_rng(2024)
    compared = []
    for spec in random_specs.random_specs(rng, 400):
        expected = integer.generate_blocks(spec.codes, spec.generator)
        np.testing.assert_array_equal(emulated_blocks(spec), expected)
        compared.append(expected.reshape(-1))
    assert len(np.unique(np.concatenate(compared))) == 255


def random_layer(rng, code_bits, num_hidden):
    """A built HyperPointwise of odd sizes, weights of any magnitude."""
    channels, filters = (int(size) for size in rng.integers(1, 24, 2))
    generator = WeightGenerator(
        tuple(int(units) for units in rng.integers(1, 30, num_hidden)),
        int(rng.integers(1, 20)),
        code_bits,
        int(rng.integers(1, channels * filters + 1)),
        use_skip=bool(rng.integers(2)),
    )
    generator.quantized = True
    layer = HyperPointwise(filters, generator)
    layer.build((None, 5, 5, channels))
    for weight in layer.weights:
        size = 2.0 ** rng.uniform(-4, 2)
        weight.assign(rng.normal(0, size, weight.shape))
    return layer


@pytest.mark.parametrize("num_hidden", range(4))
@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_frozen_layers_synthesize_what_training_saw(code_bits, num_hidden):
    rng = np.random.default_rng([code_bits, num_hidden])
    compared = 0
    for _ in range(8):
        layer = random_layer(rng, code_bits, num_hidden)
        try:
            generator = freezing._freeze_generator(layer.generator)
        except ConversionError:  # Accumulators beyond 2**24.
            continue
        compared += 1
        spec = freezing._freeze_layer(layer, generator)
        rows = integer.synthesize(spec).astype(np.float32)
        kernel, scales = (tensor.numpy() for tensor in layer.generate())
        expected = rows.reshape(rows.shape[0], -1).T * scales
        np.testing.assert_array_equal(kernel[0, 0], expected)
        quantized = np.floor(layer.kernel.numpy()[0, 0] / scales + 0.5)
        np.testing.assert_array_equal(quantized.T, rows[:, 0, 0])
    assert compared >= 4


def test_ties_round_up():
    rounded = fake_quant.round_half_up(tf.constant(TIES))
    np.testing.assert_array_equal(rounded, TIES_ROUNDED)
    np.testing.assert_array_equal(
        integer.rounding_right_shift((2 * TIES).astype(np.int32), 1),
        TIES_ROUNDED,
    )


def test_tensorflows_fake_quant_rounds_ties_up_too():
    kernel = tf.constant(TIES.reshape(1, 1, 8, 1))
    rounded = fake_quant.quantize_kernel(kernel, tf.constant([1.0]))
    np.testing.assert_array_equal(tf.reshape(rounded, -1), TIES_ROUNDED)


@pytest.mark.parametrize("shift", [1, 2, 7, 14, 22])
def test_requantize_equals_integers_around_every_tie(shift):
    ties = (2 * np.arange(-130, 131) + 1) << (shift - 1)
    acc = np.concatenate([ties - 1, ties, ties + 1])
    acc = acc[np.abs(acc) + (1 << (shift - 1)) < 1 << 24]
    for low in (0, -127):
        emulated = fake_quant.requantize(
            tf.constant(acc, tf.float32), tf.constant(float(shift)), float(low)
        )
        expected = integer.requantize(acc, shift, low)
        np.testing.assert_array_equal(emulated, expected)


@pytest.mark.parametrize("exponent", [-3, 0, 5, 14])
def test_largest_exponent_is_exact_at_its_boundary(exponent):
    limit = np.float32(127) / np.float32(2.0**exponent)
    above = np.nextafter(limit, np.float32(np.inf))
    found = [
        float(fake_quant.largest_exponent(tf.constant([0, -value]), -5, 14.0))
        for value in (limit, above)
    ]
    assert found == [exponent, exponent - 1]


@pytest.mark.parametrize(("value", "expected"), [(0.0, 9), (1e9, -5)])
def test_largest_exponent_stays_in_its_range(value, expected):
    found = fake_quant.largest_exponent(tf.constant([value]), -5, 9.0)
    assert float(found) == expected


@pytest.mark.parametrize("exponent", [-40, -24, -1, 0, 1, 24, 40])
def test_powers_of_two_are_exact(exponent):
    power = fake_quant.power_of_two(tf.constant(float(exponent)))
    assert float(power) == 2.0**exponent


# Codes, in levels, and the levels that they go to.
TABLE = {
    1: ([-9, -1e-6, 0, 9], [-1, -1, 1, 1]),
    2: ([-9, -2.01, -2, -0.01, 0, 1.99, 2, 9], [-3, -3, -1, -1, 1, 1, 3, 3]),
    4: (
        [-99, -15, -0.1, 0, 1.99, 2, 15, 99],
        [-15, -15, -1, 1, 1, 3, 15, 15],
    ),
    8: ([-999, -32, -0.5, 0, 0.5, 32, 999], [-127, -32, 0, 0, 1, 32, 127]),
}


@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_codes_go_to_the_levels_of_the_table(code_bits):
    codes, levels = TABLE[code_bits]
    learned = tf.constant(codes, tf.float32) / 2**fake_quant.LEARNED_EXPONENT
    found = fake_quant.code_levels(learned, code_bits)
    np.testing.assert_array_equal(found, levels)


@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_codes_reach_every_level_of_the_format(code_bits):
    codes = tf.linspace(-5.0, 5.0, 20001)
    found = np.unique(fake_quant.code_levels(codes, code_bits))
    levels = np.sort(decode_levels(np.arange(1 << code_bits), code_bits))
    # Training does not use -128.
    np.testing.assert_array_equal(found, levels[levels >= -127])


@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_codes_beyond_the_last_level_can_only_come_back(code_bits):
    codes = tf.constant([-9.0, -9.0, 0.0, 0.0, 9.0, 9.0])
    downhill = tf.constant([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(codes)
        loss = -tf.reduce_sum(
            fake_quant.code_levels(codes, code_bits) * downhill
        )
    steps = -tape.gradient(loss, codes) / 2**fake_quant.LEARNED_EXPONENT
    np.testing.assert_array_equal(steps, [0, 1, -1, 1, -1, 0])


def test_rounding_passes_gradients_unchanged():
    value = tf.constant([-1.3, 0.5, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(value)
        rounded = fake_quant.round_half_up(value) * [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(tape.gradient(rounded, value), [1, 2, 3])


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("code_bits", CODE_BITS)
def test_codes_and_generator_receive_gradients(code_bits, quantized):
    tf.random.set_seed(1)
    generator = keras_models.generator(code_bits, use_skip=True)
    generator.quantized = quantized
    layer = HyperPointwise(12, generator)
    inputs = keras_models.noise((2, 3, 3, 10))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs) * keras_models.noise((2, 3, 3, 12)))
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert len(gradients) == 8
    for weight, gradient in zip(
        layer.trainable_weights, gradients, strict=True
    ):
        assert np.isfinite(gradient).all(), weight.name
        assert np.any(gradient != 0), weight.name
