"""Faults on the command line, in data and while files are written."""

from __future__ import annotations

import errno
import functools
import json
import os
import pathlib
import signal
import tempfile
from unittest import mock

import numpy as np
import tf_keras as keras
import wfdb
from faults import Registry, last_message, refused, run_cli
from file_faults import EXAMPLE

from keras_hypertinypw import WeightGenerator
from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.datasets import (
    apnea_rr,
    mitdb,
    ptbxl,
    synthetic,
    windows,
)
from keras_hypertinypw.models import ecg_network

COMMANDS = Registry()
DATA = Registry()
WRITING = Registry()


@COMMANDS.fault("no command")
def no_command(folder):
    return refused()


@COMMANDS.fault("an unknown flag")
def unknown_flag(folder):
    return refused("verify", EXAMPLE, "--fast")


@COMMANDS.fault("a word in the place of a number")
def word(folder):
    return refused("train", "--width=wide")


@COMMANDS.fault("`verify` of nothing")
def nothing(folder):
    return refused("verify")


@COMMANDS.fault("`convert` without `--out`")
def no_out(folder):
    return refused("convert", "model.keras")


@COMMANDS.fault("a network that is too narrow")
def width(folder):
    return refused("train", "--width=1", f"--out={folder}")


@COMMANDS.fault("no epochs")
def epochs(folder):
    return refused("train", "--float_epochs=0", f"--out={folder}")


@COMMANDS.fault("`--block_size` out of range")
def block_size(folder):
    return refused("train", "--block_size=100000", f"--out={folder}")


@COMMANDS.fault("`--num_seeds` of zero")
def no_seed(folder):
    return refused("fit", "--budget_kb=8", "--num_seeds=0", f"--out={folder}")


@COMMANDS.fault("a budget that holds no network")
def small_budget(folder):
    keras.utils.set_random_seed(0)
    kinds = ("--kinds", "stored_int8")
    return refused("fit", "--budget_kb=1", *kinds, f"--out={folder}")


@functools.cache
def float_keras() -> bytes:
    """The bytes of a small float `.keras` file."""
    keras.utils.set_random_seed(1)
    shared = WeightGenerator(name="generator")
    model = ecg_network((64, 3), 4, width=16, generator=shared)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "float.keras"
        model.save(path)
        return path.read_bytes()


def convert(folder, *arguments, model=None) -> str:
    path = folder / "model.keras"
    path.write_bytes(float_keras() if model is None else model)
    return refused("convert", path, f"--out={folder}/x.tflite", *arguments)


def calibration(folder, array) -> str:
    np.save(folder / "inputs.npy", array)
    return f"--calibration_data={folder}/inputs.npy"


@COMMANDS.fault("`convert` of a `.keras` file without calibration data")
def no_calibration(folder):
    return convert(folder)


@COMMANDS.fault("`--arena_budget` beside `--residency`")
def budget_and_residency(folder):
    return convert(folder, "--arena_budget=65536", "--residency=per_invoke")


@COMMANDS.fault("an `--arena_budget` that is no number")
def budget_word(folder):
    return convert(folder, "--arena_budget=64k")


@COMMANDS.fault("an `--arena_budget` that nothing fits")
def budget(folder):
    inputs = calibration(folder, np.ones((9, 64, 3)))
    return convert(folder, inputs, "--arena_budget=2000")


@COMMANDS.fault("calibration data that are not there")
def missing_calibration(folder):
    return convert(folder, f"--calibration_data={folder}/inputs.npy")


@COMMANDS.fault("calibration data of another shape")
def calibration_shape(folder):
    return convert(folder, calibration(folder, np.ones((9, 64, 2))))


@COMMANDS.fault("calibration data that are text")
def calibration_text(folder):
    (folder / "inputs.npy").write_text("1 2 3\n")
    return convert(folder, f"--calibration_data={folder}/inputs.npy")


@COMMANDS.fault("calibration data of no bytes")
def calibration_empty(folder):
    (folder / "inputs.npy").write_bytes(b"")
    return convert(folder, f"--calibration_data={folder}/inputs.npy")


@COMMANDS.fault("calibration data of several arrays")
def calibration_archive(folder):
    np.savez(folder / "inputs.npz", a=np.ones(3), b=np.ones(3))
    return convert(folder, f"--calibration_data={folder}/inputs.npz")


@COMMANDS.fault("NaN in calibration data")
def calibration_nan(folder):
    array = np.full((9, 64, 3), np.nan)
    return convert(folder, calibration(folder, array))


@COMMANDS.fault("a `.keras` file that was cut off")
def keras_truncated(folder):
    inputs = calibration(folder, np.ones((9, 64, 3)))
    return convert(folder, inputs, model=float_keras()[:2000])


@COMMANDS.fault("a text file named `.keras`")
def keras_text(folder):
    inputs = calibration(folder, np.ones((9, 64, 3)))
    return convert(folder, inputs, model=b"not an archive")


@COMMANDS.fault("a `.keras` file of Keras 3")
def keras_3_file(folder):
    import keras as keras_3

    inputs = keras_3.Input((64, 3))
    model = keras_3.Model(inputs, keras_3.layers.Conv1D(3, 1)(inputs))
    model.save(folder / "keras_3.keras")
    content = (folder / "keras_3.keras").read_bytes()
    return convert(folder, model=content)


@COMMANDS.fault("`convert` of a `.tflite` file")
def convert_tflite(folder):
    return refused("convert", EXAMPLE, f"--out={folder}/x.tflite")


@COMMANDS.fault("`convert` of a folder without a finished training")
def unfinished(folder):
    return refused("convert", folder, f"--out={folder}/x.tflite")


@COMMANDS.fault("a run's `config.json` that was edited")
def config(folder):
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/quantized.npz").write_bytes(b"")
    (folder / "config.json").write_text('{"width": 16}')
    return refused("convert", folder, f"--out={folder}/x.tflite")


@COMMANDS.fault("a run's checkpoint that is damaged")
def damaged_checkpoint(folder):
    weights = [np.arange(999.0)]
    path = folder / "quantized.npz"
    Checkpoint([{"loss": 1.0}], weights, [], weights).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    Checkpoint.load(path)


TRAIN = ("train", "--dataset=synthetic", "--width=8", "--float_epochs=1")


@COMMANDS.fault("`train` into the folder of another run")
def another_run(folder):
    (folder / "checkpoints").mkdir()
    summary = {"model": {}, "data": [], "schedule": {}}
    path = folder / "checkpoints/training.json"
    path.write_text(json.dumps(summary))
    with few_beats():
        return refused(*TRAIN, f"--out={folder}")


def few_beats():
    """Makes the synthetic data set small, and so fast to load."""
    load = functools.partial(synthetic.load, beats_per_patient=30)
    return mock.patch.object(
        synthetic, "load", lambda split, **options: load(split)
    )


@DATA.fault("no folder of data")
def no_data(folder):
    environment = {k: v for k, v in os.environ.items() if "HYPERTINY" not in k}
    with mock.patch.dict(os.environ, environment, clear=True):
        return refused("train", "--dataset=mitdb", f"--out={folder}")


@DATA.fault("a folder without data")
def empty_data(folder):
    arguments = ("--dataset=mitdb", f"--data_dir={folder}")
    return refused("evaluate", EXAMPLE, *arguments)


def write_record(folder, *, lead="MLII", symbols=8, signal=None):
    """Writes record 100: beats at 1 Hz, or another signal."""
    beats = np.arange(symbols) * 360 + 400
    time = np.arange(4000)
    if signal is None:
        signal = np.exp(-(((time[:, None] - beats) / 9) ** 2)).sum(axis=1)
    wfdb.wrsamp(
        "100",
        fs=360,
        units=["mV"],
        sig_name=[lead],
        p_signal=np.asarray(signal, np.float64)[:, None],
        fmt=["16"],
        write_dir=str(folder),
    )
    wfdb.wrann(
        "100", "atr", beats, symbol=["N"] * symbols, write_dir=str(folder)
    )


@DATA.fault("a record that was cut off")
def truncated_record(folder):
    write_record(folder)
    path = folder / "100.dat"
    path.write_bytes(path.read_bytes()[:3000])
    mitdb.load_record("100", folder)


@DATA.fault("a damaged header")
def damaged_header(folder):
    write_record(folder)
    (folder / "100.hea").write_text("100 1 fast\n")
    mitdb.load_record("100", folder)


@DATA.fault("a record without the lead MLII")
def another_lead(folder):
    write_record(folder, lead="V5")
    mitdb.load_record("100", folder)


@DATA.fault("a flat line")
def flat(folder):
    write_record(folder, signal=np.zeros(4000))
    mitdb.load_record("100", folder)


@DATA.fault("Apnea-ECG labels that are none")
def apnea_labels(folder):
    beats = np.arange(9) * 90 + 50
    options = {"write_dir": str(folder)}
    wfdb.wrann("a01", "qrs", beats, symbol=["N"] * 9, **options)
    wfdb.wrann("a01", "apn", beats[:1], symbol=["V"], **options)
    apnea_rr.load_record("a01", folder)


@DATA.fault("a damaged table of PTB-XL")
def damaged_table(folder):
    (folder / "scp_statements.csv").write_text("a text\n")
    (folder / "ptbxl_database.csv").write_text("ecg_id,patient_id\n1,2\n")
    ptbxl.load("test", data_dir=folder)


@DATA.fault("a file of another data set, to `evaluate`")
def another_data_set(folder):
    minutes = windows.Windows(
        np.zeros((4, 600, 2), np.float32),
        np.arange(4) % 2,
        np.arange(4),
        apnea_rr.CLASSES,
        apnea_rr.FS,
    )
    with mock.patch.object(apnea_rr, "load", lambda split, **_: minutes):
        return refused("evaluate", EXAMPLE, "--dataset=apnea_rr")


@DATA.fault("an unknown split")
def unknown_split(folder):
    mitdb.load("all", data_dir=folder)


@DATA.fault("no network, to `--download`")
def no_network(folder):
    url = "http://127.0.0.1:1/"  # Nobody listens there.
    with mock.patch.object(mitdb, "URL", url):
        mitdb.load("test", data_dir=folder / "mitdb", download=True)


@WRITING.fault("an `--out` that cannot be written, to `materialize`")
def unwritable(folder):
    (folder / "file").write_text("in the way of a folder")
    return refused("materialize", EXAMPLE, f"--out={folder}/file/x.tflite")


@WRITING.fault("an `--out` that cannot be written, to `train`")
def unwritable_train(folder):
    (folder / "file").write_text("in the way of a folder")
    with few_beats():
        return refused(*TRAIN, f"--out={folder}/file")


def full_disk():
    """Fails as a full disk does; test_full_disk.py has a real one."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return mock.patch.object(os, "fsync", side_effect=error)


@WRITING.fault("a full disk, to `materialize`")
def full_materialize(folder):
    with full_disk():
        return refused("materialize", EXAMPLE, f"--out={folder}/x.tflite")


@WRITING.fault("a full disk, to `train`")
def full_train(folder):
    with full_disk(), few_beats():
        return refused(*TRAIN, f"--out={folder}")


def interrupted(number: int, *arguments: object) -> str:
    """Sends a signal while data are loaded or a file is read."""

    def load(*args, **options):
        os.kill(os.getpid(), number)

    with (
        mock.patch.object(synthetic, "load", load),
        mock.patch.object(pathlib.Path, "read_bytes", load),
    ):
        status, out, err = run_cli(*arguments)
    assert (status, out) == (128 + number, "")
    return last_message(err)


@WRITING.fault("Ctrl-C, to `train`")
def sigint_train(folder):
    return interrupted(signal.SIGINT, *TRAIN, f"--out={folder}")


@WRITING.fault("SIGTERM, to `train`")
def sigterm_train(folder):
    return interrupted(signal.SIGTERM, *TRAIN, f"--out={folder}")


@WRITING.fault("Ctrl-C, to `materialize`")
def sigint_materialize(folder):
    arguments = ("materialize", EXAMPLE, f"--out={folder}/x.tflite")
    return interrupted(signal.SIGINT, *arguments)
