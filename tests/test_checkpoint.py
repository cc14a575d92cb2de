import numpy as np
import pytest

from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.errors import ConversionError


@pytest.fixture
def checkpoint():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(i, 3)).astype(np.float32) for i in range(12)]
    optimizer = [np.int64(7), *weights]
    return Checkpoint([{"loss": 0.1}], weights, optimizer, weights[::-1])


def test_loading_inverts_saving(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "x.npz")
    loaded = Checkpoint.load(tmp_path / "x.npz")
    assert loaded.records == checkpoint.records
    for name in ("weights", "optimizer", "best"):
        pairs = zip(
            getattr(loaded, name), getattr(checkpoint, name), strict=True
        )
        for array, expected in pairs:
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"text" + content[4:],
        lambda content: content[:900] + b"\xff" + content[901:],
    ],
    ids=["empty", "cut", "half", "text", "bit"],
)
def test_a_damaged_file_says_what_to_do(checkpoint, damage, tmp_path):
    path = tmp_path / "x.npz"
    checkpoint.save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConversionError, match="x.npz.*Delete it"):
        Checkpoint.load(path)
