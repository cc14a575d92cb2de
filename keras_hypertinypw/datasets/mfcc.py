"""Mel-frequency cepstral coefficients of one-second clips, 49 x 10.

The front end of MLPerf Tiny's keyword spotting (Banbury et al., "MLPerf Tiny
Benchmark", 2021; `get_dataset.py` there) and, but for constants that
standardizing removes, of Zhang et al., "Hello Edge: Keyword Spotting on
Microcontrollers", 2017: windows of 40 ms every 20 ms, 40 mel filters from 20 Hz
to 4 kHz, 10 coefficients. The formulas are those of `tf.signal`
(`stft`, `linear_to_mel_weight_matrix`, `mfccs_from_log_mel_spectrograms`).

Samples count from -1 to 1, full scale of 16 bit, as in "Hello Edge" and as a
device sees them; MLPerf Tiny divides each clip by its largest sample, for which
it has to be over.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import fft
from scipy import signal as scipy_signal

FS = 16_000  # Hz, of the clips.
CLIP_SAMPLES = FS
WINDOW_SAMPLES = 640  # 40 ms.
HOP_SAMPLES = 320  # 20 ms.
FFT_SAMPLES = 1024  # The next power of two, as tf.signal.stft pads.
NUM_FRAMES = 1 + (CLIP_SAMPLES - WINDOW_SAMPLES) // HOP_SAMPLES
FRAME_RATE = FS / HOP_SAMPLES  # Hz.
NUM_FILTERS = 40
NUM_COEFFICIENTS = 10
BAND = (20.0, 4000.0)  # Hz.

_FLOOR = 1e-6  # Keeps the logarithm of silence finite.


def mfcc(clips: np.ndarray, *, band: tuple[float, float] = BAND) -> np.ndarray:
    """Computes the coefficients of clips of one second.

    Of each window, weighted by Hann's (periodic), the magnitudes of the
    spectrum are summed by the mel filters; the coefficients are the DCT-II of
    the natural logarithms, divided by `sqrt(2 * NUM_FILTERS)`.

    Args:
        clips: Array of shape `(num_clips, 16000)`, samples at 16 kHz in
            `[-1, 1]`.
        band: Lower edge of the lowest and upper edge of the highest filter,
            in hertz.

    Returns:
        float32 array of shape `(num_clips, 49, 10)`.

    Raises:
        ValueError: If the clips have another length.
    """
    if clips.ndim != 2 or clips.shape[1] != CLIP_SAMPLES:
        raise ValueError(
            f"Expected clips of shape (num_clips, {CLIP_SAMPLES}). Received: "
            f"{clips.shape}. Pad or cut them to one second at 16 kHz."
        )
    frames = np.lib.stride_tricks.sliding_window_view(
        clips, WINDOW_SAMPLES, axis=1
    )[:, ::HOP_SAMPLES]
    window = scipy_signal.get_window("hann", WINDOW_SAMPLES).astype(np.float32)
    magnitudes = np.abs(fft.rfft(frames * window, FFT_SAMPLES))
    energies = magnitudes @ mel_weights(band)
    coefficients = fft.dct(np.log(energies + _FLOOR))[..., :NUM_COEFFICIENTS]
    return (coefficients / np.sqrt(2 * NUM_FILTERS)).astype(np.float32)


@functools.cache
def mel_weights(band: tuple[float, float]) -> np.ndarray:
    """Returns what each filter takes of each bin of the spectrum.

    Filters are triangles on the mel scale `1127 * ln(1 + f / 700 Hz)` (Young
    et al., "The HTK Book"), each from the peak of its left neighbour to that
    of its right one.

    Args:
        band: As in `mfcc`.

    Returns:
        float32 array of shape `(513, 40)`, values in `[0, 1]`.
    """
    low, high = _mel(np.array(band))
    edges = np.linspace(low, high, NUM_FILTERS + 2)
    bins = np.arange(FFT_SAMPLES // 2 + 1) * (FS / FFT_SAMPLES)
    steps = (_mel(bins)[:, np.newaxis] - edges) / (edges[1] - edges[0])
    rising, falling = steps[:, :-2], -steps[:, 2:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0  # What is constant is not heard.
    return weights.astype(np.float32)


def _mel(frequency: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(frequency / 700.0)
