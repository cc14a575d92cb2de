import numpy as np
import pytest

from keras_hypertinypw.int4_values import (
    fit_steps,
    fits_int4,
    pack_nibbles,
    quantize_int4,
    unpack_nibbles,
)


def test_the_first_value_is_in_the_lower_half():
    data = pack_nibbles(np.array([1, -1, 7, -8, 5], np.int8))
    assert data == bytes([0xF1, 0x87, 0x05])


@pytest.mark.parametrize("count", [0, 1, 2, 7, 16, 999])
def test_unpacking_inverts_packing(count):
    rng = np.random.default_rng(count)
    values = rng.integers(-8, 8, count).astype(np.int8)
    data = np.frombuffer(pack_nibbles(values), np.uint8)
    assert len(data) == (count + 1) // 2
    np.testing.assert_array_equal(unpack_nibbles(data, count), values)


def test_int4_ends_at_minus_8_and_7():
    assert fits_int4(np.array([-8, 7], np.int8))
    assert not fits_int4(np.array([-9, 0], np.int8))
    assert not fits_int4(np.array([0, 8], np.int8))


def test_ties_go_up():
    values = np.array([[0.5], [-0.5], [1.5], [-1.5], [99], [-99]])
    levels = quantize_int4(values, np.ones(1)).ravel()
    np.testing.assert_array_equal(levels, [1, 0, 2, -1, 7, -7])


@pytest.mark.parametrize("largest", range(1, 8))
def test_a_grid_that_is_there_is_found(largest):
    rng = np.random.default_rng(largest)
    levels = rng.integers(-largest, largest + 1, (20, 5))
    levels[0] = largest
    steps = np.array([1, 3, 18, 0.013, 1e-6])
    found = fit_steps(levels * steps)
    error = quantize_int4(levels * steps, found) * found - levels * steps
    assert np.abs(error / steps).max() < 1e-9


# The list of steps is finite; where it ends up is a local optimum.
NEAR_THE_BEST = 1.01


def test_no_step_is_better_by_more_than_a_percent():
    values = np.random.default_rng(0).normal(size=(300, 40))

    def errors(steps):
        rounded = quantize_int4(values, steps) * steps
        return ((values - rounded) ** 2).sum(axis=0)

    largest = np.abs(values).max(axis=0)
    best = np.min([errors(largest / d) for d in np.linspace(5, 20, 3000)], 0)
    assert (errors(fit_steps(values)) <= NEAR_THE_BEST * best).all()


def test_a_channel_of_zeros_has_a_step():
    assert fit_steps(np.zeros((4, 2))).tolist() == [1, 1]
