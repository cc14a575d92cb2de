"""MIT-BIH Arrhythmia Database: one window per beat, AAMI classes N, S, V, F.

Moody and Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Eng. in
Med. and Biol. 20(3), 2001. ODC-By 1.0, from PhysioNet. Splits: `splits.py`;
input channels: `features.beat_windows`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import wfdb

from keras_hypertinypw.datasets import download as downloads
from keras_hypertinypw.datasets import features, splits, windows

URL = "https://physionet.org/files/mitdb/1.0.0/"
CLASSES = features.CLASSES
LEAD = "MLII"

# WFDB beat symbols by AAMI class, as de Chazal et al. (2004) assign them:
# escape beats of atrium and node (e, j, n) count as N.
BEAT_SYMBOLS = {
    "N": "NLRBejn",  # Normal, bundle branch blocks, supraventricular escapes.
    "S": "AaJS",  # Atrial (and aberrated), nodal, supraventricular premature.
    "V": "VEr",  # Premature, escape and R-on-T ventricular beats.
    "F": "F",  # Fusion of ventricular and normal beat.
}
# Beats that are not classified but count for the RR intervals: paced, fusion
# of paced and normal, unclassifiable, learning.
EXCLUDED_BEAT_SYMBOLS = "/fQ?"
# Rhythm, noise and comment marks, waves, flutter waves (!): no beats.
NON_BEAT_SYMBOLS = '~|sT*D"=p^t+u![]@x()'

_CLASS_OF = {
    symbol: CLASSES.index(name)
    for name, symbols in BEAT_SYMBOLS.items()
    for symbol in symbols
}
_EXCLUDED = -1
_EXTENSIONS = ("hea", "dat", "atr")


def load(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> windows.Windows:
    """Loads the beats of a split.

    Args:
        split: `"train"`, `"validation"` (both from DS1) or `"test"` (DS2).
        data_dir: Folder with the records; without it
            `$HYPERTINYPW_DATA/mitdb`.
        download: Whether to download files that are missing.

    Returns:
        Windows with `x` of shape `(num_beats, 256, 3)` at 128 Hz, see
        `features.beat_windows`, and patients as `groups`.

    Raises:
        ConnectionError: If a download fails.
        FileNotFoundError: If files are missing and `download` is false.
        ValueError: If the split, the folder or an annotation is unknown.
    """
    record_names = splits.mitdb_records(split)
    folder = downloads.data_folder("mitdb", data_dir)
    names = [
        f"{record_name}.{extension}"
        for record_name in record_names
        for extension in _EXTENSIONS
    ]
    _require_files(folder, names, download=download)
    return windows.load_records(
        load_record, record_names, folder, f"mitdb {split}"
    )


def load_record(
    record_name: str, data_dir: str | os.PathLike[str]
) -> windows.Windows:
    """Loads the classified beats of one record, lead MLII.

    Args:
        record_name: Name of the record, for example `"100"`.
        data_dir: Folder with the record's `.hea`, `.dat` and `.atr` files.

    Raises:
        FileNotFoundError: If a file of the record is missing.
        ValueError: If the record has no lead MLII, an unknown annotation or
            an unusable signal.
    """
    folder = pathlib.Path(data_dir)
    path = str(folder / record_name)
    _require_files(folder, [f"{record_name}.hea", f"{record_name}.atr"])
    with _naming(record_name):
        header = wfdb.rdheader(path)
        if not header.sig_name:
            raise ValueError("a header that describes no leads")
    if LEAD not in header.sig_name:
        raise ValueError(
            f"Record '{record_name}': expected a lead named '{LEAD}'. "
            f"Received: leads {header.sig_name}. Leave the record out."
        )
    channel = header.sig_name.index(LEAD)
    _require_files(folder, [header.file_name[channel]])
    with _naming(record_name):
        record = wfdb.rdrecord(path, channels=[channel])
        annotation = wfdb.rdann(path, "atr")
    beats, labels = select_beats(
        annotation.sample, annotation.symbol, record_name
    )
    try:
        x = features.beat_windows(record.p_signal[:, 0], beats, record.fs)
    except ValueError as error:
        raise ValueError(f"Record '{record_name}': {error}") from error
    kept = labels != _EXCLUDED
    return windows.Windows(
        x=x[kept],
        y=labels[kept],
        groups=np.full(
            np.count_nonzero(kept), splits.mitdb_patient(record_name)
        ),
        classes=CLASSES,
        fs=features.FS,
    )


@contextlib.contextmanager
def _naming(record_name: str) -> Iterator[None]:
    """Names the record in what wfdb says of a damaged file."""
    try:
        yield
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"Record '{record_name}': expected whole .hea, .dat and .atr "
            f"files. Received: files that wfdb cannot read: {error}. Delete "
            f"them and load with {downloads.DOWNLOAD}."
        ) from error


def select_beats(
    samples: np.ndarray, symbols: Sequence[str], record_name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Picks the beats among annotations and assigns their AAMI class.

    Args:
        samples: Sample index of each annotation, shape `(num_annotations,)`.
        symbols: WFDB symbol of each annotation.
        record_name: Named in the error.

    Returns:
        Sample indices of all beats, and their index into `CLASSES` or -1 for
        a beat that is not classified; both int64 of shape `(num_beats,)`.

    Raises:
        ValueError: If a symbol is in none of this module's tables.
    """
    beats, labels = [], []
    for sample, symbol in zip(samples, symbols, strict=True):
        if symbol in _CLASS_OF:
            label = _CLASS_OF[symbol]
        elif not isinstance(symbol, str) or len(symbol) != 1:
            raise _unknown_symbol(record_name, sample, symbol)
        elif symbol in EXCLUDED_BEAT_SYMBOLS:
            label = _EXCLUDED
        elif symbol in NON_BEAT_SYMBOLS:
            continue
        else:
            raise _unknown_symbol(record_name, sample, symbol)
        beats.append(sample)
        labels.append(label)
    return np.array(beats, dtype=np.int64), np.array(labels, dtype=np.int64)


def _unknown_symbol(
    record_name: str, sample: int, symbol: object
) -> ValueError:
    # wfdb reads a code that its own table lacks as NaN.
    return ValueError(
        f"Record '{record_name}': expected annotation symbols of the WFDB "
        f"table. Received: {symbol!r} at sample {sample}. If it is a beat, "
        "add it to `mitdb.BEAT_SYMBOLS`; otherwise the .atr file may be "
        f"damaged: delete it and load with {downloads.DOWNLOAD}."
    )


def _require_files(
    folder: pathlib.Path, names: list[str], *, download: bool = False
) -> None:
    downloads.require_files(
        folder,
        names,
        url=URL,
        title="MIT-BIH records",
        download=download,
    )
