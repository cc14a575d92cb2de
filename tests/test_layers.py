import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import HyperPointwise, WeightGenerator
from keras_hypertinypw.quantization import (
    HyperPointwiseQuantizeConfig,
    find_layers,
    quantize_model,
)

# float32 sums in another order.
CONV_TOLERANCE = 1e-5


def regularized():
    return HyperPointwise(
        6,
        keras_models.generator(2, use_skip=True),
        strides=(2, 1),
        activation="relu6",
        use_bias=False,
        code_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=1),
        bias_initializer="ones",
        code_regularizer=keras.regularizers.L2(0.25),
        bias_regularizer="l1",
        scale_constraint="non_neg",
        name="regularized",
        trainable=False,
    )


EVERY_SERIALIZABLE = [
    keras_models.generator(),
    WeightGenerator((), use_skip=True, kernel_initializer="glorot_uniform"),
    HyperPointwise(3, keras_models.generator()),
    regularized(),
    HyperPointwiseQuantizeConfig(),
]


def type_name(value):
    return type(value).__name__


def ordinary(layer, rank):
    """The stored layer with the same kernel, bias, strides, activation."""
    cls = keras.layers.Conv1D if rank == 3 else keras.layers.Conv2D
    strides = layer.strides[0] if rank == 3 else layer.strides
    conv = cls(
        layer.filters,
        1,
        strides=strides,
        activation=layer.activation,
        use_bias=layer.use_bias,
    )
    conv.build((None, *[None] * (rank - 2), layer.channels))
    kernel = layer.kernel[0] if rank == 3 else layer.kernel
    conv.set_weights([kernel, layer.bias] if layer.use_bias else [kernel])
    return conv


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("activation", [None, "relu", "relu6", "tanh"])
@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((2, 9, 5), 1),
        ((2, 9, 5), 2),
        ((2, 8, 5), (3, 3)),
        ((2, 7, 6, 5), 1),
        ((2, 7, 6, 5), 2),
        ((2, 7, 6, 5), (1, 3)),
    ],
    ids=str,
)
def test_equals_the_stored_convolution(
    shape, strides, activation, use_bias, quantized
):
    generator = keras_models.generator()
    generator.quantized = quantized
    layer = HyperPointwise(
        4, generator, strides, activation, use_bias, bias_initializer="normal"
    )
    inputs = keras_models.noise(shape) * 3
    outputs = layer(inputs)
    expected = ordinary(layer, len(shape))(inputs)
    assert outputs.shape == layer.compute_output_shape(shape)
    np.testing.assert_allclose(outputs, expected, atol=CONV_TOLERANCE)


def test_output_shape_keeps_unknown_sizes():
    layer = HyperPointwise(4, keras_models.generator(), strides=2)
    shape = layer.compute_output_shape((None, None, 5, 3))
    assert shape.as_list() == [None, None, 3, 4]
    assert layer.compute_output_shape((7, 5, 3)).as_list() == [7, 3, 4]


def test_symbolic_shape_is_the_computed_one():
    inputs = keras.Input((9, 7, 3))
    layer = HyperPointwise(4, keras_models.generator(), strides=(2, 3))
    outputs = layer(inputs)
    expected = layer.compute_output_shape(inputs.shape)
    assert outputs.shape.as_list() == expected.as_list()


def test_samples_may_be_of_unknown_number():
    inputs = keras.Input((None, 5))
    layer = HyperPointwise(4, keras_models.generator(), strides=2)
    model = keras.Model(inputs, layer(inputs))
    assert model(keras_models.noise((2, 11, 5))).shape == (2, 6, 4)


def test_a_negative_scale_turns_the_row():
    layer = HyperPointwise(4, keras_models.generator())
    layer.build((None, 3, 5))
    kernel = layer.kernel.numpy()
    layer.scale.assign(layer.scale * [1, -1, 1, -1])
    np.testing.assert_array_equal(layer.kernel, kernel * [1, -1, 1, -1])


def test_a_scale_of_zero_keeps_its_int8_scale_positive():
    layer = HyperPointwise(4, keras_models.generator())
    layer.build((None, 3, 5))
    keras_models.set_weight(layer.scale, 0.0)
    kernel, scales = layer.generate()
    assert np.all(scales.numpy() > 0)
    assert np.abs(kernel).max() < 1e-5


def test_kernels_start_with_he_variance():
    keras.utils.set_random_seed(5)
    layer = HyperPointwise(64, WeightGenerator())
    layer.build((None, 8, 50))
    assert 0.7 < np.std(layer.kernel) / np.sqrt(2 / 50) < 1.4


def test_the_last_block_is_cut_off():
    layer = HyperPointwise(7, keras_models.generator(block_size=10))
    layer.build((None, 3, 5))
    assert layer.codes.shape == (4, 3)
    blocks = layer.generator(layer.codes).numpy().reshape(-1)
    rows = blocks[:35].reshape(7, 5) * layer.scale.numpy()[:, None]
    np.testing.assert_array_equal(layer.kernel[0, 0], rows.T)


def test_inside_constant_kernel_the_values_given_are_used():
    layer = HyperPointwise(4, keras_models.generator())
    inputs = keras_models.noise((2, 3, 5))
    before = layer(inputs)
    with layer.constant_kernel(np.zeros((1, 1, 5, 4), "f"), np.ones(4, "f")):
        assert not np.any(layer(inputs))
    np.testing.assert_array_equal(layer(inputs), before)


def test_widths_share_one_generator():
    shared = keras_models.generator()
    model = keras_models.image_model(shared)
    names = [weight.name for weight in model.weights]
    own = 3 + 3 + 2 + 2  # Codes, scale, bias twice; depthwise; dense.
    assert len(names) == own + len(shared.weights)
    assert shared is model.get_layer("second").generator


def test_in_a_graph_layers_share_one_trace_of_the_generator(monkeypatch):
    calls = []
    call = WeightGenerator.call

    def counted(self, codes):
        calls.append(codes.shape)
        return call(self, codes)

    monkeypatch.setattr(WeightGenerator, "call", counted)
    model = keras_models.image_model(keras_models.generator())
    images = keras_models.noise((2, *keras_models.IMAGE_SHAPE))
    outputs = tf.function(model)(images)
    assert calls == [[None, 3]]
    # Eagerly there is nothing to share.
    np.testing.assert_allclose(outputs, model(images), atol=CONV_TOLERANCE)
    assert len(calls) == 3


def test_call_takes_no_training_argument():
    # Keras passes `training` to a `call` whose signature it cannot read.
    layer = HyperPointwise(4, keras_models.generator())
    assert not layer._expects_training_arg


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 2, 2, 2, 5)], ids=str)
def test_wrong_rank_is_an_error(shape):
    layer = HyperPointwise(4, keras_models.generator(), name="pw")
    with pytest.raises(ValueError, match="'pw'.*rank 3 or 4.*shape="):
        layer.build(shape)


def test_unknown_channels_are_an_error():
    layer = HyperPointwise(4, keras_models.generator(), name="pw")
    with pytest.raises(ValueError, match="'pw'.*known channels"):
        layer.build((None, 8, None))


@pytest.mark.parametrize("filters", [0, -3, True, 2.5, "8", None, [4]], ids=str)
def test_filters_that_are_no_positive_integer_are_an_error(filters):
    with pytest.raises(ValueError, match="`filters`.*Received: filters="):
        HyperPointwise(filters, keras_models.generator())


def test_filters_may_be_numpys():
    layer = HyperPointwise(np.int64(4), keras_models.generator())
    assert type(layer.filters) is int


@pytest.mark.parametrize("other", [None, "generator", keras.layers.Dense(4)])
def test_no_generator_is_an_error(other):
    with pytest.raises(TypeError, match="`generator`.*BaseGenerator.*Received"):
        HyperPointwise(4, other)


@pytest.mark.parametrize("strides", [0, -1, True, 1.5, (1,), (1, 2, 3), (1, 0)])
def test_bad_strides_are_an_error(strides):
    with pytest.raises(ValueError, match="`strides`.*Received: strides="):
        HyperPointwise(4, keras_models.generator(), strides)


def test_two_strides_for_one_axis_are_an_error():
    layer = HyperPointwise(4, keras_models.generator(), (1, 2), name="pw")
    with pytest.raises(ValueError, match="'pw'.*one integer.*rank 3"):
        layer.build((None, 8, 5))


def test_a_kernel_below_one_block_is_an_error():
    layer = HyperPointwise(4, keras_models.generator(block_size=21), name="pw")
    with pytest.raises(ValueError, match="'pw'.*20 weights, block_size=21"):
        layer.build((None, 8, 5))


def test_a_kernel_of_one_block_is_not():
    layer = HyperPointwise(4, keras_models.generator(block_size=20))
    layer.build((None, 8, 5))
    assert layer.codes.shape[0] == 1


@pytest.mark.parametrize("value", EVERY_SERIALIZABLE, ids=type_name)
def test_config_round_trip(value):
    clone = type(value).from_config(value.get_config())
    assert clone.get_config() == value.get_config()


def test_config_holds_every_argument():
    config = regularized().get_config()
    assert config["strides"] == (2, 1)
    assert config["activation"] == "relu6"
    assert config["use_bias"] is False
    assert config["trainable"] is False
    assert config["code_initializer"]["config"]["stddev"] == 0.5
    assert config["bias_initializer"]["class_name"] == "Ones"
    assert config["code_regularizer"]["config"]["l2"] == 0.25
    assert config["bias_regularizer"]["class_name"] == "L1"
    assert config["scale_constraint"]["class_name"] == "NonNeg"


def test_a_constraint_of_the_scales_holds_in_quantized_training():
    shared = keras_models.generator()
    model = keras_models.image_model(shared, scale_constraint="non_neg")
    model = quantize_model(model)
    model.compile(keras.optimizers.SGD(10.0), "mse")
    images = keras_models.noise((2, *keras_models.IMAGE_SHAPE))
    model.train_on_batch(images, keras_models.noise((2, 4)))
    scales = np.concatenate([la.scale for la in find_layers(model)])
    assert np.min(scales) == 0


def test_regularizers_count_as_losses():
    layer = HyperPointwise(
        4,
        keras_models.generator(),
        bias_initializer="ones",
        code_regularizer=keras.regularizers.L2(0.5),
        bias_regularizer=keras.regularizers.L1(0.25),
    )
    layer(keras_models.noise((1, 3, 5)))
    codes = 0.5 * tf.reduce_sum(layer.codes**2)
    assert float(tf.add_n(layer.losses)) == pytest.approx(float(codes) + 1.0)
