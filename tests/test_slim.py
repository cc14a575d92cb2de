"""Slimmed files compute what their originals do, in fewer bytes."""

import pathlib
import resource
import time
import tracemalloc
from unittest import mock

import numpy as np
import pytest
import tiny_models
from ai_edge_litert import schema_py_generated as schema
from slim_models import UNKNOWN_OP, RandomModel

from keras_hypertinypw import slim, slim_comparison, slim_with_report
from keras_hypertinypw import tflm_process, verify
from keras_hypertinypw.byte_ranges import walk_vectors
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    read_model,
    scales,
    write_model,
    zero_points,
)
from keras_hypertinypw.slim_comparison import compare

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
NUM_MODELS = 300


@pytest.fixture(scope="module")
def one_process():
    """Runs all files in one child, which starts only once."""
    process = tflm_process.start(tiny_models.build_add_model(output_scale=1), None)
    library = str(slim_comparison.tflm_process.native.compiled_library())

    def run(model_content, graph, inputs):
        request = {"command": "load", "library": library, "arena_size": 1 << 20}
        process.request(request, model_content)
        return slim_comparison.run_in(process, graph, inputs)

    with mock.patch.dict(slim_comparison._RUNNERS, {"TFLM": run}):
        yield
    process.close()


def has_unknown_op(content):
    model = read_model(content)
    operators = model.subgraphs[0].operators
    return any(custom_name(model, op) == UNKNOWN_OP.decode() for op in operators)


@pytest.mark.parametrize("desktop", [False, True])
def test_generated_models_stay_what_they_are(one_process, desktop):
    values = distinct = 0
    for seed in range(NUM_MODELS):
        content = RandomModel(seed).to_bytes()
        slimmed = slim(content, desktop=desktop, verify=False)
        assert len(slimmed) < len(content)
        found = compare(content, slimmed, desktop=desktop, num_inputs=4)
        assert bool(found.not_run) == has_unknown_op(content), (seed, found)
        values += sum(found.num_values.values())
        distinct += sum(found.num_distinct.values())
        again = slim(slimmed, desktop=desktop, verify=False)
        assert again == slimmed, seed
        require_aligned(slimmed)
    assert values > 100_000
    assert distinct > 10_000


def require_aligned(content):
    for vector in walk_vectors(content):
        if vector.path[0] == "buffers":
            assert vector.start % 16 == 0
        elif vector.path[-1] == "zero_point":
            assert vector.start % 8 == 0
        else:
            assert vector.start % 4 == 0
