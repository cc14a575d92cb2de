import dataclasses
import json
import pathlib
import shlex

import numpy as np
import pytest
from tqdm import tqdm

from keras_hypertinypw import (
    cli,
    fit_kinds,
    fit_report,
    fit_search,
    fitting,
)
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.op_size import op_code_bytes
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.tasks import TASKS
from keras_hypertinypw.width_search import KnownSizes

BUDGET = 8 * 1024
KINDS = ("int4", "generated_least")
NUM_SEEDS = 2
SCHEDULE = Schedule(float_epochs=1, quantized_epochs=1, batch_size=256)


def fit(folder, budget=BUDGET):
    return fitting.fit(
        "synthetic",
        budget,
        folder,
        schedule=SCHEDULE,
        kinds=KINDS,
        num_seeds=NUM_SEEDS,
        command="test",
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    return folder, fit(folder)


def test_every_kind_fits_and_none_is_needlessly_narrow(fitted):
    folder, result = fitted
    assert [kind["kind"] for kind in result["kinds"]] == list(KINDS)
    assert not result["left_out"]
    for kind in result["kinds"]:
        total = kind["file_bytes"] + kind["op_code_bytes"]
        assert 0.85 * BUDGET < total <= BUDGET
        assert (kind["op_code_bytes"] > 0) == (kind["kind"] != "int4")
        assert kind["low"] <= kind["val_macro_f1"] <= kind["high"]
        assert list(kind["seeds"]) == list(range(NUM_SEEDS))
        mean = np.mean(list(kind["seeds"].values()))
        assert kind["val_macro_f1"] == pytest.approx(mean)
        place = folder / kind["kind"] / f"width_{kind['width']}"
        files = place.glob("seed_*/model.tflite")
        assert len({path.read_bytes() for path in files}) == NUM_SEEDS


def test_the_chosen_file_is_the_one_that_was_scored(fitted):
    folder, result = fitted
    content = (folder / "model.tflite").read_bytes()
    (row,) = (k for k in result["kinds"] if k["kind"] == result["chosen"])
    seed, best = max(row["seeds"].items(), key=lambda item: item[1])
    assert result["config"]["schedule"]["seed"] == seed
    place = folder / result["chosen"] / f"width_{row['width']}"
    trained = place / f"seed_{seed}" / "model.tflite"
    assert content == trained.read_bytes()
    assert row["file_bytes"] == len(content)
    validation = TASKS["synthetic"].load("validation")
    with Interpreter(content) as interpreter:
        decisions = interpreter.predict(validation.x).argmax(axis=1)
    score = fit_search.macro_f1(validation, decisions)
    assert score == best
    mean = f"macro-F1 {row['val_macro_f1']:.3f} on validation, the mean of 2"
    assert mean in result["reason"]


def test_the_record_is_what_was_returned(fitted):
    folder, result = fitted
    record = json.loads((folder / "fit.json").read_text())
    assert record == json.loads(json.dumps(result))
    assert set(record["test"]["metrics"])


def test_a_finished_fit_is_not_trained_again(fitted, monkeypatch):
    folder, result = fitted

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(fit_search, "untrained_file", refuse)
    monkeypatch.setattr("tf_keras.Model.fit", refuse)
    again = fit(folder)
    assert again["kinds"] == result["kinds"]


def test_summary_and_picture_say_what_was_found(fitted, tmp_path):
    folder, result = fitted
    text = fit_report.summary(result, folder)
    assert result["reason"] in text
    assert "--num_seeds" not in text
    for kind in result["kinds"]:
        assert f"{kind['file_bytes']:,}" in text
    more = op_code_bytes("small") - op_code_bytes("compact")
    assert more > 0 and f"with checks they take {more:,} B and" in text
    narrowed = result["chosen"] != "int4"
    assert ("hypertinypw narrow " in text) == narrowed
    left_out = {**result, "left_out": ["generated_1"]}
    assert "generated_1      does not fit" in fit_report.summary(
        left_out, folder
    )
    fit_report.write_picture(tmp_path / "fit.png", result)
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_a_summary_of_one_seed_says_how_to_train_more(fitted):
    folder, result = fitted
    kinds = [{**kind, "seeds": {0: 0.5}} for kind in result["kinds"]]
    text = fit_report.summary({**result, "kinds": kinds}, folder)
    assert "One seed: the same network may be points better" in text
    assert "With --num_seeds=3 means decide" in text


@pytest.mark.parametrize("kind", fit_kinds.KINDS)
def test_the_command_trains_the_same_network(kind):
    schedule = dataclasses.replace(SCHEDULE, batch_size=128)
    base = RunConfig(schedule=schedule)
    config = fit_search.configure(base, fit_kinds.KINDS[kind], 20)
    out = pathlib.Path("a folder")
    line = fit_report.train_command(config, out, "some data")
    options = cli.build_parser().parse_args(shlex.split(line)[1:])
    assert cli.training_commands.train_config(options) == config
    assert (options.out, options.data_dir) == ("a folder", "some data")


def test_the_commands_at_the_end_make_a_small_file(fitted, tmp_path):
    folder, result = fitted
    for kind in KINDS:
        text = fit_report.summary({**result, "chosen": kind}, folder)
        lines = [line for line in text.split("\n") if line.startswith("hyper")]
        parse = cli.build_parser().parse_args
        train, *others = [parse(shlex.split(line)[1:]) for line in lines]
        names = [options.name for options in others]
        assert names == (["slim"] if kind == "int4" else ["narrow", "slim"])
        content = pathlib.Path(train.out) / "model.tflite"
        for options in others:
            assert pathlib.Path(options.model) == content
            content = pathlib.Path(options.out)


def test_a_trained_file_that_is_too_large_is_followed_by_a_narrower_one(
    tmp_path, monkeypatch
):
    trained = []

    def train(kind, config, task, windows, validation, folder):
        trained.append((config.width, config.schedule.seed))
        grown = 100 if len(trained) == 2 else 0
        content = bytes(100 * config.width + grown)
        return fit_search.Run(config, content, np.zeros(3), 0.5, 0)

    monkeypatch.setattr(fit_search, "_train", train)
    monkeypatch.setattr(
        fit_search, "_untrained", lambda *arguments: bytes(100 * arguments[-1])
    )
    base = RunConfig(schedule=SCHEDULE)
    search = fit_search.Search("int4", base, 4064, None, tmp_path)
    bar = tqdm(disable=True)
    assert len(search.train([5, 6], None, None, bar)) == 2
    assert trained == [(40, 5), (40, 6), (39, 5), (39, 6)]
    # What was learned of sizes is kept.
    again = fit_search.Search("int4", base, 4064, None, tmp_path)
    assert again.width() == 39


def test_sizes_of_something_else_are_measured_anew(tmp_path):
    path = tmp_path / "sizes.json"
    KnownSizes(path, lambda width: bytes(10 * width), {"a": 1}).measure(3)

    def size_of(of):
        return KnownSizes(path, lambda width: bytes(7), of).measure(3)

    assert size_of({"a": 1}) == 30
    assert size_of({"a": 2}) == 7
    path.write_text("{")
    assert size_of({"a": 2}) == 7


def test_a_budget_that_holds_nothing_is_refused(tmp_path):
    with pytest.raises(ConversionError, match="the smallest one needs"):
        fit(tmp_path, budget=1024)
    assert not (tmp_path / "model.tflite").exists()


def test_windows_of_several_classes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one class each.*ptbxl"):
        fitting.fit(
            "ptbxl", BUDGET, tmp_path, schedule=SCHEDULE, command="test"
        )


@pytest.mark.parametrize("budget_kb", ["inf", "nan", "0", "-8"])
def test_a_budget_is_a_positive_number(budget_kb, tmp_path, capsys):
    words = ["fit", f"--budget_kb={budget_kb}", f"--out={tmp_path}"]
    assert cli.main(words) == 2
    assert "`budget_kb` to be a positive number" in capsys.readouterr().err
