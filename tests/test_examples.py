"""The committed files give the committed numbers."""

import json
import pathlib

import pytest
import real_data

from keras_hypertinypw import Interpreter, footprint, verify

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "mitdb"
NAMES = ("generated", "stored")


def read(name):
    content = (EXAMPLES / f"{name}.tflite").read_bytes()
    return content, json.loads((EXAMPLES / f"{name}.json").read_text())


def plain(value):
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def data_dir():
    return real_data.require("mitdb")


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_the_file(name):
    content, record = read(name)
    with Interpreter(content) as interpreter:
        arena_bytes = interpreter.arena_used_bytes
    sizes = footprint(content, arena_bytes=arena_bytes).to_dict()
    assert sizes == record["footprint"]


def test_generated_file_is_bit_exact():
    content, record = read("generated")
    result = verify(content, num_inputs=1000)
    assert result.identical
    assert result.num_kernels == 3
    assert record["verification"]["identical"]


def test_only_generated_kernels_have_errors():
    errors = read("generated")[1]["kernel_errors"]
    assert len(errors) == 3
    assert all(0 < error < 1 for error in errors.values())
    assert read("stored")[1]["kernel_errors"] == {}


def test_only_the_kernels_differ_between_the_two():
    records = [read(name)[1] for name in NAMES]
    configs = [record["config"] for record in records]
    assert [config.pop("stored") for config in configs] == [False, True]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("name", NAMES)
def test_scores_come_from_the_real_test_patients(name, data_dir):
    from keras_hypertinypw import scoring
    from keras_hypertinypw.datasets import mitdb
    from keras_hypertinypw.tasks import TASKS

    content, record = read(name)
    validation = mitdb.load("validation", data_dir=data_dir)
    test = mitdb.load("test", data_dir=data_dir)
    found = scoring.evaluate(content, validation, test, task=TASKS["mitdb"])
    assert plain(found.scores.to_dict()) == record["test"]
    assert plain(found.details.to_dict()) == record["details"]
    assert record["test"]["num_beats"] == len(test.y) > 49_000
