import re

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import (
    HyperPointwise,
    Interpreter,
    convert_keras_model,
    quantize_model,
)
from keras_hypertinypw.models import ds_cnn, ecg_network, long_ecg_network
from keras_hypertinypw.quantization import find_generators

NETWORKS = [
    (lambda **options: ecg_network((64, 3), 4, width=16, **options), 4),
    (lambda **options: ds_cnn((49, 10, 1), 4, width=16, **options), 4),
    (lambda **options: long_ecg_network((6000, 1), 4, width=16, **options), 5),
]


def pointwise(model):
    return [
        layer
        for layer in model.layers
        if re.fullmatch(r"pointwise_\d+", layer.name)
    ]


@pytest.mark.parametrize(("build", "num_pointwise"), NETWORKS)
def test_all_but_the_first_pointwise_layer_are_generated(build, num_pointwise):
    model = build(generator=keras_models.generator())
    first, *others = pointwise(model)
    assert len(others) == num_pointwise - 1
    assert not isinstance(first, HyperPointwise)
    assert all(isinstance(layer, HyperPointwise) for layer in others)
    assert len(find_generators(model)) == 1


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("build", "num_pointwise"), NETWORKS)
def test_generated_layers_have_the_scales_that_are_asked_for(
    build, num_pointwise, per_channel
):
    model = build(
        generator=keras_models.generator(),
        keep_first=False,
        per_channel=per_channel,
    )
    layers = pointwise(model)
    assert len(layers) == num_pointwise
    assert {layer.per_channel for layer in layers} == {per_channel}


@pytest.mark.parametrize(("build", "num_pointwise"), NETWORKS)
def test_stored_and_generated_networks_have_the_same_graph(
    build, num_pointwise
):
    stored = build()
    generated = build(generator=keras_models.generator())
    assert len(pointwise(stored)) == num_pointwise
    assert not find_generators(stored)
    assert [layer.output_shape for layer in stored.layers] == [
        layer.output_shape for layer in generated.layers
    ]


@pytest.mark.parametrize(("build", "num_pointwise"), NETWORKS)
def test_outputs_are_one_logit_per_class(build, num_pointwise):
    model = build()
    assert model.output_shape == (None, 4)
    assert model.layers[-1].activation.__name__ == "linear"


def test_ds_cnn_has_as_many_blocks_as_asked():
    model = ds_cnn((49, 10, 1), 4, width=8, num_blocks=2)
    assert len(pointwise(model)) == 2


def test_the_last_block_of_a_minute_sees_27_seconds():
    model = long_ecg_network((6000, 1), 2, width=8)
    seen, step = 1, 1
    for layer in model.layers:
        if isinstance(
            layer, (keras.layers.Conv1D, keras.layers.DepthwiseConv1D)
        ):
            seen += (layer.kernel_size[0] - 1) * step
            step *= layer.strides[0]
    assert seen / 100 == pytest.approx(27, abs=0.5)
    assert model.output_shape == (None, 2)


def test_the_network_of_a_minute_converts():
    generator = keras_models.generator()
    model = long_ecg_network((6000, 1), 2, width=16, generator=generator)
    x = np.random.default_rng(0).normal(size=(8, 6000, 1)).astype(np.float32)
    quantized = quantize_model(model, calibration_data=x)
    # Not verified: untrained, its outputs hardly vary.
    content = convert_keras_model(quantized, verify=False)
    with Interpreter(content) as interpreter:
        assert interpreter.predict(x).shape == (8, 2)
