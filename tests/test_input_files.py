import numpy as np
import pytest

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.input_files import load_array

ARRAY = np.arange(6.0).reshape(2, 3)


def test_a_npy_file_is_read(tmp_path):
    np.save(tmp_path / "x.npy", ARRAY)
    found = load_array("--inputs", str(tmp_path / "x.npy"))
    np.testing.assert_array_equal(found, ARRAY)


def test_a_npz_file_of_one_array_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", inputs=ARRAY)
    found = load_array("--inputs", str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(found, ARRAY)


def test_the_flag_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", ARRAY, ARRAY)
    with pytest.raises(ConversionError, match="--inputs .* several arrays"):
        load_array("--inputs", str(tmp_path / "x.npz"))
