"""Instructions on a Cortex-M4 that a model takes, before it runs there.

Linear in what ops do: `cost_features.py`, `cost_operators.py`. The coefficients
are fitted to counts of an emulated Cortex-M4: `python
benchmarks/fit_cost_model.py` writes `cost_coefficients.json` and says how far
off the model is.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

from keras_hypertinypw.cost_features import Features, synthesis_features
from keras_hypertinypw.cost_operators import operator_features
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.spec import PointwiseSpec

COEFFICIENTS = pathlib.Path(__file__).with_name("cost_coefficients.json")


@functools.cache
def _read(path: pathlib.Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def errors() -> dict[str, float]:
    """Returns relative errors by what they are of; none if not measured."""
    return _read(COEFFICIENTS).get("errors", {})


def instructions(features: Features) -> int:
    """Returns the estimated instructions of one op."""
    weights = _read(COEFFICIENTS)["kinds"][features.kind]
    return int(sum(weights[k] * n for k, n in features.amounts.items()))


def synthesis_instructions(spec: PointwiseSpec) -> int:
    """Estimates what one synthesis of a kernel executes on a Cortex-M4."""
    return instructions(synthesis_features(spec))


def inference_instructions(model_content: bytes) -> int:
    """Estimates what one inference executes, kernels being there.

    The sum over ops with CMSIS-NN's kernels. The interpreter around them is
    not counted, nor are ops of other kinds than those that were measured.

    Args:
        model_content: Bytes of an int8 `.tflite`.

    Raises:
        ConversionError: If the file is damaged.
    """
    model = read_model(model_content)
    found = (
        operator_features(model, operator)
        for operator in model.subgraphs[0].operators
    )
    return sum(
        instructions(features)
        for features in found
        if features and features.kind in _read(COEFFICIENTS)["kinds"]
    )
