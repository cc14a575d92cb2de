"""Each rewriting before quantization keeps the network's function."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import ConversionError, HyperPointwise
from keras_hypertinypw.rewriting import rewritten_graph

layers = keras.layers

# float32: factors are folded in another order than they were applied.
TOLERANCE = 2e-5


def hyper(filters, **options):
    return HyperPointwise(filters, keras_models.generator(), **options)


def chain(input_shape, *middle):
    inputs = keras.Input(input_shape)
    x = inputs
    for layer in middle:
        x = layer(x)
    return keras_models.randomize(keras.Model(inputs, x))


def rewrite(model, *, kernel_per_channel=True):
    graph = rewritten_graph(
        model,
        kernel_bits=8 if kernel_per_channel else 4,
        kernel_per_channel=kernel_per_channel,
    )
    return graph.build_model()


def require_equal(model, *, without=()):
    """Rewrites, compares; returns the new model. The old one stays."""
    config, weights = model.get_config(), model.get_weights()
    rewritten = rewrite(model)
    inputs = [
        keras_models.noise((3, *[size or 12 for size in tensor.shape[1:]]), i)
        for i, tensor in enumerate(model.inputs)
    ]
    expected, found = model(inputs), rewritten(inputs)
    if not isinstance(expected, (list, tuple)):
        expected, found = [expected], [found]
    for e, f in zip(expected, found, strict=True):
        assert np.std(e) > 0.01
        np.testing.assert_allclose(
            f, e, rtol=TOLERANCE, atol=TOLERANCE * np.abs(e).max()
        )
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    kinds = {type(layer).__name__ for layer in rewritten.layers}
    assert not kinds & set(without)
    return rewritten


BATCH_NORMS = [
    {},
    {"scale": False},
    {"center": False},
    {"scale": False, "center": False, "epsilon": 0.1},
]
CONVOLUTIONS = {
    "generated": lambda bias: hyper(5, use_bias=bias),
    "stored": lambda bias: layers.Conv2D(5, 3, use_bias=bias),
    "grouped": lambda bias: layers.Conv2D(6, 3, groups=2, use_bias=bias),
    "depthwise": lambda bias: layers.DepthwiseConv2D(3, use_bias=bias),
    "depthwise_2": lambda bias: layers.DepthwiseConv2D(
        3, depth_multiplier=2, use_bias=bias
    ),
}


@pytest.mark.parametrize("options", BATCH_NORMS, ids=str)
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_batch_norm_folds(kind, use_bias, options):
    conv = CONVOLUTIONS[kind](use_bias)
    norm = layers.BatchNormalization(**options)
    require_equal(chain((7, 6, 4), conv, norm), without=["BatchNormalization"])


def test_a_batch_norm_folds_into_a_generated_layer_of_rank_3():
    model = chain((9, 4), hyper(5), layers.BatchNormalization(), layers.ReLU())
    rewritten = require_equal(model, without=["BatchNormalization", "ReLU"])
    assert len(rewritten.layers) == 2


def test_folding_leaves_the_codes_alone():
    model = chain((7, 6, 4), hyper(5, name="pw"), layers.BatchNormalization())
    rewritten = rewrite(model)
    old, new = (m.get_layer("pw") for m in (model, rewritten))
    np.testing.assert_array_equal(old.codes, new.codes)
    assert np.any(new.scale < 0)


def test_batch_norms_fold_through_a_whole_network():
    model = keras_models.ecg_network(
        (32, 3), 4, width=8, generator=keras_models.generator()
    )
    keras_models.randomize(model)
    without = ["BatchNormalization", "Conv1D", "DepthwiseConv1D"]
    require_equal(model, without=without)


@pytest.mark.parametrize(
    "relu",
    [
        layers.ReLU(),
        layers.ReLU(max_value=6),
        layers.Activation("relu"),
        layers.Activation("relu6"),
    ],
    ids=lambda layer: layer.name,
)
def test_a_relu_folds_into_the_generated_layer(relu):
    model = chain((7, 6, 4), hyper(5), relu)
    rewritten = require_equal(model, without=["ReLU", "Activation"])
    assert rewritten.layers[-1].activation.__name__.startswith("relu")


@pytest.mark.parametrize(
    "activation",
    [
        layers.ReLU(max_value=3),
        layers.ReLU(negative_slope=0.1),
        layers.ReLU(threshold=0.5),
        layers.Activation("tanh"),
    ],
    ids=["max_value", "negative_slope", "threshold", "tanh"],
)
def test_another_activation_stays(activation):
    rewritten = require_equal(chain((7, 6, 4), hyper(5), activation))
    assert len(rewritten.layers) == 3


def test_a_relu_stays_where_its_input_is_read_elsewhere():
    inputs = keras.Input((7, 6, 4))
    x = hyper(4)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.ReLU()(x)]))
    assert len(require_equal(model).layers) == 4


def test_a_relu_stays_where_its_input_is_an_output():
    inputs = keras.Input((7, 6, 4))
    x = hyper(4)(inputs)
    model = keras.Model(inputs, [x, layers.ReLU()(x)])
    assert len(require_equal(model).layers) == 3


WINDOWED = {
    "conv_same": layers.Conv1D(5, 3, padding="same"),
    "conv_valid": layers.Conv1D(5, 4, activation="relu"),
    "conv_strided": layers.Conv1D(5, 3, strides=3, padding="same"),
    "conv_dilated": layers.Conv1D(5, 3, dilation_rate=2, use_bias=False),
    "conv_grouped": layers.Conv1D(6, 3, groups=3),
    "depthwise": layers.DepthwiseConv1D(3, padding="same"),
    "depthwise_strided": layers.DepthwiseConv1D(4, strides=2, padding="same"),
    "depthwise_valid": layers.DepthwiseConv1D(4, strides=2, depth_multiplier=2),
    "depthwise_dilated": layers.DepthwiseConv1D(3, dilation_rate=2),
    "max_pooling": layers.MaxPooling1D(3, strides=2, padding="same"),
    "average_pooling": layers.AveragePooling1D(2),
    "average_same": layers.AveragePooling1D(3, strides=2, padding="same"),
    "generated": hyper(5),
    "generated_strided": hyper(5, strides=2),
    "leaky": layers.LeakyReLU(0.2),
    "softmax": layers.Softmax(),
    "softmax_channels": layers.Softmax(axis=2),
    "softmax_samples": layers.Softmax(axis=-2),
    "dropout": layers.Dropout(0.5),
    "spatial_dropout": layers.SpatialDropout1D(0.5),
}


@pytest.mark.parametrize("kind", WINDOWED)
def test_a_1d_layer_becomes_2d(kind):
    # A Conv1D in front, so that every network is one with 1-D layers.
    model = chain((13, 3), layers.Conv1D(3, 1), WINDOWED[kind])
    names = {type(layer).__name__ for layer in rewrite(model).layers}
    assert not [name for name in names if name.endswith("1D")]
    require_equal(model)


def test_a_strided_depthwise_layer_has_equal_strides():
    # TensorFlow's gradient takes no others.
    model = chain((13, 3), layers.DepthwiseConv1D(3, strides=2))
    rewritten = {type(layer).__name__: layer for layer in rewrite(model).layers}
    assert rewritten["DepthwiseConv2D"].strides == (2, 2)


HEADS = {
    "average": [layers.GlobalAveragePooling1D()],
    "max": [layers.GlobalMaxPooling1D(), layers.Dense(4)],
    "flatten": [layers.Flatten(), layers.Dense(4, activation="relu")],
    "two_dense": [layers.Flatten(), layers.Dense(6), layers.Dense(4)],
    "reshape": [layers.Flatten(), layers.Reshape((13, 3)), layers.Flatten()],
    "keepdims": [layers.GlobalAveragePooling1D(keepdims=True), hyper(5)],
    "samples": [layers.Conv1D(2, 3, padding="same")],
}


@pytest.mark.parametrize("kind", HEADS)
def test_1d_networks_of_every_end(kind):
    model = chain((13, 3), layers.Conv1D(3, 3, padding="same"), *HEADS[kind])
    rewritten = require_equal(model)
    assert rewritten.output_shape == model.output_shape


def test_any_number_of_samples():
    model = chain((None, 3), layers.Conv1D(3, 3), layers.ReLU())
    assert require_equal(model).output_shape == (None, None, 3)


@pytest.mark.parametrize("axis", [-1, 2, 1, -2])
def test_residuals_and_concatenations(axis):
    inputs = keras.Input((12, 4))
    x = layers.Conv1D(4, 3, padding="same")(inputs)
    x = layers.Add()([inputs, layers.BatchNormalization()(x)])
    x = layers.Concatenate(axis=axis)([x, layers.ReLU()(hyper(4)(x))])
    outputs = layers.Dense(3)(layers.GlobalMaxPooling1D()(x))
    require_equal(keras.Model(inputs, outputs))


def test_two_signals_a_vector_and_two_outputs():
    first, second = keras.Input((12, 3)), keras.Input((9, 2))
    vector = keras.Input((5,))
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3)(first))
    y = layers.Conv1D(4, 3)(second)
    z = layers.Concatenate()(
        [x, layers.GlobalMaxPooling1D()(y), layers.Dense(2)(vector)]
    )
    model = keras.Model([first, second, vector], [layers.Dense(3)(z), y])
    require_equal(model)


def test_a_name_that_is_taken_is_not_taken_twice():
    inputs = keras.Input((12, 3), name="x")
    outputs = layers.Conv1D(4, 3, name="x_2d")(inputs)
    require_equal(keras.Model(inputs, layers.ReLU(name="x_2d_1d")(outputs)))


def test_sequential_models():
    model = keras.Sequential(
        [
            keras.Input((12, 3)),
            layers.Conv1D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            hyper(5),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    require_equal(keras_models.randomize(model))


def test_a_2d_network_stays_as_it_is():
    model = keras_models.image_model(keras_models.generator())
    rewritten = rewrite(model)
    assert [layer.name for layer in rewritten.layers] == [
        layer.name for layer in model.layers
    ]


def test_frozen_layers_stay_frozen():
    model = chain((12, 3), layers.Conv1D(4, 3, name="stem"), hyper(4))
    model.get_layer("stem").trainable = False
    assert not rewrite(model).get_layer("stem").trainable_weights


NORM = layers.BatchNormalization


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ([layers.ReLU(), NORM(name="n")], "'n'.*directly after.*ReLU"),
        ([layers.Conv2D(3, 1), layers.ReLU(), NORM(name="n")], "'n'.*ReLU"),
        (
            [layers.Conv2D(3, 1), layers.Dropout(0.1), NORM(name="n")],
            "'n'.*Dropout",
        ),
        ([layers.Conv2D(3, 1, activation="relu"), NORM(name="n")], "linear"),
        ([layers.Conv2D(3, 1), NORM(axis=1, name="n")], "'n'.*last axis"),
    ],
    ids=["input", "relu", "dropout", "activation", "axis"],
)
def test_a_batch_norm_elsewhere_is_an_error(middle, message):
    with pytest.raises(ConversionError, match=message):
        rewrite(chain((3, 3, 3), *middle))


def test_a_batch_norm_behind_a_convolution_with_two_readers_is_an_error():
    inputs = keras.Input((7, 6, 4))
    x = layers.Conv2D(4, 1)(inputs)
    model = keras.Model(inputs, layers.Add()([x, NORM(name="n")(x)]))
    with pytest.raises(ConversionError, match="'n'.*nothing else reads"):
        rewrite(model)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Conv1D(2, 3, padding="causal", name="c"), "'c'.*'causal'"),
        (layers.LSTM(2, return_sequences=True, name="c"), "'c'.*LSTM"),
        (layers.UpSampling1D(name="c"), "'c'.*UpSampling1D"),
        (layers.Dense(2, name="c"), "'c'.*Dense"),
    ],
    ids=["causal", "lstm", "upsampling", "dense"],
)
def test_a_1d_layer_without_2d_form_is_an_error(layer, message):
    with pytest.raises(ConversionError, match=message):
        rewrite(chain((13, 3), layers.Conv1D(3, 1), layer))


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling1D(2, data_format="channels_first", name="c"),
        layers.GlobalAveragePooling1D(data_format="channels_first", name="c"),
        layers.Flatten(data_format="channels_first", name="c"),
    ],
    ids=["pooling", "global", "flatten"],
)
def test_channels_first_is_an_error(layer):
    with pytest.raises(ConversionError, match="'c'.*'channels_first'"):
        rewrite(chain((13, 3), layers.Conv1D(3, 1), layer))


def test_an_image_in_a_1d_network_is_an_error():
    model = chain((5, 13, 3), layers.Conv1D(3, 2))
    with pytest.raises(ConversionError, match="rank 2 or 3.*13"):
        rewrite(model)


def test_samples_joined_with_a_vector_are_an_error():
    signal, vector = keras.Input((6, 4)), keras.Input((4,))
    x = layers.Conv1D(4, 3, padding="same")(signal)
    model = keras.Model([signal, vector], layers.Add(name="join")([x, vector]))
    with pytest.raises(ConversionError, match="'join'.*all inputs with"):
        rewrite(model)


@pytest.mark.parametrize("twice", ["generated", "relu", "batch_norm"])
def test_a_layer_that_is_called_twice_is_an_error(twice):
    shared = {
        "generated": hyper(4, name="shared"),
        "relu": layers.ReLU(name="shared"),
        "batch_norm": NORM(name="shared"),
    }[twice]
    model = chain((7, 6, 4), hyper(4), shared, hyper(4), shared)
    with pytest.raises(ConversionError, match="'shared'.*called once.*2 calls"):
        rewrite(model)


def test_a_layer_that_another_model_calls_too_is_none():
    conv = layers.Conv2D(4, 1)
    chain((3, 3, 2), conv)
    require_equal(chain((7, 6, 2), conv))
