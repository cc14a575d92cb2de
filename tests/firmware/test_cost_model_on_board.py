"""The cost model against the board, on what it was not fitted to."""

import board_network
import board_synthesis
import cpp_build
import fit_cost_model
import numpy as np
import pytest

from keras_hypertinypw import cost_model
from keras_hypertinypw.spec import CODE_BITS

# Linear in what is done; caches and branches are not in it.
MAX_ERROR = 0.02


def test_an_inference_is_estimated(network_program):
    path = cpp_build.REPOSITORY / "examples" / "mitdb" / "generated.tflite"
    content = path.read_bytes()
    counted = board_network.count(network_program, content)
    estimated = cost_model.inference_instructions(content)
    assert estimated == pytest.approx(counted.invocation(2), rel=MAX_ERROR)


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
