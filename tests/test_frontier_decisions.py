"""What the frontier's networks decided: rows and differences follow from it."""

import functools
import json

import benchmark_modules
import pytest
import real_data

from keras_hypertinypw.datasets.download import DATA_VARIABLE
from keras_hypertinypw.evaluation import metrics

differences = benchmark_modules.load("frontier_differences")
frontier_decisions = differences.frontier_decisions
frontier_tasks = differences.frontier_tasks
DECIDED = [
    row
    for row in differences.read_rows()
    if frontier_decisions.path_of(row).exists()
]
FOLDERS = {
    "arabic_40": "arabic_speech_commands_mfcc",
    "speech_v1": "speech_commands_v1_mfcc",
    "mitdb": "mitdb",
    "mitdb_beats": "mitdb",
}


@functools.cache
def windows_of(task):
    folder = real_data.require(FOLDERS[task])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(folder.parent))
        return frontier_tasks.TASKS[task].load("test")


def name(row):
    return frontier_decisions.path_of(row).stem


@pytest.mark.parametrize("row", DECIDED, ids=name)
def test_decisions_give_the_row(row):
    windows = windows_of(frontier_tasks.trained_task(row["task"]))
    y, num_classes = frontier_tasks.truth(row["task"], windows)
    macro_f1 = metrics.macro_f1.over(num_classes)
    assert macro_f1(y, frontier_decisions.read(row)) == row["macro_f1"]


def test_every_file_is_a_rows():
    files = set(frontier_decisions.FOLDER.glob("*.npz"))
    assert files and files == set(map(frontier_decisions.path_of, DECIDED))


def test_lines_are_differences_of_the_rows_pairs(monkeypatch):
    monkeypatch.setattr(frontier_decisions, "read", lambda row: None)
    pairs = differences.pairs(differences.read_rows())
    expected = [differences.compare(*pair, {}) for pair in pairs]
    lines = map(json.loads, differences.DIFFERENCES.read_text().splitlines())
    assert list(map(differences._key, lines)) == list(
        map(differences._key, expected)
    )


def test_means_are_those_of_the_rows(monkeypatch):
    monkeypatch.setattr(frontier_decisions, "read", lambda row: None)
    pairs = differences.mean_pairs(differences.read_rows())
    lines = map(json.loads, differences.MEANS.read_text().splitlines())
    without = {"ci_low": None, "ci_high": None}
    assert [{**line, **without} for line in lines] == [
        differences.compare_means(*pair) for pair in pairs
    ]


def test_contenders_of_several_seeds_go_before_those_of_one():
    def row(contender, family, seed, score):
        place = {"task": "mitdb", "budget_kb": 16, "width": 8, "seed": seed}
        scores = {"val_macro_f1": score, "macro_f1": score}
        return {**place, **scores, "contender": contender, "family": family}

    rows = [
        row("gen_1", "generated", 0, 0.5),
        row("gen_1", "generated", 1, 0.7),
        row("gen_2", "generated", 0, 0.9),
        row("int4", "int4", 0, 0.4),
        row("tied", "tied", 0, 0.6),
    ]
    ((generated, stored),) = differences.mean_pairs(rows)
    assert [found["contender"] for found in generated] == ["gen_1", "gen_1"]
    assert [found["contender"] for found in stored] == ["tied"]


def test_a_pair_without_decisions_keeps_the_interval_that_it_had(monkeypatch):
    monkeypatch.setattr(frontier_decisions, "read", lambda row: None)
    place = {"task": "mitdb", "budget_kb": 16, "seed": 0}
    pair = [
        {
            **place,
            "contender": name,
            "macro_f1": macro_f1,
            "code_recipe": None,
        }
        for name, macro_f1 in (("gen_1", 0.5), ("int4", 0.25))
    ]
    line = {**place, "generated": "gen_1", "stored": "int4", "difference": 0.25}
    line |= {"code_recipe": None, "ci_low": 0.125, "ci_high": 0.375}
    earlier = {differences._key(line): line}
    assert differences.compare(*pair, earlier) == line
    other = differences.compare(*reversed(pair), earlier)
    assert (other["difference"], other["ci_low"]) == (-0.25, None)
    pair[0]["macro_f1"] = 0.75  # Trained again.
    renewed = differences.compare(*pair, earlier)
    assert (renewed["difference"], renewed["ci_low"]) == (0.5, None)
