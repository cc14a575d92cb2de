import pytest

from keras_hypertinypw.formatting import format_count


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 biases"), (1, "1 bias"), (2, "2 biases"), (1234, "1,234 biases")],
)
def test_one_is_no_plural(number, expected):
    assert format_count(number, "bias", "biases") == expected


def test_the_plural_has_an_s():
    assert format_count(1, "kernel") == "1 kernel"
    assert format_count(2, "kernel") == "2 kernels"
