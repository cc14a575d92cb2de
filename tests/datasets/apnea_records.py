"""Writes records in the format of the Apnea-ECG Database."""

import numpy as np
import wfdb

FS = 100
BEATS = np.arange(50, 5 * 6000, 90)  # Every 0.9 s, for five minutes.


def write_record(
    folder,
    name="a01",
    *,
    labels="NNANA",
    beats=BEATS,
    symbols=None,
    num_samples=5 * 6000,
    fs=FS,
):
    """Writes `.hea`, `.dat`, `.apn` and `.qrs`; peaks of 1 mV at `beats`."""
    folder.mkdir(exist_ok=True)
    time = np.arange(num_samples)
    ecg = np.exp(-0.5 * ((time[:, None] - beats) / 2) ** 2).sum(axis=1)
    wfdb.wrsamp(
        name,
        fs=fs,
        units=["mV"],
        sig_name=["ECG"],
        p_signal=ecg[:, np.newaxis],
        fmt=["16"],
        adc_gain=[200],
        baseline=[0],
        write_dir=str(folder),
    )
    minutes = np.arange(len(labels)) * 6000
    wfdb.wrann(name, "apn", minutes, symbol=[*labels], write_dir=str(folder))
    if symbols is None:
        symbols = ["N"] * len(beats)
    wfdb.wrann(name, "qrs", beats, symbol=symbols, write_dir=str(folder))
    return folder
