"""The committed files give the committed numbers."""

import json
import pathlib

import pytest
import real_data

from keras_hypertinypw import Interpreter, footprint, verify

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NAMES = ("generated", "stored")
# Folders of the data sets, and how many windows are the whole test set.
DATASETS = {
    "mitdb": ("mitdb", 49_705),
    "apnea_rr": ("apnea_ecg_annotations", 17_268),
    "speech_v1": ("speech_commands_v1_mfcc", 2_081),
}
every_file = pytest.mark.parametrize(
    "dataset, name",
    [(dataset, name) for dataset in DATASETS for name in NAMES],
)
every_dataset = pytest.mark.parametrize("dataset", DATASETS)


def read(dataset, name):
    path = EXAMPLES / dataset / f"{name}.tflite"
    return path.read_bytes(), json.loads(path.with_suffix(".json").read_text())


def plain(value):
    return json.loads(json.dumps(value))


@every_file
def test_bytes_are_those_of_the_file(dataset, name):
    content, record = read(dataset, name)
    with Interpreter(content) as interpreter:
        arena_bytes = interpreter.arena_used_bytes
    sizes = footprint(content, arena_bytes=arena_bytes).to_dict()
    assert sizes == record["footprint"]


@every_dataset
def test_generated_file_is_bit_exact(dataset):
    content, record = read(dataset, "generated")
    result = verify(content, num_inputs=1000)
    assert result.identical
    assert result.num_kernels == 3
    assert record["verification"]["identical"]


@every_dataset
def test_only_generated_kernels_have_errors(dataset):
    errors = read(dataset, "generated")[1]["kernel_errors"]
    assert len(errors) == 3
    assert all(0 < error < 1 for error in errors.values())
    assert read(dataset, "stored")[1]["kernel_errors"] == {}


@every_dataset
def test_only_the_kernels_differ_between_the_two(dataset):
    configs = [read(dataset, name)[1]["config"] for name in NAMES]
    assert [config.pop("stored") for config in configs] == [False, True]
    for config in configs:
        for name in ("hidden_units", "code_dim", "code_bits", "block_size"):
            config.pop(name)
        config.pop("use_skip")
    assert configs[0] == configs[1]


@every_file
def test_scores_come_from_the_whole_real_test_set(dataset, name):
    from keras_hypertinypw import scoring
    from keras_hypertinypw.tasks import TASKS

    folder, num_windows = DATASETS[dataset]
    data_dir = real_data.require(folder)
    content, record = read(dataset, name)
    task = TASKS[dataset]
    validation, test = (
        task.load(split, data_dir=data_dir) for split in ("validation", "test")
    )
    assert len(test.y) == num_windows
    found = scoring.evaluate(content, validation, test, task=task)
    scores = plain(found.scores.to_dict())
    # Processors differ in the last digit of an exponential; what counts
    # decisions is exact.
    for field in {"threshold", "thresholds"} & record["test"].keys():
        expected = record["test"].pop(field)
        assert scores.pop(field) == pytest.approx(expected, rel=1e-12)
    assert scores == record["test"]
    assert plain(found.details.to_dict()) == record["details"]
