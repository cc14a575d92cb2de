import dataclasses

import numpy as np
import pytest
import real_data

from keras_hypertinypw.datasets import mfcc_arrays
from keras_hypertinypw.datasets.splits import SPLITS

ARABIC = mfcc_arrays.ARABIC_40_WORDS
V1 = mfcc_arrays.SPEECH_COMMANDS_V1


def write(path, shape, **arrays):
    rng = np.random.default_rng(0)
    content = {
        "X": rng.normal(3, 2, (30, *shape)).astype(np.float16),
        "y": np.arange(30, dtype=np.int16) % 3,
        "words": np.array(["yes", "no", "up"]),
        "split": np.arange(30, dtype=np.int8) // 10,
        **arrays,
    }
    np.savez(path, **content)
    return content


def test_arabic_words_keep_frames_first(tmp_path):
    speakers = np.arange(30) // 5
    content = write(tmp_path / ARABIC.file_name, (49, 10), speaker=speakers)
    windows = ARABIC.load("validation", data_dir=tmp_path)
    assert windows.x.shape == (10, 49, 10, 1)
    assert windows.classes == ("yes", "no", "up")
    np.testing.assert_array_equal(windows.groups, speakers[10:20])
    np.testing.assert_array_equal(windows.y, content["y"][10:20])


def test_coefficients_are_standardized_by_the_training_clips(tmp_path):
    write(tmp_path / ARABIC.file_name, (49, 10), speaker=np.zeros(30, int))
    x = ARABIC.load("train", data_dir=tmp_path).x[..., 0]
    np.testing.assert_allclose(x.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 1)), 1, atol=1e-5)


def test_speech_commands_are_turned_and_name_their_speakers(tmp_path):
    files = np.array(
        [f"yes/{i // 2:08x}_nohash_{i % 2}.wav" for i in range(30)]
    )
    write(tmp_path / V1.file_name, (20, 11), files=files)
    windows = V1.load("test", data_dir=tmp_path)
    assert windows.x.shape == (10, 11, 20, 1)
    assert windows.groups[0] == windows.groups[1] == "0000000a"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="arabic_40words_mfcc49x10.npz"):
        ARABIC.load("train", data_dir=tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / V1.file_name).write_bytes(b"PK\3\4 no arrays")
    with pytest.raises(ValueError, match="gsc_v1_9words_mfcc20x11.npz"):
        V1.load("train", data_dir=tmp_path)


def test_a_file_without_speakers_is_damaged(tmp_path):
    write(tmp_path / ARABIC.file_name, (49, 10))
    with pytest.raises(ValueError, match="speaker"):
        ARABIC.load("train", data_dir=tmp_path)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'train', 'validation' or 'test'"):
        ARABIC.load("dev", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("dataset", "sizes", "shape", "words"),
    [
        (ARABIC, (7200, 2400, 2400), (49, 10, 1), 40),
        (V1, (15201, 2112, 2081), (11, 20, 1), 9),
    ],
)
def test_the_real_files_keep_speakers_apart(dataset, sizes, shape, words):
    folder = real_data.require(dataset.name)
    parts = [dataset.load(split, data_dir=folder) for split in SPLITS]
    assert tuple(map(len, parts)) == sizes
    speakers = [set(part.groups.tolist()) for part in parts]
    assert len(set.union(*speakers)) == sum(map(len, speakers))
    for part in parts:
        assert part.x.shape[1:] == shape
        assert len(part.classes) == words


def test_a_data_set_is_a_value():
    assert dataclasses.replace(ARABIC) == ARABIC
