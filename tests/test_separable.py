import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import ConversionError
from keras_hypertinypw.model_graph import ModelGraph
from keras_hypertinypw.separable import split_separable

layers = keras.layers
# float32: two convolutions add up in another order than one.
TOLERANCE = 1e-5


def split(model):
    graph = ModelGraph(model)
    split_separable(graph)
    return graph.build_model()


def chain(input_shape, layer):
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(layer(inputs))
    return keras_models.randomize(keras.Model(inputs, x))


CASES = {
    "1d": ((12, 3), layers.SeparableConv1D(5, 3, name="sep")),
    "1d_strided": (
        (12, 3),
        layers.SeparableConv1D(5, 3, strides=2, padding="same", name="sep"),
    ),
    "2d": ((9, 8, 3), layers.SeparableConv2D(5, 3, name="sep")),
    "2d_multiplied": (
        (9, 8, 3),
        layers.SeparableConv2D(
            5,
            (3, 2),
            depth_multiplier=2,
            activation="tanh",
            use_bias=False,
            name="sep",
        ),
    ),
    "2d_dilated": (
        (9, 8, 3),
        layers.SeparableConv2D(
            5, 3, dilation_rate=2, padding="same", name="sep"
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_split_layer_computes_the_same(case):
    model = chain(*CASES[case])
    parts = split(model)
    names = {type(layer).__name__ for layer in parts.layers}
    assert not any(name.startswith("Separable") for name in names)
    inputs = keras_models.noise((4, *model.input_shape[1:]))
    np.testing.assert_allclose(
        parts(inputs), model(inputs), rtol=TOLERANCE, atol=TOLERANCE
    )
    assert np.std(model(inputs)) > 0.01


def test_the_pointwise_half_keeps_the_name():
    parts = split(chain(*CASES["2d"]))
    assert type(parts.get_layer("sep")) is layers.Conv2D
    assert type(parts.get_layer("sep_depthwise")) is layers.DepthwiseConv2D


def test_regularizers_go_to_the_half_they_belong_to():
    layer = layers.SeparableConv2D(
        5,
        3,
        depthwise_regularizer=keras.regularizers.L2(0.1),
        pointwise_regularizer=keras.regularizers.L1(0.2),
        name="sep",
    )
    parts = split(chain((9, 8, 3), layer))
    depthwise, pointwise = (
        parts.get_layer(name) for name in ("sep_depthwise", "sep")
    )
    assert depthwise.depthwise_regularizer.l2 == pytest.approx(0.1)
    assert pointwise.kernel_regularizer.l1 == pytest.approx(0.2)


def test_frozen_halves_stay_frozen():
    layer = layers.SeparableConv1D(5, 3, trainable=False, name="sep")
    assert not split(chain((12, 3), layer)).trainable_weights


def test_causal_padding_is_an_error():
    layer = layers.SeparableConv1D(5, 3, padding="causal", name="sep")
    with pytest.raises(ConversionError, match="'sep'.*'causal'"):
        split(chain((12, 3), layer))
