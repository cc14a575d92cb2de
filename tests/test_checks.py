import numpy as np
import pytest

from keras_hypertinypw import checks


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3)])
def test_positive_integers_become_int(value):
    number = checks.positive_int("size", value)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize(
    "value",
    [0, -1, np.int64(0), True, np.True_, 3.0, "3", None, [3], np.array([3, 4])],
    ids=repr,
)
def test_all_else_is_an_error(value):
    with pytest.raises(ValueError) as info:
        checks.positive_int("size", value)
    assert str(info.value) == (
        f"Expected `size` to be a positive integer. Received: size={value!r}."
    )


def test_one_of_returns_the_allowed_value():
    assert type(checks.one_of("bits", 4.0, (1, 2, 4))) is int
    assert checks.one_of("bits", 4, iter([1, 4])) == 4


@pytest.mark.parametrize("value", [3, "4", None])
def test_one_of_names_what_is_allowed(value):
    with pytest.raises(ValueError, match=r"`bits`.*\(1, 2, 4\).*bits="):
        checks.one_of("bits", value, (1, 2, 4))


def test_instance_returns_the_value():
    value = [1]
    assert checks.instance("value", value, list) is value


def test_instance_names_class_and_type():
    with pytest.raises(TypeError, match="`value`.*list.*value=3 of type int"):
        checks.instance("value", 3, list)
