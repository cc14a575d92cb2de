import re

import keras_models
import pytest

from keras_hypertinypw import HyperPointwise
from keras_hypertinypw.models import ds_cnn, ecg_network
from keras_hypertinypw.quantization import find_generators

NETWORKS = [
    (lambda **options: ecg_network((64, 3), 4, width=16, **options), 4),
    (lambda **options: ds_cnn((49, 10, 1), 4, width=16, **options), 4),
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
