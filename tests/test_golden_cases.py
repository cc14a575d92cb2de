import numpy as np
import pytest
from arduino_exports import tiny_model

from keras_hypertinypw import golden_cases


def test_a_large_input_gets_fewer_cases(monkeypatch):
    monkeypatch.setattr(golden_cases, "MAX_BYTES", 1)
    cases = golden_cases.golden_cases(tiny_model())
    assert len(cases.inputs) == golden_cases.MIN_CASES


def test_equal_golden_outputs_are_a_warning(monkeypatch):
    monkeypatch.setattr(
        golden_cases.Interpreter,
        "predict",
        lambda self, x: np.zeros((len(x), 3), np.int8),
    )
    with pytest.warns(UserWarning, match="shows little"):
        golden_cases.golden_cases(tiny_model())
