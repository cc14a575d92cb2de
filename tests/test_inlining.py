import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import ConversionError, HyperPointwise, quantize_model
from keras_hypertinypw.inlining import read_graph
from keras_hypertinypw.quantization import find_generators, find_layers

layers = keras.layers
SHAPE = (8, 6, 3)
# int8 everywhere: a few steps of 1/255 of each layer's range.
INT8_ERROR = 0.06


def base(*, sequential=True, pointwise=None) -> keras.Model:
    body = [
        pointwise or layers.Conv2D(4, 1, name="inner"),
        layers.BatchNormalization(name="inner_norm"),
        layers.Dropout(0.5, name="inner_dropout"),
    ]
    if sequential:
        return keras.Sequential([keras.Input(SHAPE), *body], name="base")
    x = inputs = keras.Input(SHAPE, name="inner_input")
    for layer in body:
        x = layer(x)
    return keras.Model(inputs, x, name="base")


def around(inner: keras.Model, **arguments) -> keras.Model:
    inputs = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(3, 3, padding="same", name="before")(inputs)
    x = inner(x, **arguments)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(5, name="logits")(x)
    return keras_models.randomize(keras.Model(inputs, outputs))


def several_outputs() -> keras.Model:
    """A model inside with two inputs and two outputs, read crosswise."""
    first = keras.Input(SHAPE, name="inner_first")
    second = keras.Input(SHAPE, name="inner_second")
    inner = keras.Model(
        [first, second],
        [
            layers.Conv2D(4, 1, name="of_second")(second),
            layers.Subtract(name="difference")([first, second]),
        ],
        name="base",
    )
    inputs = keras.Input(SHAPE, name="image")
    doubled = layers.Conv2D(3, 1, name="doubled")(inputs)
    one, two = inner([doubled, inputs])
    outputs = [layers.Flatten(name="two")(two), layers.Flatten(name="one")(one)]
    return keras_models.randomize(keras.Model(inputs, outputs))


def twice_inside() -> keras.Model:
    inputs = keras.Input(SHAPE, name="middle_input")
    outputs = layers.ReLU(name="middle_relu")(base()(inputs))
    return around(keras.Model(inputs, outputs, name="middle"))


CASES = {
    "sequential": lambda: around(base()),
    "functional": lambda: around(base(sequential=False)),
    "model_in_model_in_model": twice_inside,
    "several_outputs": several_outputs,
    "last": lambda: keras.Sequential(
        [keras.Input(SHAPE), layers.ReLU(name="first"), base()]
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_inlined_model_computes_the_same(case):
    model = CASES[case]()
    flat = read_graph(model).build_model()
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    inputs = keras_models.noise((4, *SHAPE))
    expected, found = model(inputs), flat(inputs)
    if not isinstance(expected, list):
        expected, found = [expected], [found]
    for e, f in zip(expected, found, strict=True):
        assert np.std(e) > 0.01
        np.testing.assert_array_equal(f, e)


def test_layers_are_in_the_order_of_execution():
    flat = read_graph(around(base())).build_model()
    names = [layer.name for layer in flat.layers]
    assert names.index("before") < names.index("inner") < names.index("pool")


def test_inner_layers_behave_as_in_inference_if_they_did():
    model = around(base(), training=False)
    flat = read_graph(model).build_model()
    inputs = keras_models.noise((4, *SHAPE))
    np.testing.assert_array_equal(
        flat(inputs, training=True), model(inputs, training=True)
    )
    assert "inner_dropout" not in [layer.name for layer in flat.layers]
    # Statistics stand still, but gamma and beta learn, as in the model inside.
    assert flat.get_layer("inner_norm").trainable


def test_inner_layers_train_unless_told_otherwise():
    flat = read_graph(around(base())).build_model()
    assert flat.get_layer("inner_dropout").rate == 0.5
    before = flat.get_layer("inner_norm").moving_mean.numpy()
    flat(keras_models.noise((4, *SHAPE)), training=True)
    assert np.any(flat.get_layer("inner_norm").moving_mean != before)


def test_a_call_that_always_trains_is_an_error():
    with pytest.raises(ConversionError, match="'base'.*training=True"):
        read_graph(around(base(), training=True))


def test_frozen_models_stay_frozen():
    inner = base()
    inner.trainable = False
    flat = read_graph(around(inner)).build_model()
    assert not flat.get_layer("inner").trainable
    assert flat.get_layer("logits").trainable


def test_generated_layers_inside_are_quantized():
    keras.utils.set_random_seed(5)
    shared = keras_models.generator(8)
    inner = base(pointwise=HyperPointwise(4, shared, name="inner"))
    # Dropouts would widen the ranges.
    model = around(inner, training=False)
    assert find_generators(model) == [shared]
    inputs = 5 * keras_models.noise((64, *SHAPE))
    quantized = quantize_model(model, calibration_data=inputs)
    assert [layer.name for layer in find_layers(quantized)] == ["inner"]
    expected = model.predict(inputs, verbose=0)
    found = quantized.predict(inputs, verbose=0)
    assert np.abs(found - expected).max() < INT8_ERROR * np.ptp(expected)


def test_a_model_that_is_called_twice_is_an_error():
    inputs, inner = keras.Input(SHAPE), base()
    x = layers.Add()([inner(inputs), inner(layers.ReLU()(inputs))])
    with pytest.raises(ConversionError, match="'base'.*one call.*2"):
        read_graph(keras.Model(inputs, x))


def test_a_name_that_is_taken_gets_that_of_its_model_in_front():
    inner = base(pointwise=layers.Conv2D(4, 1, name="logits"))
    model = around(inner)
    flat = read_graph(model).build_model()
    assert type(flat.get_layer("base_logits")) is layers.Conv2D
    inputs = keras_models.noise((4, *SHAPE))
    np.testing.assert_array_equal(flat(inputs), model(inputs))


def test_a_layer_inside_may_have_the_name_of_its_model():
    model = around(base(pointwise=layers.Conv2D(4, 1, name="base")))
    flat = read_graph(model).build_model()
    assert type(flat.get_layer("base")) is layers.Conv2D


def test_an_input_inside_may_have_the_name_of_a_layer_around():
    inputs = keras.Input(SHAPE, name="before")
    inner = keras.Model(inputs, layers.Conv2D(2, 1)(inputs), name="base")
    model = around(inner)
    flat = read_graph(model).build_model()
    values = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(flat(values), model(values))


def test_a_layer_inside_and_around_is_an_error():
    shared = layers.Conv2D(3, 1, name="shared")
    inner = base(pointwise=shared)
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, inner(shared(inputs)))
    with pytest.raises(ConversionError, match="'shared'.*on one level"):
        read_graph(model)


@pytest.mark.parametrize("end", ["inputs", "outputs"])
def test_dictionaries_inside_are_an_error(end):
    inputs = keras.Input(SHAPE, name="inner_input")
    outputs = layers.ReLU(name="inner_relu")(inputs)
    ends = {"inputs": inputs, "outputs": outputs}
    ends[end] = {"only": ends[end]}
    inner = keras.Model(**ends, name="base")
    image = keras.Input(SHAPE)
    values = inner({"only": image} if end == "inputs" else image)
    model = keras.Model(image, values["only"] if end == "outputs" else values)
    with pytest.raises(ConversionError, match="'base'.*a dictionary"):
        read_graph(model)


class Doubled(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def test_custom_layers_need_no_registration():
    model = around(base(pointwise=Doubled(name="doubled")))
    flat = read_graph(model).build_model()
    inputs = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(flat(inputs), model(inputs))


class NamedModel(keras.Model):
    def get_config(self):
        return {"name": self.name}


def test_a_functional_model_may_have_a_class_of_its_own():
    inputs = keras.Input(SHAPE)
    model = NamedModel(inputs, layers.Conv2D(4, 1)(inputs))
    flat = read_graph(model).build_model()
    values = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(flat(values), model(values))


@pytest.mark.parametrize("function", [lambda x: 2 * x, tf.abs])
def test_what_keras_cannot_copy_is_one_clear_error(function):
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Lambda(tf.nn.relu)(inputs))
    model.layers[-1].function = function
    with pytest.raises(ConversionError, match="copies by their config"):
        read_graph(model).build_model()


def test_inputs_inside_may_have_the_name_of_those_around():
    inputs = keras.Input(SHAPE, name="image")
    inner = keras.Model(inputs, layers.ReLU(name="relu")(inputs), name="base")
    model = around(inner)
    flat = read_graph(model).build_model()
    values = keras_models.noise((3, *SHAPE))
    np.testing.assert_array_equal(flat(values), model(values))


def test_a_subclassed_model_inside_is_an_error():
    class Custom(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ConversionError, match="functional or sequential"):
        read_graph(around(Custom(name="custom")))
