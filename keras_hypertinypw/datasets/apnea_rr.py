"""Apnea-ECG Database as RR intervals: annotations alone, no waveforms.

An apnea slows the heart and its end speeds it up, over and over, in cycles of
20 to 60 s (Guilleminault et al., "Cyclical variation of the heart rate in
sleep apnoea syndrome", Lancet 323, 1984). A minute alone shows one cycle or
none, so each window has two minutes more on both sides. 2 Hz holds what
intervals of a sleeper's heart can tell, and lets the first convolutions of
`models.ecg_network` reach over a cycle.

Records, splits and their caveats: `apnea_ecg.py`.
"""

from __future__ import annotations

import os
import pathlib

import numpy as np
from scipy import ndimage

from keras_hypertinypw.datasets import apnea_ecg, windows
from keras_hypertinypw.datasets import download as downloads

CLASSES = apnea_ecg.CLASSES
FS = 2.0  # Hz.
CONTEXT = 2 * apnea_ecg.MINUTE  # Seconds on each side of the minute.
WINDOW_SAMPLES = int((apnea_ecg.MINUTE + 2 * CONTEXT) * FS)
NUM_CHANNELS = 2  # Interval, and which minute is meant.

CLIP = 4.0
RR_GAIN = 8.0  # A beat that comes at 85 % of its time: 8 ln 0.85 = -1.3.

_LIMITS = (0.3, 2.0)  # Seconds; 30 to 200 beats per minute.
_NEIGHBOURS = 11
_MAX_DEVIATION = 0.25  # Of the median of the neighbours.
# The whole database, or the part of it that this needs.
_FOLDERS = (apnea_ecg.NAME, f"{apnea_ecg.NAME}_annotations")


def load(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> windows.Windows:
    """Loads the RR intervals around every minute of a split.

    Args:
        split: `"train"` (28 records), `"validation"` (7) or `"test"` (35).
        data_dir: Folder with the records; without it
            `$HYPERTINYPW_DATA/apnea_ecg`, or `apnea_ecg_annotations` there.
        download: Whether to download files that are missing; `.dat` files,
            which are 99 % of the database, are not needed.

    Returns:
        Windows with `x` of shape `(num_minutes, 600, 2)` at 2 Hz, see
        `rr_windows`, and subjects, as far as known, as `groups`.

    Raises:
        ConnectionError: If a download fails.
        FileNotFoundError: If files are missing and `download` is false.
        ValueError: If the split is unknown or a file is damaged.
    """
    names = apnea_ecg.records(split)
    whole, part = (downloads.data_folder(n, data_dir) for n in _FOLDERS)
    folder = part if part.is_dir() and not whole.is_dir() else whole
    apnea_ecg.require_records(folder, names, ("apn", "qrs"), download=download)
    return windows.load_records(
        load_record, names, folder, f"{apnea_ecg.NAME} {split}"
    )


def load_record(
    record_name: str, data_dir: str | os.PathLike[str]
) -> windows.Windows:
    """Loads the minutes of one record.

    Args:
        record_name: Name of the record, for example `"a01"`.
        data_dir: Folder with the record's `.apn` and `.qrs` files.

    Raises:
        FileNotFoundError: If a file of the record is missing.
        ValueError: If a file is damaged.
    """
    folder = pathlib.Path(data_dir)
    apnea_ecg.require_records(folder, [record_name], ("apn", "qrs"))
    starts, labels = apnea_ecg.read_minutes(record_name, folder)
    beats = apnea_ecg.read_beats(record_name, folder)
    try:
        x = rr_windows(beats, starts)
    except ValueError as error:
        raise ValueError(f"Record '{record_name}': {error}") from error
    return windows.Windows(
        x=x,
        y=labels,
        groups=np.full(len(labels), apnea_ecg.subject(record_name)),
        classes=CLASSES,
        fs=FS,
    )


def rr_windows(beats: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Makes the classifier's input from beat times.

    Intervals that `plausible` refuses are left out, the others are
    interpolated linearly over time; before the first and after the last one,
    the series is constant. Channel 0 is `8 ln(interval / median)`, clipped
    at 4, with the median of the window's own series; channel 1 is 1 in the
    minute that is classified and 0 around it, because a network with global
    pooling cannot know otherwise.

    Args:
        beats: Beat times in seconds, strictly increasing, `(num_beats,)`.
        starts: Starts of the minutes, in seconds, `(num_minutes,)`.

    Returns:
        float32 array of shape `(num_minutes, 600, 2)`.

    Raises:
        ValueError: If no interval is plausible.
    """
    intervals = np.diff(beats)
    kept = plausible(intervals)
    if not kept.any():
        raise ValueError(
            f"Expected RR intervals between {_LIMITS[0]} and {_LIMITS[1]} s. "
            f"Received: none of {len(intervals)}. Leave the record out."
        )
    middles = (beats[:-1] + beats[1:]) / 2
    seconds = np.arange(WINDOW_SAMPLES) / FS - CONTEXT
    series = np.interp(
        starts[:, np.newaxis] + seconds, middles[kept], intervals[kept]
    )
    ratio = np.log(series / np.median(series, axis=1, keepdims=True))
    x = np.zeros((len(starts), WINDOW_SAMPLES, NUM_CHANNELS), np.float32)
    x[..., 0] = np.clip(RR_GAIN * ratio, -CLIP, CLIP)
    x[..., 1] = (seconds >= 0) & (seconds < apnea_ecg.MINUTE)
    return x


def plausible(intervals: np.ndarray) -> np.ndarray:
    """Finds the intervals between two neighbouring sinus beats.

    A missed beat doubles an interval, a false or premature one cuts it; both
    stand out from their neighbours, while apnea changes many in a row.

    Args:
        intervals: In seconds, shape `(num_intervals,)`.

    Returns:
        Boolean array of shape `(num_intervals,)`: whether an interval lies
        between 0.3 and 2 s, and within 25 % of the median of the eleven
        around it.
    """
    low, high = _LIMITS
    local = ndimage.median_filter(intervals, _NEIGHBOURS, mode="nearest")
    kept = np.abs(intervals - local) <= _MAX_DEVIATION * local
    return kept & (intervals >= low) & (intervals <= high)
