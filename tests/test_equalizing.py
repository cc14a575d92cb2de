"""Layers with one scale for all filters."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras
from test_folding import TOLERANCE, chain, hyper, rewrite

from keras_hypertinypw import (
    ConversionError,
    HyperPointwise,
    convert_keras_model,
    quantize_model,
    slim,
    verify,
)
from keras_hypertinypw.flatbuffer import read_model, scales
from keras_hypertinypw.op_insertion import generate_operators

layers = keras.layers
BEHIND = {
    "depthwise": [layers.DepthwiseConv2D(3, depth_multiplier=2)],
    "padded": [layers.ZeroPadding2D(), layers.DepthwiseConv2D(3, strides=2)],
    "convolution": [layers.MaxPooling2D(), layers.Conv2D(3, 2)],
    "dense": [
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
        layers.Dense(3),
    ],
}


def one_scale(**options):
    return hyper(5, per_channel=False, **options)


def normalized(*behind, **options):
    """One scale for all filters, which a normalization made differ."""
    return chain(
        (12, 12, 4),
        one_scale(**options),
        layers.BatchNormalization(),
        layers.ReLU(),
        *behind,
    )


def require_same_function(model, rewritten):
    x = keras_models.noise((3, 12, 12, 4))
    expected = model(x)
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(
        rewritten(x),
        expected,
        rtol=TOLERANCE,
        atol=TOLERANCE * np.abs(expected).max(),
    )


def rebuilt(parts):
    return [part.__class__.from_config(part.get_config()) for part in parts]


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("use_bias", [False, True])
def test_the_function_stays(behind, use_bias):
    model = normalized(*rebuilt(behind), use_bias=use_bias)
    require_same_function(model, rewrite(model))


def test_the_scale_is_the_mean_size_of_all():
    layer = one_scale()
    layer.build((1, 4, 4, 4))
    layer.scale.assign([1, -2, 3, -4, 5])
    kernel, found = layer.generate()
    np.testing.assert_array_equal(found, np.full(5, 3 / 32, np.float32))
    flipped = -layer.scale
    layer.scale.assign(flipped)
    np.testing.assert_array_equal(layer.generate()[0], -kernel)


def test_a_channel_of_no_size_does_not_blow_up_the_others():
    model = normalized(layers.DepthwiseConv2D(3))
    norm = model.layers[2]
    norm.gamma.assign([0, 1, 1, 1, 1])
    names = {type(layer): layer for layer in rewrite(model).layers}
    bias = names[HyperPointwise].bias.numpy()
    assert np.isfinite(bias).all()
    assert abs(bias[0]) <= 8.1 * abs(norm.beta[0]) + 8.1


@pytest.mark.parametrize(
    "gamma",
    [[0, 0, 1, 1, 1], [1e-3, 1, 1, 2, 0.5], [1, 1, 1, 100, 1], [9, 1, 1, 1, 1]],
    ids=str,
)
def test_channels_that_stand_out_leave_the_others_exact(gamma):
    model = normalized(layers.DepthwiseConv2D(3))
    model.layers[2].gamma.assign(gamma)
    # Nothing behind reads those that are too small to be exact.
    depthwise = model.layers[4].depthwise_kernel
    small = np.less(gamma, 0.1)
    depthwise.assign(depthwise * np.where(small, 0, 1)[:, np.newaxis])
    require_same_function(model, rewrite(model))


@pytest.mark.parametrize(
    ("behind", "received"),
    [
        ([layers.ReLU(6), layers.DepthwiseConv2D(3)], "'relu6'"),
        ([layers.Flatten(), layers.Dense(3)], "of type Flatten"),
        ([], "nothing, or several"),
    ],
    ids=["relu6", "flatten", "nothing"],
)
def test_what_cannot_take_sizes_up_is_named(behind, received):
    model = chain((8, 8, 4), one_scale(name="pw"), *rebuilt(behind))
    with pytest.raises(
        ConversionError, match=rf"'pw'.*{received}.*per_channel=True"
    ):
        quantize_model(model)


STORED = {
    "convolution": lambda **options: layers.Conv2D(5, 3, **options),
    "depthwise": lambda **options: layers.DepthwiseConv2D(
        3, depth_multiplier=2, **options
    ),
}


def stored_model(kind, behind, *, use_bias=False):
    return chain(
        (12, 12, 4),
        STORED[kind](use_bias=use_bias),
        layers.BatchNormalization(),
        layers.ReLU(),
        *rebuilt(behind),
    )


def imbalance(model):
    """Returns how far the first kernel and its taker are from balanced.

    That is the range of `log(size behind / size before)` over channels.
    """
    first, taker = (
        layer.get_weights()[0] for layer in model.layers if layer.weights
    )
    num_channels = taker.shape[-2]
    behind = np.square(first.reshape(-1, num_channels)).mean(axis=0)
    ahead = np.square(np.moveaxis(taker, -2, 0)).reshape(num_channels, -1)
    return np.ptp(np.log(behind / ahead.mean(axis=1)) / 2)


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", STORED)
def test_stored_kernels_are_balanced(kind, behind, use_bias):
    model = stored_model(kind, behind, use_bias=use_bias)
    rewritten = rewrite(model, kernel_per_channel=False)
    assert imbalance(rewrite(model)) > 0.1
    assert imbalance(rewritten) < 1e-5
    require_same_function(model, rewritten)


def test_channels_of_no_size_leave_the_others_balanced():
    model = stored_model("convolution", [layers.Conv2D(3, 2)])
    norm = model.layers[2]
    norm.gamma.assign([0, 1, 0, 2, 3])
    before = rewrite(model).layers[1].get_weights()
    convolution, taker = (
        layer.get_weights()
        for layer in rewrite(model, kernel_per_channel=False).layers
        if layer.weights
    )
    live = [1, 3, 4]
    behind = np.square(convolution[0][..., live]).mean(axis=(0, 1, 2))
    ahead = np.square(taker[0][:, :, live]).mean(axis=(0, 1, 3))
    np.testing.assert_allclose(behind / ahead, (behind / ahead)[0], rtol=1e-4)
    grown = np.abs(convolution[1] / before[1])
    assert grown.max() <= 8.001


@pytest.mark.parametrize(
    "behind",
    [
        [layers.Flatten(), layers.Dense(3)],
        [layers.Conv2D(5, 1, groups=5)],
        [hyper(6)],
        [],
    ],
    ids=["flatten", "groups", "generated", "nothing"],
)
def test_sizes_stay_where_nothing_takes_them_up(behind):
    require_same(stored_model("convolution", behind))


def test_sizes_stay_before_relu6():
    require_same(
        chain(
            (12, 12, 4),
            layers.Conv2D(5, 3),
            layers.ReLU(6),
            layers.Conv2D(3, 1),
        )
    )


def test_sizes_stay_before_two_layers():
    inputs = keras.Input((12, 12, 4))
    x = layers.Conv2D(5, 3, activation="relu")(inputs)
    outputs = [layers.Conv2D(3, 1)(x), layers.Conv2D(2, 1)(x)]
    require_same(keras_models.randomize(keras.Model(inputs, outputs)))


def require_same(model):
    for old, new in zip(
        rewrite(model).get_weights(),
        rewrite(model, kernel_per_channel=False).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(new, old)


def to_file(per_channel):
    keras.utils.set_random_seed(0)
    generator = keras_models.generator()

    def pointwise():
        return HyperPointwise(24, generator, per_channel=per_channel)

    model = chain(
        (16, 3),
        pointwise(),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv1D(3),
        layers.BatchNormalization(),
        layers.ReLU(),
        pointwise(),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(4),
    )
    quantized = quantize_model(
        model, calibration_data=keras_models.noise((64, 16, 3))
    )
    return convert_keras_model(quantized)


def test_a_file_is_four_bytes_a_filter_smaller_and_exact():
    content = to_file(per_channel=False)
    smaller, larger = slim(content), slim(to_file(per_channel=True))
    model = read_model(smaller)
    tensors = model.subgraphs[0].tensors
    for operator in generate_operators(model):
        assert len(scales(tensors[operator.outputs[0]])) == 1
    assert len(larger) - len(smaller) >= 2 * (24 - 1) * 4 - 16
    result = verify(smaller)
    assert result.identical and result.num_distinct >= 50
