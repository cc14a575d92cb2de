import keras_models
import numpy as np
import pytest

from keras_hypertinypw import freeze, integer
from keras_hypertinypw.kernel_errors import relative_error, synthesis_errors
from keras_hypertinypw.quantization import find_layers


@pytest.mark.parametrize(
    ("kernel", "error"),
    [([3.0, 4.0], 0), ([0.0, 0.0], 1), ([3.0, 3.0], 0.2), ([-3.0, -4.0], 2)],
)
def test_relative_error_is_of_norms(kernel, error):
    reference = np.array([3.0, 4.0])
    assert relative_error(np.array(kernel), reference) == pytest.approx(error)


def test_a_reference_of_zeros_has_no_scale():
    zeros = np.zeros(3)
    assert relative_error(zeros, zeros) == 0
    assert relative_error(np.ones(3), zeros) == np.inf


def real_kernel(layer):
    """The generator in float64, by hand: codes rounded, nothing else."""
    generator = layer.generator
    # Codes of four bits: odd levels, learned in steps of 1/32, read as of 1/4.
    codes = layer.codes.numpy().astype(np.float64) * 32
    hidden = (2 * np.floor(codes / 2) + 1) / 4
    (first, last), (first_bias, last_bias) = generator.kernels, generator.biases
    hidden = np.maximum(hidden @ first.numpy() + first_bias.numpy(), 0)
    blocks = hidden @ last.numpy() + last_bias.numpy()
    rows = blocks.reshape(-1)[: layer.filters * layer.channels]
    return rows.reshape(layer.filters, -1) * layer.scale.numpy()[:, None]


def test_synthesis_errors_compare_the_file_with_real_numbers():
    model = keras_models.quantized_image_model()
    errors = synthesis_errors(model)
    specs = {spec.layer_name: spec for spec in freeze(model).specs}
    for layer in find_layers(model):
        integers = integer.synthesize(specs[layer.name])[:, 0, 0]
        scales = np.abs(layer.scale.numpy())[:, None] * 2.0**-5
        expected = relative_error(integers * scales, real_kernel(layer))
        assert errors[layer.name] == pytest.approx(expected, rel=1e-3)
        assert 0.001 < expected < 0.1


def test_the_model_stays_quantized():
    model = keras_models.quantized_image_model()
    before = [layer.kernel.numpy() for layer in find_layers(model)]
    synthesis_errors(model)
    for layer, kernel in zip(find_layers(model), before, strict=True):
        assert layer.generator.quantized
        np.testing.assert_array_equal(layer.kernel, kernel)
