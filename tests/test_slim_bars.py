"""How small slimmed files must be, in freshly built networks."""

import json
import pathlib

import benchmark_modules
import pytest

from keras_hypertinypw import slim_with_report

ROOT = pathlib.Path(__file__).resolve().parent.parent
BARS = {
    "DS-CNN, 49x10": 1.15,
    "ECG network": 1.15,
    "MobileNet 0.25, 96x96": 1.05,
}


@pytest.fixture(scope="module")
def benchmark():
    return benchmark_modules.load("slim")


@pytest.mark.parametrize("name", BARS)
def test_slimmed_files_are_near_the_bound(benchmark, name):
    slimmed, report = slim_with_report(benchmark.FILES[name]())
    assert len(slimmed) <= BARS[name] * report.bound_bytes
    assert report.comparison.num_distinct["TFLM"] >= 50


def test_results_are_those_of_every_file(benchmark):
    results = json.loads(benchmark.RESULTS.read_text())
    assert list(results) == list(benchmark.FILES)
    for name, found in results.items():
        for runtimes, figures in zip((1, 2), found.values(), strict=True):
            assert figures["identical"]
            assert len(figures["values_compared"]) == runtimes
            assert min(figures["values_compared"].values()) >= 400
            assert min(figures["distinct_values"].values()) >= 50
            for when in ("before", "after"):
                size = sum(figures[when].values())
                assert size == figures[f"bytes_{when}"]
        bound = found["tflm"]["bound_bytes"]
        bar = BARS.get(name, 1.3)
        assert found["tflm"]["bytes_after"] <= bar * bound


def test_results_of_the_examples_are_current(benchmark):
    results = json.loads(benchmark.RESULTS.read_text())
    for name, found in results.items():
        if "examples" in name:
            slimmed, report = slim_with_report(benchmark.FILES[name]())
            figures = report.to_dict()
            del figures["comparison"]
            expected = {key: found["tflm"][key] for key in figures}
            assert json.loads(json.dumps(figures)) == expected
            assert len(slimmed) == report.bytes_after


def test_the_table_in_the_readme_is_current(benchmark):
    results = json.loads(benchmark.RESULTS.read_text())
    assert benchmark.table(results) in (ROOT / "README.md").read_text()
