"""Gates 2 and 5 on whole networks: tolerance zero."""

import dataclasses
import functools
import time
from unittest import mock

import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import (
    ConversionError,
    FrozenModel,
    HyperPointwise,
    Interpreter,
    convert_keras_model,
    converter,
    freeze,
    integer,
    materialize,
    quantize_model,
)
from keras_hypertinypw.flatbuffer import operator_name, read_model
from keras_hypertinypw.op_insertion import insert_generate_ops, read_specs

layers = keras.layers
IMAGE_SHAPE = keras_models.IMAGE_SHAPE
NUM_INPUTS = 1000
MIN_DISTINCT = 50

NETWORKS = {
    "ecg_network": keras_models.trained_ecg_network,
    "ds_cnn": keras_models.trained_ds_cnn,
}


@dataclasses.dataclass(frozen=True)
class Converted:
    model: keras.Model
    frozen: FrozenModel
    content: bytes
    seconds: float
    x: np.ndarray
    y: np.ndarray


@pytest.fixture(scope="module", params=NETWORKS)
def converted(request):
    model, x, y = NETWORKS[request.param]()
    frozen = []

    def keep(*args, **kwargs):
        frozen.append(freeze(*args, **kwargs))
        return frozen[-1]

    start = time.monotonic()
    with mock.patch.object(converter, "freeze", keep):
        content = convert_keras_model(model)
    seconds = time.monotonic() - start
    return Converted(model, frozen[0], content, seconds, x, y)


def test_conversion_takes_seconds(converted):
    assert converted.seconds < 30


def test_tflm_equals_litert_on_1000_inputs(converted):
    shape = converted.x.shape[1:]
    rng = np.random.default_rng(31)
    random = rng.integers(-128, 128, (NUM_INPUTS // 2, *shape))
    repeats = -(-NUM_INPUTS // 2 // len(converted.x))
    real = np.concatenate([converted.x] * repeats)[: NUM_INPUTS // 2]
    dense = converted.frozen.dense_model
    with (
        Interpreter(dense, runtime="litert") as oracle,
        Interpreter(converted.content) as interpreter,
    ):
        steps = oracle._input.quantize(real)
        inputs = np.concatenate([random.astype(np.int8), steps])
        assert len(inputs) == NUM_INPUTS
        expected = oracle.predict(inputs)
        for _ in range(3):
            np.testing.assert_array_equal(interpreter.predict(inputs), expected)
            interpreter.reset()
        assert len(np.unique(expected)) >= MIN_DISTINCT
        assert interpreter.generate_count == 1
        kernels = interpreter.kernels
    require_kernels(kernels, converted.frozen.specs)


def require_kernels(kernels, specs):
    """Compares kernels of a file with specs; the orders may differ."""
    assert len(kernels) == len(specs)
    expected = [integer.synthesize(spec) for spec in specs]
    assert min(len(np.unique(kernel)) for kernel in expected) > 20
    for kernel in kernels:
        assert any(np.array_equal(kernel, other) for other in expected)


def test_the_file_classifies_as_the_trained_model(converted):
    with Interpreter(converted.content) as interpreter:
        found = interpreter.predict(converted.x[:300])
    expected = converted.model.predict(converted.x[:300], verbose=0)
    same = np.mean(found.argmax(axis=1) == expected.argmax(axis=1))
    assert same > 0.97
    accuracy = np.mean(found.argmax(axis=1) == converted.y[:300])
    assert accuracy > 0.7


def test_specs_survive_the_file(converted):
    read = read_specs(converted.content)
    kernels = [integer.synthesize(spec) for spec in read]
    require_kernels(kernels, converted.frozen.specs)


def test_a_network_has_negative_row_signs(converted):
    assert any(spec.row_signs.any() for spec in converted.frozen.specs)


def test_everything_is_int8_but_biases(converted):
    model = read_model(converted.content)
    names = {
        operator_name(model, operator)
        for operator in model.subgraphs[0].operators
    }
    assert not names & {"QUANTIZE", "DEQUANTIZE"}
    types = [tensor.type for tensor in model.subgraphs[0].tensors]
    assert schema.TensorType.FLOAT32 not in types


def test_one_generator_serves_the_whole_file(converted):
    model = read_model(converted.content)
    sources = [
        operator.inputs[1]
        for operator in model.subgraphs[0].operators
        if operator_name(model, operator) == "CUSTOM"
    ]
    assert len(sources) == len(converted.frozen.specs) > 1
    assert len(set(sources)) == 1


def test_the_analyzer_prints_the_file(converted, capsys):
    tf.lite.experimental.Analyzer.analyze(model_content=converted.content)
    assert "GeneratePW" in capsys.readouterr().out


def test_a_materialized_file_is_the_dense_model(converted):
    inputs = converted.x[:50]
    outputs = []
    for content in (
        materialize(converted.content),
        converted.frozen.dense_model,
    ):
        with Interpreter(content, runtime="litert") as interpreter:
            outputs.append(interpreter.predict(inputs))
    np.testing.assert_array_equal(*outputs)


def test_a_tampered_spec_is_caught_with_layer_and_index(converted):
    specs = list(converted.frozen.specs)
    codes = specs[1].codes.copy()
    codes[-1] = -codes[-1]
    specs[1] = dataclasses.replace(specs[1], codes=codes)
    with pytest.raises(
        ConversionError, match=rf"'{specs[1].layer_name}'.*at index \(\d+, 0"
    ):
        insert_generate_ops(converted.frozen.dense_model, specs)


def test_a_turned_row_sign_is_caught_with_layer_and_index(converted):
    specs = list(converted.frozen.specs)
    signs = specs[0].row_signs.copy()
    signs[3] = not signs[3]
    specs[0] = dataclasses.replace(specs[0], row_signs=signs)
    with pytest.raises(
        ConversionError, match=rf"'{specs[0].layer_name}'.*index \(3, 0, 0, \d"
    ):
        insert_generate_ops(converted.frozen.dense_model, specs)


@pytest.mark.parametrize(
    ("input_type", "output_type"),
    [(tf.int8, tf.float32), (tf.float32, tf.float32)],
)
def test_input_and_output_types(input_type, output_type):
    content = convert_keras_model(
        keras_models.quantized_image_model(),
        inference_input_type=input_type,
        inference_output_type=output_type,
    )
    graph = read_model(content).subgraphs[0]
    types = [graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)]
    codes = {
        tf.int8: schema.TensorType.INT8,
        tf.float32: schema.TensorType.FLOAT32,
    }
    assert types == [codes[input_type], codes[output_type]]


@pytest.mark.parametrize("name", ["input", "output"])
def test_another_type_is_an_error(name):
    argument = {f"inference_{name}_type": tf.uint8}
    with pytest.raises(ValueError, match=f"`inference_{name}_type`.*uint8"):
        convert_keras_model(keras_models.quantized_image_model(), **argument)


def build(middle, input_shape=IMAGE_SHAPE):
    """Returns a calibrated model of layers, with a head that varies."""
    keras.utils.set_random_seed(32)
    inputs = keras.Input(input_shape)
    x = inputs
    for layer in middle:
        x = layer(x)
    outputs = layers.Dense(6)(layers.Flatten()(x))
    model = keras_models.randomize(keras.Model(inputs, outputs))
    data = keras_models.noise((64, *input_shape))
    return quantize_model(model, calibration_data=data)


def two_generators():
    first = keras_models.generator(1, hidden_units=(9, 8, 7), name="first")
    second = keras_models.generator(8, use_skip=True, name="second")
    return [
        HyperPointwise(6, first, activation="relu6"),
        HyperPointwise(7, second),
        HyperPointwise(8, first, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
    ]


VARIANTS = {
    "two generators": two_generators,
    "strided, no hidden layer": lambda: [
        HyperPointwise(
            8, keras_models.generator(hidden_units=()), strides=(2, 1)
        ),
    ],
    "block that does not divide": lambda: [
        HyperPointwise(7, keras_models.generator(2, block_size=11)),
    ],
}


@functools.cache
def variant(name):
    # `verify` is on: an output or kernel that differs is an error.
    return convert_keras_model(build(VARIANTS[name]()))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_layer_converts(name):
    assert read_specs(variant(name))


def test_two_generators_are_two_buffers():
    specs = read_specs(variant("two generators"))
    assert len(specs) == 3
    assert len({spec.generator.to_bytes() for spec in specs}) == 2


@pytest.mark.parametrize("strides", [1, 2])
def test_signals_without_other_1d_layers_convert(strides):
    layer = HyperPointwise(7, keras_models.generator(), strides)
    content = convert_keras_model(build([layer, layers.ReLU()], (16, 5)))
    model = read_model(content)
    names = [operator_name(model, o) for o in model.subgraphs[0].operators]
    assert "STRIDED_SLICE" not in names


def test_strided_signals_convert():
    middle = [
        layers.DepthwiseConv1D(3, padding="same"),
        HyperPointwise(7, keras_models.generator(), strides=2),
    ]
    assert read_specs(convert_keras_model(build(middle, (16, 5))))


def test_a_pruned_channel_converts():
    quantized = build([HyperPointwise(7, keras_models.generator(), name="pw")])
    scale = quantized.get_layer("quant_pw").layer.scale
    scale.assign(scale * [1, 0, 1, 1, -0.0, 1, 1])
    assert read_specs(convert_keras_model(quantized))
