"""From an ECG lead and its beat times to the input of the classifier.

Nothing here reads a label. The rhythm features look back over ten beats and
ahead by one; the filter is zero-phase and the amplitude the median over the
whole record, where a device would take a causal filter and a running median.
"""

from __future__ import annotations

import fractions

import numpy as np
from scipy import signal as scipy_signal

from keras_hypertinypw.datasets import windows

CLASSES = ("N", "S", "V", "F")  # AAMI EC57; Q is left out.
FS = 128.0  # Hz, of the windows.
WINDOW_SAMPLES = 256  # 2 s: the beat and, at usual rates, both neighbours.
NUM_CHANNELS = 3  # ECG, previous RR, next RR.

# One int8 scale serves all channels, so they are brought to one range.
CLIP = 4.0
R_AMPLITUDE = 2.0
RR_GAIN = 3.0  # A beat that comes at 60 % of its time: 3 ln 0.6 = -1.5.

_PASS_BAND = (0.5, 40.0)  # Hz.
_LOCAL_INTERVALS = 10


def band_limit(ecg: np.ndarray, fs: float) -> np.ndarray:
    """Removes baseline wander and noise: 0.5-40 Hz, Butterworth, zero phase.

    Args:
        ecg: Array of shape `(..., num_samples)`, in millivolts.
        fs: Sampling frequency, in hertz; above 80.

    Returns:
        float64 array of the same shape, in millivolts.

    Raises:
        ValueError: If `ecg` has missing samples or `fs` is too low.
    """
    if not np.isfinite(ecg).all():
        raise ValueError(
            "Expected an ECG without missing samples. Received: "
            f"{np.count_nonzero(~np.isfinite(ecg))} that are not finite; "
            "interpolate them or leave the record out."
        )
    if fs <= 2 * _PASS_BAND[1]:
        raise ValueError(
            f"Expected `fs` above {2 * _PASS_BAND[1]} Hz. Received: fs={fs}."
        )
    sections = scipy_signal.butter(
        2, _PASS_BAND, "bandpass", fs=fs, output="sos"
    )
    return scipy_signal.sosfiltfilt(sections, ecg)


def resample(ecg: np.ndarray, fs: float, new_fs: float) -> np.ndarray:
    """Resamples by a polyphase filter; sample 0 keeps its place in time.

    Args:
        ecg: Array of shape `(num_samples,)`.
        fs: Sampling frequency of `ecg`, in hertz.
        new_fs: Sampling frequency of the result, in hertz.

    Returns:
        float64 array of shape `(ceil(num_samples * new_fs / fs),)`.
    """
    ratio = fractions.Fraction(new_fs) / fractions.Fraction(fs)
    ratio = ratio.limit_denominator(10_000)
    return scipy_signal.resample_poly(ecg, ratio.numerator, ratio.denominator)


def beat_amplitude(ecg: np.ndarray, beats: np.ndarray, fs: float) -> float:
    """Median over beats of the largest deflection within 0.1 s of the beat.

    Args:
        ecg: Band-limited lead of shape `(num_samples,)`.
        beats: Sample indices of the beats, shape `(num_beats,)`.
        fs: Sampling frequency, in hertz.

    Returns:
        The amplitude, in the unit of `ecg`.

    Raises:
        ValueError: If there is no beat or the lead is flat.
    """
    if not len(beats):
        raise ValueError("Expected at least one beat. Received: none.")
    reach = int(0.1 * fs)
    around = windows.cut_around(ecg, beats, 2 * reach + 1)
    amplitude = float(np.median(np.abs(around).max(axis=1)))
    if amplitude <= 0:
        raise ValueError(
            "Expected an ECG with visible beats. Received: a flat lead; "
            "choose another lead or leave the record out."
        )
    return amplitude


def rr_features(times: np.ndarray) -> np.ndarray:
    """Log-ratios of the intervals around each beat to the local interval.

    The local interval is the mean of up to ten intervals that end at the beat
    or before it. Where an interval does not exist (before the first beat,
    after the last one) its log-ratio is 0.

    Args:
        times: Beat times in any unit, strictly increasing, shape
            `(num_beats,)`.

    Returns:
        float64 array of shape `(num_beats, 2)`: natural logarithm of the
        previous and of the next interval over the local interval.

    Raises:
        ValueError: If the times do not increase.
    """
    times = np.asarray(times, dtype=np.float64)
    features = np.zeros((len(times), 2))
    if len(times) < 2:
        return features
    intervals = np.diff(times)
    if intervals.min() <= 0:
        index = int(np.argmax(intervals <= 0))
        raise ValueError(
            "Expected strictly increasing beat times. Received: "
            f"{times[index]} followed by {times[index + 1]}."
        )
    last = np.arange(1, len(times))
    first = np.maximum(last - _LOCAL_INTERVALS, 0)
    local = (times[last] - times[first]) / (last - first)
    features[1:, 0] = np.log(intervals / local)
    features[1:-1, 1] = np.log(intervals[1:] / local[:-1])
    return features


def beat_windows(ecg: np.ndarray, beats: np.ndarray, fs: float) -> np.ndarray:
    """Builds the classifier's input: one window per beat.

    Channel 0 is the band-limited ECG at `FS`, centred on the beat, scaled so
    that the record's median beat has amplitude `R_AMPLITUDE`. Channels 1 and 2
    are `rr_features` times `RR_GAIN`, constant over the window. All are
    clipped to `[-CLIP, CLIP]`; beyond the ends of the record the ECG is 0.

    Args:
        ecg: One lead of shape `(num_samples,)`, in millivolts.
        beats: Sample indices of **all** beats of the record, increasing,
            shape `(num_beats,)`; those of excluded classes count for timing.
        fs: Sampling frequency of `ecg`, in hertz.

    Returns:
        float32 array of shape `(num_beats, WINDOW_SAMPLES, NUM_CHANNELS)`.

    Raises:
        ValueError: If the lead or the beats are unusable.
    """
    beats = np.asarray(beats, dtype=np.int64)
    lead = resample(band_limit(ecg, fs), fs, FS)
    centers = (beats * (FS / fs) + 0.5).astype(np.int64)  # Nearest sample.
    centers = np.minimum(centers, len(lead) - 1)
    lead *= R_AMPLITUDE / beat_amplitude(lead, centers, FS)
    x = np.empty((len(beats), WINDOW_SAMPLES, NUM_CHANNELS), np.float32)
    x[:, :, 0] = windows.cut_around(lead, centers, WINDOW_SAMPLES)
    x[:, :, 1:] = RR_GAIN * rr_features(beats)[:, None, :]
    return np.clip(x, -CLIP, CLIP, out=x)
