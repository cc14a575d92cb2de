"""The rows that `benchmarks/frontier.py` left, and what the README says."""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import textwrap

import benchmark_modules
import pytest
from frontier_networks import EQUAL_BYTES

from keras_hypertinypw import verify

ROOT = pathlib.Path(__file__).parent.parent
ROWS = [
    json.loads(line)
    for line in (ROOT / "benchmarks/results/frontier.jsonl")
    .read_text()
    .splitlines()
]
CONTENDERS = benchmark_modules.load("frontier_differences").frontier.CONTENDERS
FITTING = [row for row in ROWS if row.get("fits", True)]
FIELDS = {
    *(
        "task",
        "contender",
        "family",
        "budget_kb",
        "width",
        "seed",
        "epochs",
        "code_recipe",
    ),
    *("file_bytes", "op_code_bytes", "arena_bytes", "macs", "synthesis_macs"),
    *("macro_f1", "accuracy", "ci_low", "ci_high", "val_macro_f1"),
    *("commit", "command"),
}
FAMILIES = {
    *("generated", "tied", "stored_int8", "int4", "low_rank", "lut"),
    "entropy",
}


def name(row):
    return f"{row['task']}-{row['contender']}-{row['budget_kb']}-{row['seed']}"


@pytest.mark.parametrize("row", FITTING, ids=name)
def test_a_row_is_complete(row):
    assert FIELDS <= row.keys()
    assert row["family"] in FAMILIES
    assert 0 < row["ci_low"] <= row["macro_f1"] <= row["ci_high"] <= 1
    # GeneratePW, TFLM's decompression, WidenBias.
    needs_code = row["family"] in ("generated", "lut")
    needs_code |= CONTENDERS[row["contender"]].narrow
    assert (row["op_code_bytes"] > 0) == needs_code
    assert (row["synthesis_macs"] > 0) == (row["family"] == "generated")


@pytest.mark.parametrize(
    "row", [row for row in FITTING if row["budget_kb"]], ids=name
)
def test_a_contender_fills_its_budget(row):
    share = (row["file_bytes"] + row["op_code_bytes"]) / row["budget_kb"] / 1024
    assert 0.85 < share <= 1


def test_a_cell_is_trained_once():
    assert max(collections.Counter(map(name, ROWS)).values()) == 1


def test_one_training_budget_for_all():
    epochs = collections.defaultdict(set)
    for row in FITTING:
        epochs[row["task"]].add(row["epochs"])
    assert all(len(found) == 1 for found in epochs.values())


# Task, contender and seed of each file.
GIVEN = {
    "arabic_40": ("arabic_40", "gen_1", 0),
    "arabic_40_bare": ("arabic_40", "gen_1_bare", 2),
    "mitdb": ("mitdb", "gen_1", 0),
}


def test_every_given_network_is_known():
    files = (ROOT / "examples/given").glob("*.tflite")
    assert {path.stem for path in files} == GIVEN.keys()


@pytest.mark.parametrize("name", GIVEN)
def test_the_given_networks_are_those_of_their_rows_and_exact(name):
    content = (ROOT / f"examples/given/{name}.tflite").read_bytes()
    (row,) = (
        row
        for row in FITTING
        if (row["task"], row["contender"], row["seed"]) == GIVEN[name]
        and row["budget_kb"] is None
    )
    assert row["file_bytes"] == len(content)
    result = verify(content)
    assert result.identical
    assert result.num_kernels == 4


@pytest.mark.parametrize("path", EQUAL_BYTES, ids=lambda path: path.stem)
def test_networks_of_equal_bytes_are_those_of_the_map_and_exact(path):
    task, _, budget = path.stem.removesuffix("kb").rpartition("_")
    means = benchmark_modules.load("frontier_rows").read_means()
    (cell,) = (
        row
        for row in means
        if (row["task"], row["budget_kb"]) == (task, int(budget))
    )
    (row,) = (
        row
        for row in FITTING
        if (row["task"], row["budget_kb"]) == (task, int(budget))
        and (row["contender"], row["seed"]) == (cell["generated"], 0)
    )
    content = path.read_bytes()
    assert row["file_bytes"] == len(content)
    result = verify(content)
    assert result.identical
    assert result.num_kernels == 4


def test_given_networks_take_three_fifths_of_four_bits():
    sizes = {
        (row["task"], row["contender"]): row["file_bytes"]
        for row in FITTING
        if row["budget_kb"] is None and row["seed"] == 0
    }
    for task, contender, _ in GIVEN.values():
        assert sizes[task, contender] <= 0.6 * sizes[task, "int4"]


def test_synthesis_takes_less_than_three_inferences():
    if shutil.which("valgrind") is None:
        pytest.skip("No valgrind: install the Debian package valgrind.")
    result = subprocess.run(
        [sys.executable, "benchmarks/frontier_synthesis.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = json.loads(result.stdout)
    assert found.keys() == {*GIVEN, *(path.stem for path in EQUAL_BYTES)}
    assert all(0 < counts["ratio"] < 3 for counts in found.values())


def flash(row):
    return row["file_bytes"] + row["op_code_bytes"]


def test_the_pair_of_the_papers_size():
    pair = {
        row["family"]: row for row in ROWS if row["task"] == "arabic_40_wide"
    }
    stored, generated = pair["stored_int8"], pair["generated"]
    assert stored["width"] == generated["width"]
    assert stored["file_bytes"] > 1.35e6 and generated["file_bytes"] < 225e3
    ratio = flash(stored) / flash(generated)
    assert ratio >= 6.31
    assert generated["macro_f1"] >= 0.95 * stored["macro_f1"]
    assert f"{ratio:.1f} times less" in (ROOT / "README.md").read_text()


def test_ventricular_beats_are_found_in_32_kb():
    generated = [
        row
        for row in FITTING
        if (row["task"], row["family"]) == ("mitdb_v", "generated")
        and row["budget_kb"] == 32
    ]
    chosen = max(generated, key=lambda row: row["val_macro_f1"])
    assert flash(chosen) <= 32 * 1024
    rates = chosen["sensitivity"], chosen["specificity"]
    assert min(rates) >= 0.85
    text = (ROOT / "benchmarks/frontier.md").read_text()
    assert f"| {rates[0]:.2f} and {rates[1]:.2f} | yes |" in text


def test_three_tasks_take_three_fifths_of_their_best_stored_networks():
    found = json.loads(
        (ROOT / "benchmarks/results/several_models.json").read_text()
    )
    totals = found["totals"]
    assert totals["smallest"] <= 0.6 * totals["stored"]
    assert len(found["networks"]) == 3
    for networks in found["networks"].values():
        stored, smallest = networks["stored"], networks["smallest"]
        assert smallest["val_macro_f1"] >= stored["val_macro_f1"]
    worst = min(
        networks["smallest"]["macro_f1"] - networks["stored"]["macro_f1"]
        for networks in found["networks"].values()
    )
    text = (ROOT / "benchmarks/frontier.md").read_text()
    verdict = "yes" if worst >= -0.005 else "**no**"
    assert f"| the same | {100 * worst:+.1f} | {verdict} |" in text


def test_an_update_takes_three_tenths_of_a_stored_file():
    update = json.loads(
        (ROOT / "benchmarks/results/codes_update.json").read_text()
    )
    (stored,) = (
        row["file_bytes"]
        for row in FITTING
        if (row["task"], row["contender"], row["seed"])
        == ("arabic_40", "int4", 0)
        and row["budget_kb"] is None
    )
    assert update["patch_bytes"] <= 0.3 * stored
    assert update["updated"]["macro_f1"] > update["deployed"]["macro_f1"]


def test_documents_show_the_rows():
    tables = benchmark_modules.load("frontier_tables").tables()
    assert sum(map(len, tables.values())) == 7
    for document, named in tables.items():
        text = document.read_text()
        for table in named.values():
            assert table in text


@pytest.mark.parametrize("name", ["code_rate", "shared_bank"])
def test_tables_of_what_was_tried_are_current(name):
    table = benchmark_modules.load(name).table()
    text = (ROOT / "benchmarks/frontier.md").read_text()
    assert textwrap.indent(table, "  ") in text


def test_contenders_are_explained():
    text = (ROOT / "benchmarks/frontier.md").read_text()
    for contender in {row["contender"] for row in FITTING}:
        assert f"`{contender}`" in text
