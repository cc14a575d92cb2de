"""Two Keras models, one generator: training, files, TFLM."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import (
    ConversionError,
    WeightGenerator,
    convert_keras_model,
    quantize_model,
    share_generator,
    verify,
)
from keras_hypertinypw.models import ds_cnn, ecg_network
from keras_hypertinypw.quantization import find_generators

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ECG_SHAPE, MFCC_SHAPE = (64, 1), (20, 10, 1)
BATCH = 32


@pytest.fixture(scope="module")
def data():
    """Noise as loud as its class says: inputs and labels of each network."""
    labels = np.arange(128) % 4
    found = []
    for seed, shape in enumerate((ECG_SHAPE, MFCC_SHAPE)):
        x = keras_models.noise((len(labels), *shape), seed)
        x *= 2.0 ** labels.reshape(-1, *[1] * len(shape))
        found.append((x, labels))
    return found


def build():
    """Returns the generator and two compiled networks that share it."""
    keras.utils.set_random_seed(4)
    generator = WeightGenerator(
        (12,), code_dim=4, block_size=32, code_bits=4, use_skip=False
    )
    models = [
        ecg_network(ECG_SHAPE, 4, width=16, generator=generator),
        ds_cnn(MFCC_SHAPE, 4, width=16, num_blocks=3, generator=generator),
    ]
    for model in models:
        keras_models.randomize(model).compile("adam", LOSS)
    return generator, models


def train(models, data):
    """Alternates batches of one model and the other."""
    for start in range(0, len(data[0][0]), BATCH):
        for model, (x, y) in zip(models, data, strict=True):
            part = slice(start, start + BATCH)
            model.train_on_batch(x[part], y[part])


def quantize(models, data):
    quantized = []
    for model, (x, _) in zip(models, data, strict=True):
        quantized.append(quantize_model(model, calibration_data=x))
        quantized[-1].compile("adam", LOSS)
    return quantized


@pytest.fixture(scope="module")
def trained(data):
    """Trained jointly in float; then the generator is frozen."""
    generator, models = build()
    before = [w.numpy() for w in generator.weights]
    train(models, data)
    moved = zip(before, generator.weights, strict=True)
    assert all(np.any(old != new.numpy()) for old, new in moved)
    generator.trainable = False
    quantized = quantize(models, data)
    codes = [w.numpy() for m in quantized for w in m.trainable_weights]
    train(quantized, data)
    after = [w.numpy() for m in quantized for w in m.trainable_weights]
    return generator, quantized, (codes, after)


def test_quantized_models_train_on_with_the_generator_as_it_is(trained):
    generator, quantized, (before, after) = trained
    for model in quantized:
        (copy,) = find_generators(model)
        assert copy.quantized and not copy.trainable
        for old, new in zip(generator.weights, copy.weights, strict=True):
            np.testing.assert_array_equal(old, new)
    assert before
    assert all(
        np.any(old != new) for old, new in zip(before, after, strict=True)
    )


def test_files_share_the_generator_and_run_exactly(trained):
    _, quantized, _ = trained
    contents = [convert_keras_model(model, verify=False) for model in quantized]
    firmware = share_generator(contents)
    for content in firmware.model_contents:
        result = verify(content, generator=firmware.generator)
        assert result.identical and result.num_distinct >= 50
    saved = sum(map(len, contents)) - firmware.num_bytes
    assert saved > 0.9 * len(firmware.generator)


def test_a_second_model_takes_the_generator_of_a_finished_one(data):
    """Without joint training: the second gets used to what the first needs."""
    generator, models = build()
    train(models[:1], data[:1])
    (first,) = quantize(models[:1], data[:1])
    train([first], data[:1])
    (finished,) = find_generators(first)
    generator.set_weights(finished.get_weights())
    generator.trainable = False
    models[1].compile("adam", LOSS)  # It heeds `trainable` from here on.
    train(models[1:], data[1:])
    (second,) = quantize(models[1:], data[1:])
    train([second], data[1:])
    contents = [
        convert_keras_model(model, verify=False) for model in (first, second)
    ]
    assert len(share_generator(contents).model_contents) == 2


def test_generators_that_trained_apart_are_named(data):
    _, models = build()
    train(models, data)
    quantized = quantize(models, data)
    train(quantized, data)
    contents = [convert_keras_model(model, verify=False) for model in quantized]
    with pytest.raises(ConversionError, match="differ in .*trainable = False"):
        share_generator(contents)
