"""The cost model against the board, on what it was not fitted to."""

import board_network
import board_synthesis
import cpp_build
import fit_cost_model
import numpy as np
import pytest
import sweep_layers

from keras_hypertinypw import cost_model
from keras_hypertinypw.spec import CODE_BITS

# Linear in what is done; caches and branches are not in it.
MAX_ERROR = 0.02
# Of a single layer, whose part in the sum above may be small.
MAX_LAYER_ERROR = 0.03


def test_an_inference_is_estimated(network_program):
    path = cpp_build.REPOSITORY / "examples" / "mitdb" / "generated.tflite"
    content = path.read_bytes()
    counted = board_network.count(network_program, content)
    estimated = cost_model.inference_instructions(content)
    assert estimated == pytest.approx(counted.invocation(2), rel=MAX_ERROR)


def test_each_layer_is_estimated(network_program):
    path = cpp_build.REPOSITORY / "examples" / "mitdb" / "stored.tflite"
    rows = fit_cost_model.network_rows(network_program, path.read_bytes())
    assert len(rows) == 11  # All but the reshape.
    for features, counted in rows:
        estimated = cost_model.instructions(features)
        assert estimated == pytest.approx(counted, rel=MAX_LAYER_ERROR)


def test_every_swept_layer_has_the_reference_kernels_outputs(network_program):
    """Odd sizes and shapes too; `count` raises if a value differs."""
    models = list(sweep_layers.sweep(np.random.default_rng(1)))[::5]
    kinds = {
        layer.kind
        for content in models
        for layer in board_network.count(network_program, content).layers
    }
    assert len(kinds) == 6


def test_other_kernels_than_the_fitted_ones_are_estimated(tmp_path):
    rng = np.random.default_rng(99)
    specs = [
        fit_cost_model.random_spec(rng, CODE_BITS[index % 4])
        for index in range(100)
    ]
    program = board_synthesis.build(tmp_path / "synthesis.elf")
    for spec, (is_right, counted) in zip(
        specs, board_synthesis.count(program, specs), strict=True
    ):
        assert is_right
        estimated = cost_model.synthesis_instructions(spec)
        assert estimated == pytest.approx(counted, rel=MAX_ERROR)
