"""What `swap_pointwise` refuses."""

import keras_models
import numpy as np
import pytest
import tf_keras as keras
import user_models

from keras_hypertinypw import (
    ConversionError,
    WeightGenerator,
    quantize_model,
    swap_errors,
    swap_pointwise,
)

layers = keras.layers


def test_another_generator_of_that_name_is_an_error():
    once = swap_pointwise(
        user_models.plain(),
        generator=keras_models.generator(),
        keep_first=2,
        fit_steps=1,
    )
    with pytest.raises(ConversionError, match="a name of its own"):
        swap_pointwise(once, generator=keras_models.generator(), keep_first=0)


def test_a_kernel_that_is_not_finite_is_an_error():
    model, shared = user_models.plain(), keras_models.generator()
    kernel = model.get_layer("pointwise_1").kernel
    kernel.assign(np.where(np.arange(24) == 3, np.nan, kernel))
    with pytest.raises(ConversionError, match="'pointwise_1'.*16 NaN"):
        swap_pointwise(model, generator=shared)
    assert not shared.built


def test_a_generator_of_another_precision_is_an_error():
    half = WeightGenerator(dtype="mixed_float16")
    with pytest.raises(ConversionError, match="expected float32"):
        swap_pointwise(user_models.plain(), generator=half)


def test_errors_of_another_model_are_an_error():
    swapped = swap_pointwise(
        user_models.plain(), generator=keras_models.generator(), fit_steps=1
    )
    with pytest.raises(ValueError, match="layer 'pointwise_1'"):
        swap_errors(user_models.sequential_1d(), swapped)


def test_nothing_to_swap_is_an_error():
    with pytest.raises(ConversionError, match="keep_first=3 keeps 3.*Lower"):
        swap_pointwise(
            user_models.plain(),
            generator=keras_models.generator(),
            keep_first=3,
        )


def test_a_model_without_pointwise_layers_is_an_error():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    with pytest.raises(ConversionError, match="a model with 0"):
        swap_pointwise(model, generator=keras_models.generator())


def test_a_quantized_model_is_an_error():
    model = quantize_model(user_models.plain())
    with pytest.raises(ConversionError, match="a float model"):
        swap_pointwise(model, generator=keras_models.generator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator": 8}, "`generator` to be a BaseGenerator"),
        ({"keep_first": -1}, "`keep_first`"),
        ({"fit_steps": 1.5}, "`fit_steps`"),
    ],
)
def test_option_errors(options, message):
    arguments = {"generator": keras_models.generator(), **options}
    with pytest.raises((TypeError, ValueError), match=message):
        swap_pointwise(user_models.plain(), **arguments)
