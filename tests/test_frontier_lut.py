"""TFLM's compression, as the frontier's contender writes it."""

import pathlib

import benchmark_modules
import numpy as np
import pytest

from keras_hypertinypw import Interpreter, slim
from keras_hypertinypw.flatbuffer import read_model, write_model

ROOT = pathlib.Path(__file__).parent.parent
STORED = ROOT / "examples/mitdb/stored.tflite"


@pytest.fixture(scope="module")
def frontier_lut():
    return benchmark_modules.load("frontier_lut")


@pytest.fixture(scope="module")
def coarse(frontier_lut):
    """A slimmed file whose pointwise kernels hold four values in a channel."""
    model = read_model(STORED.read_bytes())
    for index in frontier_lut._pointwise_kernels(model):
        buffer = model.buffers[model.subgraphs[0].tensors[index].buffer]
        values = np.frombuffer(bytes(buffer.data), np.int8).astype(int)
        buffer.data = (values // 64 * 64 + 32).astype(np.int8).view(np.uint8)
    return slim(write_model(model))


def outputs(content):
    x = np.random.default_rng(0).normal(size=(60, *shape(content)))
    with Interpreter(content) as interpreter:
        return interpreter.predict(interpreter.quantize(x))


def shape(content):
    graph = read_model(content).subgraphs[0]
    return graph.tensors[graph.inputs[0]].shape[1:]


def test_tflm_computes_the_same_from_a_smaller_file(frontier_lut, coarse):
    compressed = frontier_lut.compress(coarse, 2)
    kernels = len(frontier_lut._pointwise_kernels(read_model(coarse)))
    weights = 64 * 64 * kernels
    assert len(coarse) - len(compressed) > 0.6 * weights
    expected = outputs(coarse)
    assert len(np.unique(expected)) >= 50
    np.testing.assert_array_equal(outputs(compressed), expected)


def test_what_needs_more_values_is_refused(frontier_lut, coarse):
    with pytest.raises(RuntimeError, match=r"at most 2 values.*4"):
        frontier_lut.compress(coarse, 1)


def test_a_file_without_pointwise_kernels_is_refused(frontier_lut):
    packed = ROOT / "examples/given/arabic_40.tflite"
    with pytest.raises(RuntimeError, match=r"pointwise kernels.*none"):
        frontier_lut.compress(packed.read_bytes(), 2)
