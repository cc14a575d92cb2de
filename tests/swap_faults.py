"""Faults in models whose pointwise layers are to be swapped."""

from __future__ import annotations

import keras_models
import tf_keras as keras
import user_models
from faults import Registry

import keras_hypertinypw as htpw

layers = keras.layers

SWAPPING = Registry()


def swap(model, **options):
    """Swaps with few steps."""
    shared = keras_models.generator()
    htpw.swap_pointwise(
        model, **{"generator": shared, "fit_steps": 1, **options}
    )


def around(*inner_layers, calls=1):
    """Puts these layers into a model, and that into another."""
    x = inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([inputs, *inner_layers], name="inner")
    for _ in range(calls):
        x = inner(x)
    return keras.Model(inputs, layers.Conv2D(3, 1, name="outer")(x))


@SWAPPING.fault("`keep_first` that leaves nothing to swap")
def nothing_to_swap(folder):
    swap(user_models.plain(), keep_first=3)


@SWAPPING.fault("a model without pointwise layers")
def no_pointwise(folder):
    swap(keras.Sequential([keras.Input((4,)), layers.Dense(3)]))


@SWAPPING.fault("something else than a generator")
def no_generator(folder):
    swap(user_models.plain(), generator="mlp")


@SWAPPING.fault("a negative `keep_first`")
def negative(folder):
    swap(user_models.plain(), keep_first=-1)


@SWAPPING.fault("a quantized model")
def quantized(folder):
    swap(keras_models.quantized_image_model())


@SWAPPING.fault("a model inside the model that is called twice")
def called_twice(folder):
    swap(around(layers.Conv2D(3, 1), calls=2))


@SWAPPING.fault("a layer inside a model inside the model, and around it")
def on_two_levels(folder):
    shared = layers.Conv2D(3, 1, name="shared")
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([inputs, shared], name="inner")
    swap(keras.Model(inputs, inner(shared(inputs))))


@SWAPPING.fault("another generator of that name in the model")
def same_generator_name(folder):
    once = htpw.swap_pointwise(
        user_models.plain(),
        generator=keras_models.generator(),
        keep_first=2,
        fit_steps=1,
    )
    swap(once, keep_first=0)


@SWAPPING.fault("NaN in an old kernel")
def not_finite(folder):
    model = user_models.plain()
    keras_models.set_weight(model.get_layer("pointwise_2").kernel, float("nan"))
    swap(model)


@SWAPPING.fault("a causal SeparableConv1D")
def causal(folder):
    conv = layers.SeparableConv1D(4, 3, padding="causal", name="causal")
    swap(keras.Sequential([keras.Input((16, 3)), conv, layers.Dense(2)]))
