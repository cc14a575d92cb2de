from unittest import mock

import keras_models
import numpy as np
import pytest
import tf_keras as keras
import user_models

from keras_hypertinypw import (
    HyperPointwise,
    WeightGenerator,
    generator_scope,
    load_model,
    swap,
    swap_errors,
    swap_pointwise,
)
from keras_hypertinypw.quantization import find_generators, find_layers

layers = keras.layers
SWAPPED = {
    "plain": ["pointwise_1", "pointwise_2"],
    "sequential_1d": ["pointwise", "last"],
    # `shared` is the first, `grouped` no plain convolution, `mask` a head.
    "branching": ["shared_separable", "strided", "separable"],
}
# float32: a convolution split in two adds up in another order.
TOLERANCE = 1e-5


def generator(**options) -> WeightGenerator:
    arguments = {"hidden_units": (6,), "code_dim": 4, "block_size": 12}
    arguments |= {"code_bits": 8, "use_skip": False, "name": "generator"}
    return WeightGenerator(**{**arguments, **options})


def exact_generator() -> WeightGenerator:
    """A linear generator with as many codes as weights: can be anything."""
    return generator(hidden_units=(), code_dim=12)


@pytest.fixture(scope="module", params=SWAPPED)
def pair(request):
    """A model and what a quick swap makes of it; unchanged by the tests."""
    keras.utils.set_random_seed(1)
    model = keras_models.randomize(user_models.ALL[request.param]())
    return model, swap_pointwise(model, generator=generator(), fit_steps=20)


def inputs_of(model):
    return [
        keras_models.noise((3, *tensor.shape[1:]), seed)
        for seed, tensor in enumerate(model.inputs)
    ]


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def set_kernel(layer, kernel):
    """Writes a generated kernel into the layer that it replaces."""
    weights = layer.get_weights()
    position = len(weights) - 1 - layer.use_bias
    weights[position] = kernel.reshape(weights[position].shape)
    layer.set_weights(weights)


def test_pointwise_layers_behind_the_first_are_swapped(pair):
    model, swapped = pair
    names = [layer.name for layer in find_layers(swapped)]
    assert names == SWAPPED[model.name]


def test_with_the_generated_kernels_both_models_are_the_same_function(pair):
    model, swapped = pair
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    for layer in find_layers(swapped):
        set_kernel(twin.get_layer(layer.name), layer.kernel.numpy())
    inputs = inputs_of(model)
    expected, found = twin(inputs), swapped(inputs)
    for e, f in zip(as_list(expected), as_list(found), strict=True):
        assert np.std(e) > 0.01
        np.testing.assert_allclose(
            f, e, rtol=TOLERANCE, atol=TOLERANCE * np.abs(e).max()
        )


def test_all_other_weights_are_kept(pair):
    model, swapped = pair
    compared = 0
    for layer in model.layers:
        new = swapped.get_layer(layer.name)
        if type(new) is type(layer):
            for old, kept in zip(
                layer.get_weights(), new.get_weights(), strict=True
            ):
                np.testing.assert_array_equal(kept, old)
                compared += 1
        elif isinstance(new, HyperPointwise) and new.use_bias:
            np.testing.assert_array_equal(new.bias, layer.bias)
            compared += 1
    assert compared >= 6


def test_inputs_and_outputs_are_the_same(pair):
    model, swapped = pair
    assert swapped.name == model.name
    for old, new in (
        (model.inputs, swapped.inputs),
        (model.outputs, swapped.outputs),
    ):
        assert [t.shape for t in new] == [t.shape for t in old]
    assert swapped.input_names == model.input_names
    assert swapped.output_names == model.output_names


def test_strides_activation_and_bias_are_kept(pair):
    model, swapped = pair
    for layer in find_layers(swapped):
        old = model.get_layer(layer.name)
        assert layer.activation is old.activation
        assert layer.use_bias == old.use_bias
        if not hasattr(old, "pointwise_kernel"):
            assert set(layer.strides) == set(old.strides)


def test_errors_are_those_of_the_kernels(pair):
    model, swapped = pair
    errors = swap_errors(model, swapped)
    assert list(errors) == SWAPPED[model.name]
    for name, error in errors.items():
        old = model.get_layer(name)
        weights = old.get_weights()
        stored = weights[len(weights) - 1 - old.use_bias]
        found = swapped.get_layer(name).kernel.numpy().reshape(stored.shape)
        distance = np.sqrt(np.sum((found - stored) ** 2))
        expected = distance / np.sqrt(np.sum(stored**2))
        assert error == pytest.approx(expected, rel=1e-5)
        assert 0.05 < error < 1


def test_the_model_passed_in_is_unchanged():
    model = user_models.plain()
    config, weights = model.get_config(), model.get_weights()
    swap_pointwise(model, generator=generator(), fit_steps=2)
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_generator_that_can_be_anything_becomes_the_old_kernels():
    keras.utils.set_random_seed(2)
    model = user_models.plain()
    swapped = swap_pointwise(model, generator=exact_generator())
    for error in swap_errors(model, swapped).values():
        # 8-bit codes leave what rounding leaves.
        assert error < 0.05


def principal_error(kernels: list[np.ndarray], size: int, count: int) -> float:
    """Root mean square of what `count` principal components leave."""
    blocks = np.concatenate([kernel.T.reshape(-1, size) for kernel in kernels])
    values = np.linalg.svd(blocks, compute_uv=False) ** 2
    return float(np.sqrt(values[count:].sum() / values.sum()))


def test_the_fit_comes_close_to_principal_components():
    """They are the best that a linear generator without bias can do."""
    keras.utils.set_random_seed(3)
    model = user_models.plain()
    shared = generator(hidden_units=(), code_dim=4)
    swapped = swap_pointwise(model, generator=shared)
    kernels = [
        model.get_layer(name).kernel.numpy()[0, 0] for name in SWAPPED["plain"]
    ]
    # The fit divides each filter by its own size.
    scaled = [kernel / np.linalg.norm(kernel, axis=0) for kernel in kernels]
    best = principal_error(scaled, size=12, count=4)
    errors = list(swap_errors(model, swapped).values())
    assert np.mean(errors) < best + 0.03


def test_a_longer_fit_is_closer():
    model = user_models.plain()
    means = []
    for steps in (0, 20, 300):
        keras.utils.set_random_seed(4)
        swapped = swap_pointwise(model, generator=generator(), fit_steps=steps)
        means.append(np.mean(list(swap_errors(model, swapped).values())))
    assert means[2] < means[1] < means[0] < 1


@pytest.mark.parametrize("code_bits", (1, 2, 4))
def test_a_small_step_of_training_does_not_undo_the_fit(code_bits):
    swapped = swap_pointwise(
        user_models.plain(),
        generator=generator(code_bits=code_bits),
        fit_steps=100,
    )
    for layer in find_layers(swapped):
        before = layer.kernel.numpy()
        for step in (-1e-2, 2e-2):
            layer.codes.assign_add(np.full(layer.codes.shape, step))
            np.testing.assert_array_equal(layer.kernel, before)


def test_the_generator_is_the_one_that_was_passed():
    shared = generator()
    swapped = swap_pointwise(user_models.plain(), generator=shared, fit_steps=1)
    assert find_generators(swapped) == [shared]


def test_a_generator_of_another_model_is_not_changed():
    shared = generator()
    first = swap_pointwise(user_models.plain(), generator=shared, fit_steps=5)
    weights, kernel = shared.get_weights(), find_layers(first)[0].kernel
    second = swap_pointwise(
        user_models.sequential_1d(), generator=shared, fit_steps=5
    )
    assert find_generators(second) == [shared]
    for before, after in zip(weights, shared.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(kernel, find_layers(first)[0].kernel)


def test_what_was_kept_can_be_swapped_later():
    shared = generator()
    model = user_models.plain()
    once = swap_pointwise(model, generator=shared, keep_first=2, fit_steps=5)
    twice = swap_pointwise(once, generator=shared, keep_first=0, fit_steps=5)
    names = ["pointwise_0", *SWAPPED["plain"]]
    assert [layer.name for layer in find_layers(twice)] == names
    assert find_generators(twice) == [shared]
    np.testing.assert_array_equal(
        find_layers(once)[0].kernel, find_layers(twice)[2].kernel
    )


@pytest.mark.parametrize(("keep_first", "count"), [(0, 3), (1, 2), (2, 1)])
def test_the_first_ones_are_kept(keep_first, count):
    swapped = swap_pointwise(
        user_models.plain(),
        generator=generator(),
        keep_first=keep_first,
        fit_steps=1,
    )
    assert len(find_layers(swapped)) == count


def test_layers_smaller_than_a_block_are_kept():
    swapped = swap_pointwise(
        user_models.plain(),
        generator=generator(block_size=16 * 24 + 1),
        fit_steps=1,
    )
    assert [layer.name for layer in find_layers(swapped)] == ["pointwise_2"]


def test_a_convolutional_classifier_is_kept():
    x = inputs = keras.Input((8, 8, 3))
    for filters in (8, 12, 16):
        x = layers.Conv2D(filters, 1, activation="relu")(x)
    x = layers.Conv2D(12, 1, name="conv_preds")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Softmax()(x))
    swapped = swap_pointwise(model, generator=generator(), fit_steps=1)
    assert type(swapped.get_layer("conv_preds")) is layers.Conv2D
    assert len(find_layers(swapped)) == 2


def test_a_dead_filter_stays_dead():
    model = user_models.plain()
    old = model.get_layer("pointwise_1")
    old.kernel.assign(old.kernel * (np.arange(24) != 5))
    swapped = swap_pointwise(model, generator=generator(), fit_steps=20)
    kernel = swapped.get_layer("pointwise_1").kernel.numpy()
    assert np.isfinite(kernel).all()
    assert np.abs(kernel[..., 5]).max() < 1e-4


def test_a_swapped_model_saves_and_loads(tmp_path):
    swapped = swap_pointwise(
        user_models.plain(), generator=generator(), fit_steps=5
    )
    swapped.save(tmp_path / "swapped.keras")
    loaded = load_model(tmp_path / "swapped.keras")
    inputs = inputs_of(swapped)
    np.testing.assert_array_equal(loaded(inputs), swapped(inputs))


def test_a_swapped_model_clones():
    swapped = swap_pointwise(
        user_models.plain(), generator=generator(), fit_steps=5
    )
    with generator_scope():
        clone = keras.models.clone_model(swapped)
    assert len(clone.weights) == len(swapped.weights)


def test_every_weight_of_a_swapped_model_trains():
    swapped = swap_pointwise(
        user_models.plain(), generator=generator(), fit_steps=5
    )
    swapped.compile("sgd", "mse")
    before = [weight.numpy() for weight in swapped.trainable_weights]
    (inputs,) = inputs_of(swapped)
    swapped.train_on_batch(inputs, np.ones((3, 4)))
    for old, weight in zip(before, swapped.trainable_weights, strict=True):
        assert np.any(weight.numpy() != old), weight.name


def test_progress_and_errors_are_shown(capsys):
    model = user_models.plain()
    swapped = swap_pointwise(model, generator=generator(), fit_steps=5)
    shown = capsys.readouterr().err
    assert "Fitting kernels" in shown
    for name, error in swap_errors(model, swapped).items():
        assert f"{name}: relative error {error:.3f}" in shown


def test_an_interrupted_fit_leaves_the_generator_as_it_was():
    shared = generator()
    with mock.patch.object(swap, "fit_kernels", side_effect=KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            swap_pointwise(user_models.plain(), generator=shared)
    assert not shared.built


def test_swapped_layers_are_trainable():
    model = user_models.plain()
    model.trainable = False
    swapped = swap_pointwise(model, generator=generator(), fit_steps=1)
    assert all(layer.trainable for layer in find_layers(swapped))
    assert not swapped.get_layer("stem").trainable


def test_a_layer_that_is_an_output_and_read_again_is_kept():
    x = inputs = keras.Input((8, 8, 4))
    outputs = []
    for index in range(3):
        x = layers.Conv2D(6, 1, name=f"map_{index}")(x)
        outputs.append(x)
        x = layers.Conv2D(8, 1, name=f"more_{index}")(x)
    model = keras.Model(inputs, [*outputs, layers.Flatten()(x)])
    swapped = swap_pointwise(model, generator=generator(), fit_steps=1)
    names = [layer.name for layer in find_layers(swapped)]
    assert names == ["more_1"]


def test_a_prelu_behind_a_head_does_not_make_it_a_body():
    x = inputs = keras.Input((8, 8, 4))
    for index in range(3):
        x = layers.Conv2D(6, 1, name=f"pointwise_{index}")(x)
        x = layers.PReLU()(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
    swapped = swap_pointwise(model, generator=generator(), fit_steps=1)
    assert [layer.name for layer in find_layers(swapped)] == ["pointwise_1"]


def test_a_model_inside_a_model_is_swapped_too():
    inner = user_models.plain()
    inputs = keras.Input((20, 16, 3))
    model = keras.Model(inputs, layers.Dense(3, name="more")(inner(inputs)))
    swapped = swap_pointwise(model, generator=generator(), fit_steps=5)
    assert [layer.name for layer in find_layers(swapped)] == SWAPPED["plain"]
    assert list(swap_errors(model, swapped)) == SWAPPED["plain"]


def test_functions_do_not_hinder():
    x = inputs = keras.Input((8, 8, 12))
    for _ in range(3):
        x = x + layers.Conv2D(12, 1, activation="relu")(x) * 0.5
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    swapped = swap_pointwise(model, generator=generator(), fit_steps=5)
    assert len(find_layers(swapped)) == 2
    assert swapped(inputs_of(model)).shape == (3, 3)
