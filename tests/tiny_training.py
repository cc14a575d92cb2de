"""A training of a second: sine waves in noise, and a network of 8 channels."""

from __future__ import annotations

import keras_models
import numpy as np
import tf_keras as keras

from keras_hypertinypw import HyperPointwise
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.training import Schedule, Trained, train

layers = keras.layers
CLASSES = ("N", "S", "V", "F")
SCHEDULE = Schedule(
    float_epochs=3, quantized_epochs=2, learning_rate=0.02, batch_size=32
)


def windows(num_windows: int, seed: int) -> Windows:
    """Sine waves of four frequencies in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(CLASSES), num_windows)
    time = np.arange(16)[:, None] + rng.uniform(0, 9, (num_windows, 1, 1))
    x = np.sin(time * (0.4 + 0.5 * y[:, None, None]))
    x = x + rng.normal(0, 0.3, (num_windows, 16, 3))
    groups = np.full(num_windows, "patient")
    return Windows(x.astype(np.float32), y, groups, CLASSES, 128.0)


TRAIN, VALIDATION = windows(200, 1), windows(80, 2)


def build(code_bits: int = 8, width: int = 8) -> keras.Model:
    inputs = keras.Input((16, 3))
    x = layers.Conv1D(6, 5, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = HyperPointwise(width, keras_models.generator(code_bits))(x)
    x = layers.GlobalMaxPooling1D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(len(CLASSES))(x))


def run(folder, schedule: Schedule = SCHEDULE, **options) -> Trained:
    return train(
        lambda: build(**options),
        TRAIN,
        VALIDATION,
        schedule=schedule,
        checkpoint_dir=folder,
    )


def require_same(resumed: Trained, trained: Trained) -> None:
    assert resumed.history == trained.history
    pairs = zip(
        resumed.model.get_weights(), trained.model.get_weights(), strict=True
    )
    for weight, expected in pairs:
        np.testing.assert_array_equal(weight, expected)
