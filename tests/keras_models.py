"""Small networks with generated kernels, and data for them."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import (
    FrozenModel,
    HyperPointwise,
    WeightGenerator,
    freeze,
    quantize_model,
)
from keras_hypertinypw.datasets import synthetic
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.models import ds_cnn, ecg_network
from keras_hypertinypw.op_insertion import insert_generate_ops
from keras_hypertinypw.quantization import find_generators, find_layers

layers = keras.layers

IMAGE_SHAPE = (6, 5, 4)
SIGNAL_SHAPE = (16, 3)
NUM_CLASSES = 4


def generator(code_bits: int = 4, **options) -> WeightGenerator:
    arguments = {"hidden_units": (6,), "code_dim": 3, "block_size": 10}
    arguments |= {"code_bits": code_bits, "use_skip": False}
    arguments |= {"name": "generator", **options}
    return WeightGenerator(**arguments)


def image_model(shared: WeightGenerator, **options) -> keras.Model:
    """Two generated layers of different widths around a stored one."""
    inputs = keras.Input(IMAGE_SHAPE, name="image")
    x = HyperPointwise(6, shared, activation="relu", name="first", **options)(
        inputs
    )
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = HyperPointwise(8, shared, name="second", **options)(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(NUM_CLASSES, name="logits")(x)
    return keras.Model(inputs, outputs, name="image_model")


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(np.float32)


def randomize(model: keras.Model, seed: int = 0) -> keras.Model:
    """Gives biases and batch norms what training would; gammas of any sign."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            name = weight.name.split("/")[-1]
            size = weight.shape
            if name in ("gamma:0", "moving_variance:0"):
                weight.assign(rng.uniform(0.5, 2.0, size))
            if name == "gamma:0":
                weight.assign(weight * rng.choice([-1.0, 1.0], size))
            if name in ("beta:0", "moving_mean:0", "bias:0"):
                weight.assign(rng.normal(0, 0.5, size))
    return model


def set_weight(variable, value: float) -> None:
    variable.assign(np.full(variable.shape, value, np.float32))


@functools.cache
def quantized_image_model() -> keras.Model:
    """A calibrated model; do not change it."""
    keras.utils.set_random_seed(3)
    model = randomize(image_model(generator()))
    # The heads differ in sign and size, as after training.
    for layer in find_layers(model):
        layer.scale.assign(layer.scale * noise(layer.scale.shape))
    data = noise((64, *IMAGE_SHAPE))
    return quantize_model(model, calibration_data=data)


@functools.cache
def float_image_model() -> tuple[FrozenModel, bytes]:
    """The same with float32 inputs and outputs, frozen and converted."""
    frozen = freeze(
        quantized_image_model(),
        inference_input_type=tf.float32,
        inference_output_type=tf.float32,
    )
    return frozen, insert_generate_ops(frozen.dense_model, frozen.specs)


@functools.cache
def beats(split: str) -> Windows:
    return synthetic.load(split, beats_per_patient=60)


@functools.cache
def images(num_images: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Stripes in four directions, noisy: shape `(num_images, 16, 12, 1)`."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, NUM_CLASSES, num_images)
    rows, columns = np.mgrid[:16, :12]
    angle = (y * np.pi / NUM_CLASSES)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, num_images)[:, None, None]
    x = np.sin(rows * np.cos(angle) + columns * np.sin(angle) + phase)
    x += rng.normal(0, 0.4, x.shape)
    return x[..., None].astype(np.float32), y


def _trained(
    model: keras.Model, x: np.ndarray, y: np.ndarray, epochs: int
) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Training seldom turns a gamma, and negative ones are to be tested.
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            signs = np.resize([1.0, -1.0, 1.0], layer.gamma.shape)
            layer.gamma.assign(layer.gamma * signs)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    quantized = quantize_model(model, calibration_data=x[:256])
    quantized.compile(keras.optimizers.Adam(5e-4), loss, ["accuracy"])
    quantized.fit(x, y, batch_size=64, epochs=1, verbose=0)
    return quantized


@functools.cache
def trained_ecg_network() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A 1-D network trained on synthetic beats, its test inputs and labels."""
    keras.utils.set_random_seed(11)
    windows = beats("train")
    shared = generator(8, hidden_units=(8,), code_dim=6, block_size=40)
    model = ecg_network(
        windows.x.shape[1:], len(windows.classes), width=20, generator=shared
    )
    test = beats("test")
    return _trained(model, windows.x, windows.y, 4), test.x, test.y


@functools.cache
def trained_ds_cnn() -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """A 2-D network trained on stripes, its test inputs and labels."""
    keras.utils.set_random_seed(12)
    x, y = images()
    shared = generator(2, hidden_units=(8,), code_dim=8, block_size=16)
    model = ds_cnn(
        x.shape[1:], NUM_CLASSES, width=16, num_blocks=3, generator=shared
    )
    return _trained(model, x[:600], y[:600], 6), x[600:], y[600:]


def only_generator(model: keras.Model) -> WeightGenerator:
    (shared,) = find_generators(model)
    return shared
