import numpy as np
import pytest
import speech_folders

from keras_hypertinypw.datasets import wav_files


def test_samples_are_fractions_of_full_scale(tmp_path):
    path = tmp_path / "a.wav"
    written = speech_folders.write_wav(path, 1000)
    samples = wav_files.read_wav(path)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples * 32_768, written)


@pytest.mark.parametrize(
    ("kind", "received"),
    [
        ({"fs": 8000}, "8000 Hz, 1 channels, 16 bit"),
        ({"channels": 2}, "16000 Hz, 2 channels, 16 bit"),
        ({"width": 1}, "16000 Hz, 1 channels, 8 bit"),
        ({"num_samples": 0}, "no samples"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path, kind, received):
    speech_folders.write_wav(tmp_path / "a.wav", **kind)
    with pytest.raises(ValueError, match=rf"a\.wav.*16000 Hz.*: {received}\."):
        wav_files.read_wav(tmp_path / "a.wav")


def test_every_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    speech_folders.write_wav(path, 20)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"Expected.*a\.wav.*Received"):
            wav_files.read_wav(path)


def test_a_truncated_file_says_how_much_is_left(tmp_path):
    path = tmp_path / "a.wav"
    speech_folders.write_wav(path, 16_000)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="15,998 samples of 16,000, truncated"):
        wav_files.read_wav(path)


def test_damaged_headers_are_refused_or_read(tmp_path):
    path = tmp_path / "a.wav"
    speech_folders.write_wav(path, 20)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(content)
        damaged[rng.integers(44)] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            wav_files.read_wav(path)
        except ValueError:  # No other one.
            refused += 1
    assert 500 < refused < 2000


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.wav.*no such file"):
        wav_files.read_wav(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("length", "expected"), [(2, [1, 2]), (3, [1, 2, 3]), (5, [1, 2, 3, 0, 0])]
)
def test_clips_are_padded_or_cut_at_their_end(length, expected):
    samples = np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(
        wav_files.to_length(samples, length), expected
    )
