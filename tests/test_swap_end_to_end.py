"""Models of users: swapped, trained on, converted, verified (gate 5)."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras
import user_models

from keras_hypertinypw import (
    WeightGenerator,
    convert_keras_model,
    freeze,
    quantize_model,
    swap_pointwise,
    verify,
)
from keras_hypertinypw.models import ds_cnn
from keras_hypertinypw.op_insertion import insert_generate_ops, read_specs
from keras_hypertinypw.verification import MIN_DISTINCT


def mlperf_tiny_ds_cnn() -> keras.Model:
    """The stored network of MLPerf Tiny's keyword spotting: 12 words."""
    model = ds_cnn((49, 10, 1), 12)
    user_models.set_batch_norms(model)
    return model


# Model, and how many of its pointwise layers are swapped.
MODELS = {
    "plain": (user_models.plain, 2),
    "ds_cnn": (mlperf_tiny_ds_cnn, 3),
    "mobilenet": (user_models.mobilenet, 12),
    "sequential_1d": (user_models.sequential_1d, 2),
}


def data_of(model, count=64):
    x = user_models.blobs((count, *model.input_shape[1:]))
    y = np.arange(count) % model.output_shape[-1]
    return x, y


def compile_model(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-4), loss)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_swapped_model_reaches_gate_5(name):
    keras.utils.set_random_seed(31)
    build, num_swapped = MODELS[name]
    model = build()
    swapped = swap_pointwise(
        model, generator=WeightGenerator(name="generator"), fit_steps=200
    )
    # Kernels changed, so the statistics did; training would take them along.
    user_models.set_batch_norms(swapped)
    x, y = data_of(model)
    quantized = quantize_model(swapped, calibration_data=x)
    compile_model(quantized).fit(x, y, batch_size=16, epochs=1, verbose=0)
    frozen = freeze(quantized)
    content = insert_generate_ops(frozen.dense_model, frozen.specs)
    assert len(read_specs(content)) == num_swapped
    found = verify(content, dense_model=frozen.dense_model)
    assert found.identical
    assert found.num_distinct >= MIN_DISTINCT
    assert found.num_kernels == num_swapped
    assert set(found.generate_counts.values()) == {1}


def test_a_model_of_several_inputs_and_outputs_trains():
    """Its shared layers cannot be quantized, but it learns in float."""
    keras.utils.set_random_seed(32)
    swapped = swap_pointwise(
        user_models.branching(),
        generator=WeightGenerator(block_size=16, name="generator"),
        fit_steps=50,
    )
    inputs = [
        keras_models.noise((32, *tensor.shape[1:]), seed)
        for seed, tensor in enumerate(swapped.inputs)
    ]
    targets = [np.zeros((32, *tensor.shape[1:])) for tensor in swapped.outputs]
    swapped.compile(keras.optimizers.Adam(1e-2), "mse")
    history = swapped.fit(inputs, targets, epochs=5, verbose=0)
    first, *_, last = history.history["loss"]
    assert last < 0.8 * first


def test_a_swapped_model_of_two_inputs_converts():
    """Without verification, which takes one input."""
    first, second = keras.Input((8, 8, 4)), keras.Input((8, 8, 4))
    x = keras.layers.Add()([first, second])
    for index in range(3):
        x = keras.layers.Conv2D(8, 1, activation="relu", name=f"pw_{index}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model([first, second], keras.layers.Dense(3)(x))
    swapped = swap_pointwise(
        model, generator=WeightGenerator(name="generator"), fit_steps=5
    )
    x = [keras_models.noise((8, 8, 8, 4), seed) for seed in (1, 2)]
    quantized = quantize_model(swapped, calibration_data=x)
    content = convert_keras_model(quantized, verify=False)
    assert len(read_specs(content)) == 2
