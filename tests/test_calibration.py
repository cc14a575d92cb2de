"""Activation ranges come from the calibration data, whatever their size."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import HyperPointwise, quantize_model
from keras_hypertinypw.calibration import require_ranges
from keras_hypertinypw.errors import ConversionError

SHAPE = (16, 4)


def build(gain=1.0, layer=None):
    keras.utils.set_random_seed(5)
    inputs = keras.Input(SHAPE)
    x = HyperPointwise(8, keras_models.generator(), activation="relu")(inputs)
    x = layer(x) if layer else x
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([gain * kernel, gain * bias])
    return model


def draw(scale=1.0):
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(256, *SHAPE))).astype(np.float32)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_outputs_stay_close_at_every_scale(scale):
    model, inputs = build(), draw(scale)
    quantized = quantize_model(model, calibration_data=inputs)
    expected = model.predict(inputs, verbose=0)
    outputs = quantized.predict(inputs, verbose=0)
    # 8 bits over the range of the outputs, at every layer.
    assert np.abs(outputs - expected).mean() < 0.03 * np.ptp(expected)


def test_ranges_hold_zero_and_the_outputs():
    inputs = draw(1e-4)
    quantized = quantize_model(build(), calibration_data=inputs)
    outputs = quantized.predict(inputs, verbose=0)
    last = {w.name.split("_")[-1]: w.numpy() for w in quantized.weights[-2:]}
    require_ranges(quantized)
    assert np.ptp(outputs) > 0
    assert all(abs(value) < 0.1 for value in last.values())


def test_dropout_neither_widens_ranges_nor_is_lost():
    dropout = keras.layers.Dropout(0.5, name="dropout")
    plain, dropped = build(), build(layer=dropout)
    inputs = draw()
    expected = quantize_model(plain, calibration_data=inputs)
    found = quantize_model(dropped, calibration_data=inputs)
    np.testing.assert_array_equal(found(inputs), expected(inputs))
    assert found.get_layer("quant_dropout").layer.rate == 0.5


def test_a_model_neither_trained_nor_calibrated_is_refused():
    with pytest.raises(ConversionError, match="calibration_data"):
        require_ranges(quantize_model(build()))


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((0, *SHAPE)),
        np.full((4, *SHAPE), np.nan),
        np.full((4, *SHAPE), np.inf),
        np.zeros((4, *SHAPE), complex),
        np.array(["a", "b"]),
    ],
    ids=["none", "nan", "infinity", "complex", "text"],
)
def test_unusable_data_is_refused(inputs):
    with pytest.raises(ValueError, match="calibration_data"):
        quantize_model(build(), calibration_data=inputs)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            draw()[:, :5],
            r"\(num_inputs, 16, 4\).*Received: shape=\(256, 5, 4\)",
        ),
        ([draw(), draw()], "each of 1 inputs.*Received: 2"),
    ],
    ids=["shape", "number"],
)
def test_data_that_do_not_fit_the_model_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        quantize_model(build(), calibration_data=inputs)


def test_integers_calibrate_too():
    inputs = np.random.default_rng(0).integers(-9, 9, (64, *SHAPE))
    require_ranges(quantize_model(build(), calibration_data=inputs))
