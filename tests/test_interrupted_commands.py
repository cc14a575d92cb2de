"""Signals in the middle of `train` and `convert`."""

import json
import signal

import commands
import numpy as np
import pytest
from commands import STEPS, TRAIN, Command, finished_epochs

# Each falls somewhere behind another text: imports, data, epochs, converter.
MOMENTS = [
    ("Starting TensorFlow: 0/1", signal.SIGINT),
    ("float:   0%", signal.SIGINT),
    ("validation_macro_f1", signal.SIGTERM),
    ("Converting: 0/1", signal.SIGINT),
]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Folder and last run of a training that was interrupted again and again.

    After every signal all files are whole, and the next run goes on.
    """
    out = tmp_path_factory.mktemp("interrupted")
    epochs = 0
    rng = np.random.default_rng(23)
    for text, number in MOMENTS:
        command = Command(*TRAIN, f"--out={out}")
        command.interrupt_at(text, number, later=rng.uniform(0, 0.4))
        assert command.finish() == 128 + number
        assert "continues" in command.message(out)
        require_continued(command, epochs)
        commands.require_whole_files(out)
        epochs = finished_epochs(out, "float")
    command = commands.run(*TRAIN, f"--out={out}")
    require_continued(command, epochs)
    return out, command


def require_continued(command, epochs):
    if epochs == 2:
        assert command.first_step("float") is None
    elif "float:" in command.err:
        assert command.first_step("float") == epochs * STEPS


def test_an_interrupted_training_gives_the_same_file(interrupted, reference):
    out, _ = interrupted
    content = (out / "model.tflite").read_bytes()
    assert content == (reference / "model.tflite").read_bytes()


def test_an_interrupted_training_has_the_same_history(interrupted, reference):
    histories = [
        json.loads((folder / "result.json").read_text())["history"]
        for folder in (interrupted[0], reference)
    ]
    assert histories[0] == histories[1]


def test_a_finished_phase_is_not_repeated(interrupted):
    _, last = interrupted
    assert "float:" not in last.err and "quantized:" not in last.err


def test_an_interrupted_conversion_leaves_no_file(reference, tmp_path):
    command = Command("convert", reference, f"--out={tmp_path}/x.tflite")
    command.interrupt_at("Converting: 0/1", signal.SIGINT)
    assert command.finish() == 130
    assert "continues" not in command.message(tmp_path)
    assert "same command again" in command.message(tmp_path)
    assert not list(tmp_path.iterdir())
