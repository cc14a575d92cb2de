"""What sharing must save, and that the README says what was measured."""

import json
import pathlib

import benchmark_modules
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def benchmark():
    return benchmark_modules.load("shared_generator")


@pytest.fixture(scope="module")
def results(benchmark):
    return json.loads(benchmark.RESULTS.read_text())


def test_results_are_those_of_every_generator(benchmark, results):
    assert list(results) == list(benchmark.GENERATORS)


def test_every_file_is_exact(results):
    for found in results.values():
        assert len(found["networks"]) == 3
        for row in found["networks"].values():
            assert row["identical"] and row["num_kernels"] == 3
            assert row["num_values"] >= 1000 and row["num_distinct"] >= 50


def test_the_generator_counts_once(results):
    for found in results.values():
        blob, rows = found["generator_bytes"], found["networks"].values()
        assert found["alone_bytes"] == sum(r["alone_bytes"] for r in rows)
        files = sum(row["shared_bytes"] for row in rows)
        assert found["shared_bytes"] == files + blob
        saved = found["alone_bytes"] - found["shared_bytes"]
        # A reference takes 8 bytes, and data start at multiples of 16.
        assert abs(saved - 2 * blob) < 24 * len(rows)


def test_the_readme_has_the_table(benchmark, results):
    assert benchmark.table(results) in (ROOT / "README.md").read_text()
