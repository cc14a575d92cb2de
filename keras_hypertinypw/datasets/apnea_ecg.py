"""Apnea-ECG Database: one window per minute of a night, normal or apnea.

Penzel, Moody, Mark, Goldberger and Peter, "The Apnea-ECG Database", Computers
in Cardiology 27, 2000. ODC-By 1.0, from PhysioNet. The 35 records that the
Computers in Cardiology Challenge 2000 released are training and validation,
the 35 that it withheld (`x01` to `x35`) are the test.

The 70 nights are those of 32 subjects, and which ones share a subject is not
published, so **subjects of training may be in the test**: the protocol is the
challenge's. What is known is kept together, in one split and in one group:
a05 and a10 have the same age, sex, height and weight in the database's
`additional-information.txt`; c05 and c06, x22 and x35, x33 and x34 are the
same night twice, shifted by some seconds, as their beats show.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import wfdb

from keras_hypertinypw.datasets import download as downloads
from keras_hypertinypw.datasets import features, splits, windows

NAME = "apnea_ecg"
URL = "https://physionet.org/files/apnea-ecg/1.0.0/"
CLASSES = ("normal", "apnea")
FS = 100.0  # Hz.
MINUTE = 60.0  # Seconds.
WINDOW_SAMPLES = int(MINUTE * FS)

RELEASED = (
    *(f"a{number:02d}" for number in range(1, 21)),  # At least 100 min apnea.
    *(f"b{number:02d}" for number in range(1, 6)),  # Borderline.
    *(f"c{number:02d}" for number in range(1, 11)),  # Below 5 min of apnea.
)
WITHHELD = tuple(f"x{number:02d}" for number in range(1, 36))
# A fifth of a, b and c each; none of them is known to share a subject.
VALIDATION = ("a03", "a06", "a07", "a09", "b03", "c03", "c08")

_SAME_SUBJECT = {"a10": "a05", "c06": "c05", "x34": "x33", "x35": "x22"}
_LABELS = {"N": 0, "A": 1}


def load(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> windows.Windows:
    """Loads the ECG of every minute of a split.

    Args:
        split: `"train"` (28 records), `"validation"` (7) or `"test"` (35).
        data_dir: Folder with the records; without it
            `$HYPERTINYPW_DATA/apnea_ecg`.
        download: Whether to download files that are missing.

    Returns:
        Windows with `x` of shape `(num_minutes, 6000, 1)` at 100 Hz, see
        `load_record`, and subjects, as far as known, as `groups`.

    Raises:
        ConnectionError: If a download fails.
        FileNotFoundError: If files are missing and `download` is false.
        ValueError: If the split is unknown or a file is damaged.
    """
    names = records(split)
    folder = downloads.data_folder(NAME, data_dir)
    extensions = ("hea", "dat", "apn", "qrs")
    require_records(folder, names, extensions, download=download)
    return windows.load_records(load_record, names, folder, f"{NAME} {split}")


def load_record(
    record_name: str, data_dir: str | os.PathLike[str]
) -> windows.Windows:
    """Loads the minutes of one record.

    The lead is band-limited and scaled by its beats as `features` does it
    for beats: the median R peak has height 2, and what is beyond 4 is
    clipped. What a last, incomplete minute lacks is 0.

    Args:
        record_name: Name of the record, for example `"a01"`.
        data_dir: Folder with its `.hea`, `.dat`, `.apn` and `.qrs` files.

    Raises:
        FileNotFoundError: If a file of the record is missing.
        ValueError: If the record is damaged or its lead is unusable.
    """
    folder = pathlib.Path(data_dir)
    require_records(folder, [record_name], ("hea", "dat", "apn", "qrs"))
    with naming(record_name):
        record = wfdb.rdrecord(str(folder / record_name), channels=[0])
        if record.fs != FS:
            raise ValueError(f"a sampling frequency of {record.fs} Hz")
    starts, labels = read_minutes(record_name, folder)
    beats = read_beats(record_name, folder)
    try:
        ecg = features.band_limit(record.p_signal[:, 0], FS)
        inside = (beats * FS).astype(np.int64)
        inside = inside[inside < len(ecg)]
        amplitude = features.beat_amplitude(ecg, inside, FS)
    except ValueError as error:
        raise ValueError(f"Record '{record_name}': {error}") from error
    ecg = np.clip(
        ecg * (features.R_AMPLITUDE / amplitude), -features.CLIP, features.CLIP
    ).astype(np.float32)
    first = (starts * FS).astype(np.int64)
    if first[-1] >= len(ecg):
        raise ValueError(
            f"Record '{record_name}': expected labels within its "
            f"{len(ecg) / FS:.0f} s. Received: one at {starts[-1]:.0f} s. "
            f"Delete its files and load with {downloads.DOWNLOAD}."
        )
    padded = np.pad(ecg, (0, WINDOW_SAMPLES))
    x = padded[first[:, np.newaxis] + np.arange(WINDOW_SAMPLES)]
    return windows.Windows(
        x=x[..., np.newaxis],
        y=labels,
        groups=np.full(len(labels), subject(record_name)),
        classes=CLASSES,
        fs=FS,
    )


def records(split: str) -> tuple[str, ...]:
    """Names of the records of a split.

    Args:
        split: `"train"` (28 records), `"validation"` (7) or `"test"` (35).

    Raises:
        ValueError: If `split` is unknown.
    """
    if splits.check_split(split) == "test":
        return WITHHELD
    if split == "validation":
        return VALIDATION
    return tuple(name for name in RELEASED if name not in VALIDATION)


def subject(record_name: str) -> str:
    """Group id of a record: its name, or that of one of the same subject."""
    return _SAME_SUBJECT.get(record_name, record_name)


def require_records(
    folder: pathlib.Path,
    record_names: Iterable[str],
    extensions: Iterable[str],
    *,
    download: bool = False,
) -> None:
    """Makes sure that files of records are there; see `require_files`."""
    downloads.require_files(
        folder,
        [f"{name}.{e}" for name in record_names for e in extensions],
        url=URL,
        title="Apnea-ECG records",
        download=download,
    )


def read_minutes(
    record_name: str, folder: pathlib.Path
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the label of every minute, from the `.apn` file.

    Args:
        record_name: Name of the record.
        folder: Folder that holds it.

    Returns:
        Starts of the minutes in seconds from the start of the record,
        float64, and their index into `CLASSES`, int64; `(num_minutes,)`. A
        label says whether apnea was in progress at the minute's start.

    Raises:
        ValueError: If the file is damaged.
    """
    with naming(record_name):
        annotation = wfdb.rdann(str(folder / record_name), "apn")
        unknown = set(annotation.symbol) - set(_LABELS)
        if unknown or not annotation.symbol:
            raise ValueError(f"labels {sorted(map(str, unknown)) or 'none'}")
    labels = np.array([_LABELS[s] for s in annotation.symbol], dtype=np.int64)
    return annotation.sample / FS, labels


def read_beats(record_name: str, folder: pathlib.Path) -> np.ndarray:
    """Reads beat times, found by a machine, from the `.qrs` file.

    Args:
        record_name: Name of the record.
        folder: Folder that holds it.

    Returns:
        Times in seconds, strictly increasing, float64 of shape
        `(num_beats,)`; what the machine marked as artifact (`|`) is left out.

    Raises:
        ValueError: If the file is damaged.
    """
    with naming(record_name):
        annotation = wfdb.rdann(str(folder / record_name), "qrs")
        beats = annotation.sample[np.array(annotation.symbol) == "N"]
        if len(beats) < 2 or np.diff(beats).min() <= 0:
            raise ValueError("fewer than two beats, or beats out of order")
    return beats / FS


@contextlib.contextmanager
def naming(record_name: str) -> Iterator[None]:
    """Names the record in what is said of a damaged file."""
    try:
        yield
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"Record '{record_name}': expected whole files of Apnea-ECG at "
            f"{FS:.0f} Hz. Received: {error}. Delete the record's files and "
            f"load with {downloads.DOWNLOAD}."
        ) from error
