"""`hypertinypw train` and what follows, on tasks with other classes."""

import json

import numpy as np
import pytest
from commands import require_whole_files

from keras_hypertinypw import cli, slim
from keras_hypertinypw.datasets import apnea_rr, mfcc_arrays, ptbxl
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.flatbuffer import read_model, scales
from keras_hypertinypw.int4_kernels import find_kernels

SIZES = {"train": 1280, "validation": 80, "test": 80}


def waves(split, shape, num_classes):
    """Waves in noise, whose pitch is their class."""
    num_windows = SIZES[split]
    rng = np.random.default_rng(num_windows + len(split))
    y = np.arange(num_windows) % num_classes
    time = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    pitch = (0.3 + 0.5 * y).reshape(-1, *[1] * len(shape))
    x = np.sin(pitch * time) + rng.normal(0, 0.3, (num_windows, *shape))
    return x.astype(np.float32), y


def windows(split, shape, classes, labels=False):
    x, y = waves(split, shape, len(classes))
    if labels:
        # Every label with its neighbour, so that some have two.
        y = np.eye(len(classes), dtype=int)[y]
        y |= np.roll(y, 1, axis=1)
    groups = np.arange(len(x)) // 8
    return Windows(x, y, groups, classes, 100.0)


MADE = {
    "apnea_rr": ((48, 2), ("normal", "apnea"), False),
    "ptbxl": ((64, 3), ptbxl.CLASSES, True),
    "speech_v1": ((12, 20, 1), ("yes", "no", "up"), False),
}

# One of the runs has kernels of one scale.
OPTIONS = {"speech_v1": ["--no-kernel_per_channel"]}


@pytest.fixture(scope="module", params=MADE)
def task(request):
    """Name of a task, whose data are small and made."""

    def load(split, **options):
        return windows(split, *MADE[request.param])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apnea_rr, "load", load)
        patch.setattr(ptbxl, "load", load)
        patch.setattr(
            mfcc_arrays.MfccArrays, "load", lambda _, split, **__: load(split)
        )
        yield request.param


@pytest.fixture(scope="module")
def finished(task, tmp_path_factory):
    out = tmp_path_factory.mktemp(task)
    arguments = ("train", f"--dataset={task}", "--width=16", f"--out={out}")
    epochs = ("--float_epochs=4", "--quantized_epochs=2")
    options = OPTIONS.get(task, [])
    assert cli.main([*arguments, *epochs, *options]) == 0
    return out


def result_of(out):
    return json.loads((out / "result.json").read_text())


def run_json(capsys, *arguments):
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_its_files(finished):
    names = {"model.tflite", "result.json", "result.png", "report.html"}
    assert names <= require_whole_files(finished)
    assert result_of(finished)["verification"]["identical"]


def test_kernels_have_the_scales_that_were_chosen(finished, task):
    model = read_model((finished / "model.tflite").read_bytes())
    (stem, *_) = find_kernels(model).values()
    assert (scales(stem.tensor).size == 1) == (task in OPTIONS)


def test_a_run_scores_the_classes_of_the_task(finished, task):
    test = result_of(finished)["test"]
    _, classes, labels = MADE[task]
    assert tuple(test["class_f1"]) == classes
    assert test["num_windows"] == 80 and test["num_groups"] == 10
    expected = {"apnea_rr": ["apnea"], "ptbxl": list(classes), "speech_v1": []}
    assert list(test["thresholds"]) == expected[task]


def test_evaluate_repeats_the_scores(finished, task, capsys):
    model = finished / "model.tflite"
    record = run_json(capsys, "evaluate", model, f"--dataset={task}")
    assert record.pop("dataset") == task
    record.pop("arena_bytes")
    assert record == result_of(finished)["test"]


def test_convert_repeats_the_file(finished, tmp_path, capsys):
    path = tmp_path / "again.tflite"
    run_json(capsys, "convert", finished, f"--out={path}")
    # Without names: Keras numbers layers through the process.
    contents = path.read_bytes(), (finished / "model.tflite").read_bytes()
    again, first = (slim(content, verify=False) for content in contents)
    assert again == first


def test_int4_scores_both_files(finished, task, tmp_path, capsys):
    arguments = (f"--out={tmp_path}/x.tflite", f"--dataset={task}")
    record = run_json(capsys, "int4", finished / "model.tflite", *arguments)
    cost = record["cost"]
    assert cost["before"] == result_of(finished)["test"]
    assert list(cost["after"]["metrics"]) == list(cost["before"]["metrics"])


def test_a_file_of_another_task_is_refused(finished, task, capsys, monkeypatch):
    shape, classes, labels = MADE[task]
    monkeypatch.setitem(MADE, task, (shape, (*classes, "more"), labels))
    model = finished / "model.tflite"
    assert cli.main(["evaluate", str(model), f"--dataset={task}"]) == 2
    assert "may be of another data set" in capsys.readouterr().err
