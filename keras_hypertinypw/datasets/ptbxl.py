"""PTB-XL: ten seconds of ECG with up to five diagnostic superclasses.

Wagner et al., "PTB-XL, a large publicly available electrocardiography
dataset", Scientific Data 7, 2020. CC BY 4.0, from PhysioNet, version 1.0.3.
Folds 1 to 8 are training, 9 is validation, 10 the test, as its authors
recommend; all records of a patient are in one fold.

A record has the superclass of each of its SCP-ECG statements that is
diagnostic, whatever the likelihood, as in the `example_physionet.py` that
comes with the data. Records without any are left out, as in Strodthoff et
al., "Deep learning for ECG analysis: benchmarks and insights from PTB-XL",
IEEE J. of Biomedical and Health Informatics 25(5), 2021.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tqdm
import wfdb

from keras_hypertinypw.datasets import download as downloads
from keras_hypertinypw.datasets import features, splits, windows

URL = "https://physionet.org/files/ptb-xl/1.0.3/"
# Normal, myocardial infarction, ST and T changes, conduction disturbance,
# hypertrophy.
CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
LEADS = (
    *("I", "II", "III", "AVR", "AVL", "AVF"),
    *("V1", "V2", "V3", "V4", "V5", "V6"),
)
FS = 100.0  # Hz.
WINDOW_SAMPLES = 1000
FOLDS = {"train": range(1, 9), "validation": (9,), "test": (10,)}

# The height of a wave is part of a diagnosis, so that records are not scaled
# each by its own.
GAIN = 4 / 3  # Per millivolt.
CLIP = 4.0  # 3 mV.

_RECORDS, _STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A record, as the tables describe it.

    Attributes:
        path: Of its files, without extension, relative to the data set.
        patient: Id of the patient.
        labels: 0 or 1 for each of `CLASSES`.
    """

    path: str
    patient: int
    labels: tuple[int, ...]


def load(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    leads: Sequence[str] = LEADS,
) -> windows.Windows:
    """Loads the records of a split; all leads of `"train"` take 0.8 GB.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: Folder with the two tables and `records100`; without it
            `$HYPERTINYPW_DATA/ptbxl`.
        download: Whether to download files that are missing.
        leads: Names of the leads, some of `LEADS`.

    Returns:
        Windows with `x` of shape `(num_records, 1000, num_leads)` at 100 Hz,
        see `read_record`; `y` of shape `(num_records, 5)`, see `Windows`;
        and patients as `groups`.

    Raises:
        ConnectionError: If a download fails.
        FileNotFoundError: If files are missing and `download` is false.
        ValueError: If the split or a lead is unknown, or a file is damaged.
    """
    folds = FOLDS[splits.check_split(split)]
    if not leads or not set(leads) <= set(LEADS):
        raise ValueError(
            f"Expected `leads` to be some of {LEADS}. Received: {leads}."
        )
    folder = downloads.data_folder("ptbxl", data_dir)
    _require_files(folder, [_RECORDS, _STATEMENTS], download)
    entries = read_entries(folder, folds)
    names = [f"{e.path}.{suffix}" for e in entries for suffix in ("hea", "dat")]
    _require_files(folder, names, download)
    x = np.empty((len(entries), WINDOW_SAMPLES, len(leads)), np.float32)
    for index, entry in enumerate(
        tqdm.tqdm(
            entries,
            desc=f"Loading ptbxl {split}",
            unit="record",
            leave=False,
            disable=None,
        )
    ):
        x[index] = read_record(folder / entry.path, leads)
    return windows.Windows(
        x=x,
        y=np.array([entry.labels for entry in entries], dtype=np.int64),
        groups=np.array([entry.patient for entry in entries], dtype=np.int64),
        classes=CLASSES,
        fs=FS,
    )


def load_lead_ii(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> windows.Windows:
    """Loads lead II alone, as a single-lead device sees it; see `load`."""
    return load(split, data_dir=data_dir, download=download, leads=("II",))


def read_entries(
    folder: pathlib.Path, folds: Sequence[int]
) -> tuple[Entry, ...]:
    """Reads the labelled records of some folds from the data set's tables.

    Args:
        folder: Folder with `ptbxl_database.csv` and `scp_statements.csv`.
        folds: Of 1 to 10.

    Raises:
        ValueError: If a table is damaged, or has no such records.
    """
    try:
        superclass = {
            row[""]: CLASSES.index(row["diagnostic_class"])
            for row in _read_table(folder / _STATEMENTS)
            if row["diagnostic"] and float(row["diagnostic"]) == 1
        }
        entries = tuple(
            Entry(
                path=row["filename_lr"],
                patient=int(float(row["patient_id"])),
                labels=_labels(row["scp_codes"], superclass),
            )
            for row in _read_table(folder / _RECORDS)
            if int(row["strat_fold"]) in folds
        )
    except (ValueError, KeyError, TypeError, SyntaxError, csv.Error) as error:
        raise ValueError(
            f"Expected the tables of PTB-XL in {folder}. Received: {error!r}. "
            f"Delete {_RECORDS} and {_STATEMENTS}, and load with "
            f"{downloads.DOWNLOAD}."
        ) from error
    entries = tuple(entry for entry in entries if any(entry.labels))
    if not entries:
        raise ValueError(
            f"Expected records of folds {list(folds)} in {folder / _RECORDS}. "
            "Received: none with a diagnostic superclass. Delete it, and load "
            f"with {downloads.DOWNLOAD}."
        )
    return entries


def read_record(path: pathlib.Path, leads: Sequence[str]) -> np.ndarray:
    """Reads the leads of a record, 0.5 to 40 Hz, as the classifier's input.

    Args:
        path: Of its files, without extension.
        leads: Names of the leads.

    Returns:
        float32 array of shape `(1000, num_leads)`, in units of 0.75 mV;
        what is beyond 3 mV is clipped.

    Raises:
        ValueError: If the record is damaged or not as the database has it.
    """
    try:
        record = wfdb.rdrecord(str(path))
        names = [name.upper() for name in record.sig_name]
        ecg = record.p_signal[:, [names.index(lead) for lead in leads]].T
        if (record.fs, record.sig_len) != (FS, WINDOW_SAMPLES):
            raise ValueError(f"{record.sig_len} samples at {record.fs} Hz")
        filtered = features.band_limit(ecg, FS)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"Record '{path.name}': expected {WINDOW_SAMPLES} samples of "
            f"{', '.join(leads)} at {FS:.0f} Hz. Received: {error}. Delete "
            f"its files in {path.parent} and load with {downloads.DOWNLOAD}."
        ) from error
    return np.clip(GAIN * filtered.T, -CLIP, CLIP).astype(np.float32)


def _labels(scp_codes: str, superclass: Mapping[str, int]) -> tuple[int, ...]:
    found = {superclass.get(code) for code in ast.literal_eval(scp_codes)}
    return tuple(int(index in found) for index in range(len(CLASSES)))


def _read_table(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _require_files(
    folder: pathlib.Path, names: list[str], download: bool
) -> None:
    downloads.require_files(
        folder,
        names,
        url=URL,
        title="PTB-XL records",
        download=download,
    )
