import numpy as np
import pytest
from dense_models import INPUT_SHAPE, stock_model
from int4_models import grid_model

from keras_hypertinypw import Interpreter, compare_outputs, pack_int4
from keras_hypertinypw.int4_cost import ScoreDifferences


def test_a_lossless_packing_costs_nothing():
    content = grid_model(largest=1)
    cost = compare_outputs(content, pack_int4(content))
    assert (cost.num_differences, cost.max_difference) == (0, 0)
    assert (cost.argmax_agreement, cost.inputs) == (1, "random")
    assert cost.num_values == 40 * cost.num_inputs


def test_differences_are_in_steps():
    inputs = np.random.default_rng(0).normal(size=(30, *INPUT_SHAPE))
    content = stock_model()
    cost = compare_outputs(content, pack_int4(content), inputs)
    assert cost.num_inputs == 30
    assert 0 < cost.mean_difference < cost.max_difference
    assert cost.max_difference == int(cost.max_difference)
    assert 0 < cost.num_differences <= cost.num_values
    assert 0 < cost.argmax_agreement <= 1
    assert "given inputs" in str(cost)
    with Interpreter(content) as interpreter:
        outputs = interpreter.predict(interpreter.quantize(inputs))
        step = interpreter.output_scale
    assert step == cost.step > 0
    assert (cost.min_output, cost.max_output) == (outputs.min(), outputs.max())
    scale = f"from {outputs.min()} to {outputs.max()} steps of {step:.3g}"
    assert scale in str(cost)


def test_inputs_must_fit():
    inputs = np.zeros((3, 7))
    with pytest.raises(ValueError, match="Expected `x` of shape"):
        compare_outputs(stock_model(), stock_model(), inputs)


def test_scores_are_shown_side_by_side():
    before, after = ({"metrics": {"v_f1": {"value": v}}} for v in (0.5, 0.25))
    lines = str(ScoreDifferences(before, after)).splitlines()
    assert lines[1].split() == ["v", "f1", "0.500", "0.250"]
