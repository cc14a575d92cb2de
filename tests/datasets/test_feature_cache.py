import numpy as np
import pytest

from keras_hypertinypw import files
from keras_hypertinypw.datasets import feature_cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keras_hypertinypw"


@pytest.fixture
def computed():
    return []


@pytest.fixture
def load(folder, computed):
    def compute():
        computed.append(1)
        return np.arange(6.0).reshape(2, 3)

    return lambda key=b"key": feature_cache.cached("words", key, compute)


def test_the_second_call_reads_what_the_first_wrote(load, computed, folder):
    np.testing.assert_array_equal(load(), load())
    assert len(computed) == 1
    assert len(list(folder.glob("words-*.npz"))) == 1


def test_another_key_is_computed(load, computed):
    load()
    load(b"other")
    assert len(computed) == 2


def test_a_damaged_file_is_replaced(load, computed, folder):
    expected = load()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1  # In the numbers.
    for damage in (b"", content[:-30], bytes(damaged), b"PK\3\4 no arrays"):
        path.write_bytes(damage)
        computed.clear()
        np.testing.assert_array_equal(load(), expected)
        assert computed and path.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_a_warning(load, monkeypatch):
    def write_atomically(path, content):
        raise OSError("Free some space.")

    monkeypatch.setattr(files, "write_atomically", write_atomically)
    with pytest.warns(UserWarning, match="anew every time. Free some space"):
        assert load().shape == (2, 3)
