import numpy as np
import pytest

from keras_hypertinypw.datasets.windows import Windows, concatenate, cut_around


def make(**changes):
    values = {
        "x": np.zeros((3, 8, 2), np.float32),
        "y": np.array([0, 1, 1]),
        "groups": np.array(["a", "a", "b"]),
        "classes": ("N", "V"),
        "fs": 128.0,
    }
    return Windows(**{**values, **changes})


def test_counts_windows_of_each_class():
    windows = make(classes=("N", "V", "F"))
    assert len(windows) == 3
    assert windows.class_counts() == {"N": 1, "V": 2, "F": 0}


def test_windows_may_have_several_classes_or_none():
    y = np.array([[1, 1], [0, 1], [0, 0]])
    windows = make(y=y)
    assert windows.multi_label and not make().multi_label
    assert windows.class_counts() == {"N": 1, "V": 2}
    np.testing.assert_array_equal(concatenate([windows, windows]).y[3:], y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((3, 8, 2))}, "float64 of shape"),
        ({"x": np.zeros((3, 8), np.float32)}, r"\(3, 8\)"),
        ({"x": np.full((3, 8, 2), np.nan, np.float32)}, "NaN"),
        ({"y": np.array([0, 1])}, "`y` with one value for each of the 3"),
        ({"y": np.array([0.0, 1.0, 1.0])}, "float64"),
        ({"y": np.array([0, 1, 2])}, "from 0 to 2"),
        ({"y": np.array([-1, 1, 1])}, "from -1 to 1"),
        ({"y": np.zeros((3, 3), int)}, r"`y`.*int64 of shape \(3, 3\)"),
        ({"y": np.zeros((2, 2), int)}, r"`y`.*of shape \(2, 2\)"),
        ({"y": np.zeros((3, 2))}, r"`y`.*float64 of shape \(3, 2\)"),
        ({"y": np.array([[0, 2], [0, 0], [0, 0]])}, "from 0 to 2"),
        ({"groups": np.array(["a"])}, "`groups`"),
        ({"groups": np.array([0.5, 1.0, 1.0])}, "integers or strings"),
        ({"classes": ("N", "N")}, "distinct"),
        ({"classes": ()}, "distinct"),
        ({"fs": 0}, "fs=0"),
    ],
)
def test_invalid_windows_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_concatenate_keeps_order_and_groups():
    joined = concatenate([make(), make(groups=np.array(["c", "c", "long"]))])
    assert joined.groups.tolist() == ["a", "a", "b", "c", "c", "long"]
    assert joined.y.tolist() == [0, 1, 1, 0, 1, 1]


def test_concatenate_refuses_parts_of_different_kind():
    with pytest.raises(ValueError, match="equal classes"):
        concatenate([make(), make(fs=250.0)])
    with pytest.raises(ValueError, match="at least one part"):
        concatenate([])


def test_cut_around_centers_and_pads_with_zeros():
    cut = cut_around(np.arange(1, 7), np.array([0, 3, 5]), 4)
    expected = [[0, 0, 1, 2], [2, 3, 4, 5], [4, 5, 6, 0]]
    np.testing.assert_array_equal(cut, expected)


@pytest.mark.parametrize("center", [-1, 6])
def test_cut_around_refuses_a_center_outside(center):
    with pytest.raises(ValueError, match="6 samples"):
        cut_around(np.arange(6), np.array([2, center]), 4)
