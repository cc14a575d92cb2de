import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import ConversionError, quantize_model
from keras_hypertinypw.inlining import read_graph
from keras_hypertinypw.operators import replace_additions

layers = keras.layers
SHAPE = (6, 5, 4)


def model_of(operator) -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 1, name="first")(inputs)
    y = layers.Conv2D(4, 1, name="second")(inputs)
    return keras_models.randomize(keras.Model(inputs, operator(x, y)))


def replaced(model) -> keras.Model:
    graph = read_graph(model)
    replace_additions(graph)
    return graph.build_model()


@pytest.mark.parametrize("operator", [lambda x, y: x + y, tf.add])
def test_an_addition_becomes_a_layer(operator):
    model = model_of(operator)
    new = replaced(model)
    assert [type(layer) for layer in new.layers].count(layers.Add) == 1
    inputs = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(new(inputs), model(inputs))
    quantize_model(model)


def test_a_sum_of_three_becomes_two_layers():
    model = model_of(lambda x, y: x + y + x)
    new = replaced(model)
    assert [type(layer) for layer in new.layers].count(layers.Add) == 2
    inputs = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(new(inputs), model(inputs))


@pytest.mark.parametrize(
    "operator",
    [
        lambda x, y: x + 1.0,
        lambda x, y: 1.0 + x,
        lambda x, y: x + tf.reduce_mean(y, axis=(1, 2)),
        lambda x, y: x * y,
        lambda x, y: tf.concat([x, y], axis=-1),
        lambda x, y: layers.Lambda(tf.nn.relu)(x),
    ],
    ids=[
        "constant",
        "constant_first",
        "ranks",
        "product",
        "concatenation",
        "lambda",
    ],
)
def test_what_else_is_no_layer_is_an_error(operator):
    with pytest.raises(ConversionError, match="Lambda. Use layers"):
        quantize_model(model_of(operator))
