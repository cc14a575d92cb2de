import functools

import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
import tiny_training

from keras_hypertinypw import (
    ConversionError,
    HyperPointwise,
    Interpreter,
    convert_keras_model,
    fake_quant,
    pack_int4,
    quantize_model,
    runs,
    slim,
    verify,
)
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.flatbuffer import (
    operator_name,
    read_model,
    scales,
    tensor_data,
)
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.int4_kernels import find_kernels
from keras_hypertinypw.training import Schedule

layers = keras.layers
SHAPE = (9, 3)
SAMPLES = keras_models.noise((64, *SHAPE))


def network(width=5, *, generator=None):
    """1-D, with odd numbers of weights; ReLUs of both kinds."""
    inputs = keras.Input(SHAPE, name="signal")
    x = layers.Conv1D(width, 3, use_bias=False, name="stem")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv1D(3, depth_multiplier=2, name="depthwise")(x)
    if generator is not None:
        x = HyperPointwise(6, generator, name="generated")(x)
    x = layers.ReLU(6.0)(layers.Conv1D(7, 1, name="pointwise")(x))
    x = layers.Conv1D(7, 1, activation="relu", name="last")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(11, name="logits")(x))


@functools.cache
def trained(per_channel=True):
    """Returns a network after a few steps, and its variables before them."""
    keras.utils.set_random_seed(5)
    model = keras_models.randomize(network())
    quantized = quantize_model(
        model,
        kernel_bits=4,
        kernel_per_channel=per_channel,
        calibration_data=SAMPLES,
    )
    before = [v.numpy() for v in quantized.trainable_variables]
    quantized.compile(keras.optimizers.Adam(0.01), "mse")
    targets = keras_models.noise((64, 11), seed=1)
    quantized.fit(SAMPLES, targets, epochs=3, verbose=0)
    return quantized, before


EACH = pytest.mark.parametrize("per_channel", [True, False])


@EACH
def test_every_kernel_has_steps_that_train(per_channel):
    quantized, before = trained(per_channel)
    moved = [
        np.any(variable.numpy() != value)
        for variable, value in zip(
            quantized.trainable_variables, before, strict=True
        )
    ]
    assert all(moved)
    sizes = {
        v.name.split("/")[-1] + str(v.shape.num_elements())
        for v in quantized.trainable_variables
        if "gain" in v.name
    }
    assert sizes == (
        {
            "kernel_gain:05",  # stem
            "depthwise_kernel_gain:010",
            "kernel_gain:07",  # pointwise and last
            "kernel_gain:01",  # logits
        }
        if per_channel
        else {"kernel_gain:01", "depthwise_kernel_gain:01"}
    )


@EACH
def test_the_int8_file_holds_four_bits(per_channel):
    model = read_model(to_dense_tflite(trained(per_channel)[0]))
    for kernel in find_kernels(model).values():
        values = tensor_data(model, kernel.tensor)
        assert np.abs(values).max() <= 7
        channels = values.shape[kernel.axis]
        single = kernel.kind == "FULLY_CONNECTED" or not per_channel
        assert scales(kernel.tensor).size == (1 if single else channels)


@EACH
def test_the_packed_file_computes_what_the_int8_file_does(per_channel):
    content = to_dense_tflite(trained(per_channel)[0])
    packed = pack_int4(content)
    assert len(packed) < len(content)
    rng = np.random.default_rng(2)
    inputs = rng.integers(-128, 128, (100, *SHAPE)).astype(np.int8)
    found = []
    for model, runtime in (
        (content, "tflm"),
        (content, "litert"),
        (packed, "tflm"),
        (packed, "litert"),
    ):
        with Interpreter(model, runtime=runtime) as interpreter:
            found.append(interpreter.predict(inputs))
    assert len(np.unique(found[0])) >= 50
    for outputs in found[1:]:
        np.testing.assert_array_equal(outputs, found[0])


# Training does not round biases. That moves a few activations by a step, and
# outputs by as many as two.
TWO_STEPS = 2.01


@EACH
def test_the_file_computes_what_training_did(per_channel):
    quantized, _ = trained(per_channel)
    content = pack_int4(to_dense_tflite(quantized))
    graph = read_model(content).subgraphs[0]
    (step,) = scales(graph.tensors[graph.outputs[0]])
    with Interpreter(content) as interpreter:
        found = interpreter.predict(SAMPLES)
    expected = quantized.predict(SAMPLES, verbose=0)
    assert np.abs(found - expected).max() <= TWO_STEPS * step


def test_a_file_is_four_bytes_a_channel_smaller():
    each, one = (
        len(slim(pack_int4(to_dense_tflite(trained(per_channel)[0]))))
        for per_channel in (True, False)
    )
    channels = 5 + 10 + 7 + 7  # Dense has one scale as it is.
    assert abs(each - one - 4 * (channels - 4)) <= 32


def test_one_step_starts_from_balanced_channels():
    model = keras_models.randomize(network())
    spread = {}
    for per_channel in (True, False):
        quantized = quantize_model(
            model, kernel_bits=4, kernel_per_channel=per_channel
        )
        stem, depthwise = (
            next(
                weight.numpy()
                for weight in quantized.get_layer(f"quant_{name}").weights
                if weight.name.endswith("kernel:0")
            )
            for name in ("stem", "depthwise")
        )
        behind = np.square(stem).mean(axis=(0, 1, 2))
        ahead = np.square(depthwise).mean(axis=(0, 1, 3))
        spread[per_channel] = np.ptp(np.log(behind / ahead) / 2)
    assert spread[True] > 0.2
    assert spread[False] < 0.02


def test_one_step_with_eight_bits_is_refused():
    with pytest.raises(ValueError, match="kernel_bits=8 and kernel_per"):
        quantize_model(network(), kernel_per_channel=False)


def test_relus_are_fused():
    model = read_model(to_dense_tflite(trained()[0]))
    names = [operator_name(model, op) for op in model.subgraphs[0].operators]
    assert names == [
        "RESHAPE",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "CONV_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
    ]


def test_generated_kernels_keep_eight_bits():
    keras.utils.set_random_seed(6)
    model = network(generator=keras_models.generator())
    keras_models.randomize(model)
    quantized = quantize_model(model, kernel_bits=4, calibration_data=SAMPLES)
    content = convert_keras_model(quantized)
    packed = runs.to_tflite(quantized, stored=False, kernel_bits=4)
    assert packed == pack_int4(content)
    assert len(packed) < len(content)
    assert verify(packed).identical
    generated = [
        kernel
        for kernel in find_kernels(read_model(packed)).values()
        if not kernel.is_packed
    ]
    assert len(generated) == 1

    # A budget counts the room that unpacking takes.
    budget = predict_arena(packed, "host").required_bytes - 16
    smaller = runs.to_tflite(
        quantized, stored=False, kernel_bits=4, arena_budget=budget
    )
    assert predict_arena(smaller, "host").required_bytes <= budget


def test_another_relu_is_refused():
    inputs = keras.Input(SHAPE)
    x = layers.Conv1D(4, 1, name="conv")(inputs)
    model = keras.Model(inputs, layers.ReLU(max_value=3.0)(x))
    with pytest.raises(ConversionError, match="Layer 'conv': expected ReLU"):
        quantize_model(model, kernel_bits=4)
    quantize_model(model)


def test_layers_before_a_concatenation_keep_four_bits():
    inputs = keras.Input(SHAPE)
    x = layers.Conv1D(4, 1, name="one")(inputs)
    y = layers.Conv1D(4, 3, padding="same", activation="relu", name="two")(x)
    outputs = layers.Concatenate()([x, y])
    model = keras.Model(inputs, outputs)
    quantized = quantize_model(model, kernel_bits=4, calibration_data=SAMPLES)
    content = read_model(to_dense_tflite(quantized))
    for kernel in find_kernels(content).values():
        assert np.abs(tensor_data(content, kernel.tensor)).max() <= 7


def test_frozen_layers_keep_their_steps():
    model = network()
    model.get_layer("pointwise").trainable = False
    quantized = quantize_model(model, kernel_bits=4)
    names = [v.name for v in quantized.trainable_variables]
    assert not any("pointwise" in name for name in names)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 3, 6, 2), (7, 4)])
def test_gradients_are_those_of_learned_steps(shape):
    rank = {(2, 3, 4, 5): 1, (3, 3, 6, 2): 2, (7, 4): 0}[shape]
    rng = np.random.default_rng(1)
    kernel = tf.constant(rng.normal(size=shape), tf.float32)
    step_shape = shape[len(shape) - rank :]
    steps = tf.constant(rng.uniform(0.1, 0.3, step_shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([kernel, steps])
        found = fake_quant.quantize_to_steps(kernel, steps, 7)
    to_kernel, to_steps = tape.gradient(found, [kernel, steps])
    scaled = kernel.numpy() / steps.numpy()
    levels = np.clip(np.floor(scaled + 0.5), -7, 7)
    inside = np.abs(scaled) <= 7
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(found, levels * steps.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(to_kernel, inside)
    each = np.where(inside, levels - scaled, 7 * np.sign(scaled))
    axes = tuple(range(len(shape) - rank))
    # float32 sums in another order.
    np.testing.assert_allclose(to_steps, each.sum(axis=axes), atol=1e-4)


def test_weights_load_into_a_model_built_again():
    quantized, _ = trained()
    again = quantize_model(network(), kernel_bits=4)
    again.set_weights(quantized.get_weights())
    np.testing.assert_array_equal(
        again.predict(SAMPLES, verbose=0), quantized.predict(SAMPLES, verbose=0)
    )


@EACH
def test_a_schedule_trains_in_four_bits(tmp_path, per_channel):
    schedule = Schedule(
        float_epochs=1,
        quantized_epochs=1,
        kernel_bits=4,
        kernel_per_channel=per_channel,
    )
    done = tiny_training.run(tmp_path, schedule)
    gains = [
        variable.shape.rank
        for variable in done.model.trainable_variables
        if variable.name.endswith("kernel_gain:0")
    ]
    assert gains and any(gains) == per_channel
    resumed = tiny_training.run(tmp_path, schedule)
    tiny_training.require_same(resumed, done)
