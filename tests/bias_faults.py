"""Faults of storing biases in eight bits."""

from __future__ import annotations

import tiny_models
from faults import Registry, refused
from file_faults import EXAMPLE

from keras_hypertinypw import Interpreter, materialize, narrow_biases
from keras_hypertinypw.bias_narrowing import widen_operators
from keras_hypertinypw.flatbuffer import read_model, write_model

NARROWING = Registry()


def changed(number: int, value: int) -> bytes:
    """A file whose op has another byte in its options."""
    model = read_model(narrow_biases(EXAMPLE.read_bytes()))
    (operator,) = widen_operators(model)
    operator.customOptions = list(operator.customOptions)
    operator.customOptions[number] = value
    return write_model(model)


@NARROWING.fault("a file that is narrow already")
def narrow_already(folder):
    path = folder / "narrow.tflite"
    path.write_bytes(narrow_biases(EXAMPLE.read_bytes()))
    return refused("narrow", path, f"--out={folder}/x.tflite")


@NARROWING.fault("a model without convolutions")
def no_convolutions(folder):
    narrow_biases(tiny_models.build_add_model(output_scale=0.1))


@NARROWING.fault("an op of another version, read")
def another_version(folder):
    materialize(changed(0, 2))


@NARROWING.fault("an op of another version, in TFLM")
def another_version_in_tflm(folder):
    Interpreter(changed(0, 2))


@NARROWING.fault("a shift that no bias has")
def shift_out_of_range(folder):
    materialize(changed(2, 25))
