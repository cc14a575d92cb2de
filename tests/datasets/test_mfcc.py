import numpy as np
import pytest
import real_data

from keras_hypertinypw.datasets import mfcc, wav_files

# Sums of 513 terms in float32, in another order.
FLOAT32 = 2e-3


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return rng.uniform(-0.3, 0.3, (3, 16_000)).astype(np.float32)


def test_coefficients_are_those_of_mlperf_tiny(clips):
    import tensorflow as tf

    spectrum = tf.abs(
        tf.signal.stft(clips, 640, 320, window_fn=tf.signal.hann_window)
    )
    weights = tf.signal.linear_to_mel_weight_matrix(
        40, spectrum.shape[-1], 16_000, 20.0, 4000.0
    )
    log_mel = tf.math.log(spectrum @ weights + 1e-6)
    expected = tf.signal.mfccs_from_log_mel_spectrograms(log_mel)[..., :10]
    coefficients = mfcc.mfcc(clips)
    assert coefficients.shape == (3, 49, 10)
    assert coefficients.dtype == np.float32
    np.testing.assert_allclose(coefficients, expected, atol=FLOAT32)


def test_a_tone_is_loudest_in_its_filter():
    seconds = np.arange(16_000) / mfcc.FS
    spectrum = np.abs(np.fft.rfft(np.sin(2 * np.pi * 1000 * seconds), 1024))
    energies = spectrum @ mfcc.mel_weights(mfcc.BAND)
    low, high = (1127 * np.log1p(f / 700) for f in mfcc.BAND)
    place = (1127 * np.log1p(1000 / 700) - low) / (high - low) * 41 - 1
    assert abs(energies.argmax() - place) <= 1


def test_filters_hear_nothing_outside_their_band():
    weights = mfcc.mel_weights((100.0, 2000.0))
    bins = np.arange(513) * (16_000 / 1024)
    outside = (bins <= 100) | (bins >= 2000)
    assert not weights[outside].any()
    assert weights[~outside].any(axis=1).all()


def test_silence_is_a_constant():
    coefficients = mfcc.mfcc(np.zeros((1, 16_000), np.float32))
    expected = 2 * 40 * np.log(1e-6) / np.sqrt(80)
    np.testing.assert_allclose(coefficients[..., 0], expected, rtol=1e-6)
    np.testing.assert_allclose(coefficients[..., 1:], 0, atol=1e-4)


@pytest.mark.parametrize("shape", [(16_000,), (2, 15_999), (2, 16_000, 1)])
def test_clips_of_another_length_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(num_clips, 16000\).*Received"):
        mfcc.mfcc(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "word", ["down", "left", "no", "right", "start", "stop", "up", "yes"]
)
def test_real_clips_become_the_published_arrays(word):
    paths = sorted(
        (real_data.require("arabic_speech_commands") / "dataset" / word).glob(
            "*.wav"
        )
    )
    folder = real_data.require("arabic_speech_commands_mfcc")
    with np.load(folder / "arabic_40words_mfcc49x10.npz") as file:
        chosen = file["y"] == file["words"].tolist().index(word)
        # In each both are sorted, but speakers come in another order.
        order = np.argsort(file["speaker"][chosen], kind="stable")
        expected = file["X"][chosen][order]
    clips = np.stack([wav_files.read_wav(path) for path in paths])
    coefficients = mfcc.mfcc(clips, band=(20.0, 7600.0))
    assert coefficients.shape == expected.shape == (300, 49, 10)
    # They were rounded to float16.
    half_step = np.spacing(np.abs(expected)).astype(np.float64) / 2
    difference = np.abs(coefficients - expected.astype(np.float64))
    assert (difference <= half_step + FLOAT32).all()
