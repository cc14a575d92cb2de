"""The files of an Arduino sketch that tests a model."""

from __future__ import annotations

import pathlib
import string
from collections.abc import Mapping

import numpy as np

from keras_hypertinypw import c_arrays
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.golden_cases import GoldenCases
from keras_hypertinypw.op_builds import Build
from keras_hypertinypw.tflm_resolver import require_arduino, resolver_calls
from keras_hypertinypw.version import __version__

TEMPLATES = pathlib.Path(__file__).resolve().parent / "arduino_files"

# Chirale_TensorFLowLite 2.0.0 is TFLM of 2023, whose MEAN rounds another way
# than today's: a step there, and one at the output of all networks tried. The
# layers behind may make more of it in others.
MEAN_TOLERANCE = 2
_MEAN = "AddMean()"
_MEAN_COMMENT = "In steps of the output: TFLM of 2023 rounds MEAN another way."


def render(name: str, **values: object) -> bytes:
    """Fills in a template of `arduino_files/`."""
    template = (TEMPLATES / name).read_text(encoding="utf-8")
    filled = string.Template(template).substitute(values)
    return filled.encode()


def sketch_files(
    sketch_name: str,
    model_content: bytes,
    cases: GoldenCases,
    arena_size: int,
    arena_comment: str,
    op_build: Build,
) -> Mapping[str, bytes]:
    """Returns the content of a sketch folder by file name.

    Args:
        sketch_name: Name of the folder and of its `.ino` file.
        model_content: Bytes of the `.tflite`.
        cases: What the self-test replays.
        arena_size: Size of the tensor arena, in bytes.
        arena_comment: Where that size comes from; one line.
        op_build: How the ops are compiled.

    Raises:
        ConversionError: If TFLM for Arduino lacks an operator of the model,
            or computes it wrongly.
    """
    model = read_model(model_content)
    require_arduino(model)
    calls = resolver_calls(model, op_build)
    tolerance, comment = 0, "Equal to the last bit."
    if _MEAN in calls:
        tolerance, comment = MEAN_TOLERANCE, _MEAN_COMMENT
    return {
        f"{sketch_name}.ino": render(
            "sketch.ino",
            version=__version__,
            arena_comment=arena_comment,
            arena_size=arena_size,
            num_operators=len(calls),
            add_operators="\n".join(f"  resolver.{call};" for call in calls),
        ),
        "model_data.h": render("model_data.h", model_size=len(model_content)),
        "model_data.cpp": c_arrays.source(
            "model_data.h",
            c_arrays.byte_array("kModelData[kModelSize]", model_content),
        ),
        "golden_data.h": render(
            "golden_data.h",
            num_cases=len(cases.inputs),
            tolerance=tolerance,
            tolerance_comment=comment,
            input_size=cases.inputs.shape[1],
            output_size=cases.outputs.shape[1],
        ),
        "golden_data.cpp": c_arrays.source(
            "golden_data.h",
            _table("kGoldenInputs[kNumCases][kInputSize]", cases.inputs),
            _table("kGoldenOutputs[kNumCases][kOutputSize]", cases.outputs),
        ),
        "self_test.h": render("self_test.h"),
        "self_test.cpp": render("self_test.cpp"),
    }


def _table(declaration: str, rows: np.ndarray) -> str:
    lines = [c_arrays.values(row.tolist()) for row in rows]
    body = ",\n".join("{\n" + text + "}" for text in lines)
    return f"const signed char {declaration} = {{\n{body}}};\n"
