"""Faults of packing kernels into four bits."""

from __future__ import annotations

import keras_models
import numpy as np
import tf_keras as keras
import tiny_models
from faults import ROOT, Registry, refused
from file_faults import EXAMPLE

from keras_hypertinypw import Interpreter, pack_int4, quantize_model
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.int4_kernels import find_kernels

PACKING = Registry()
STORED = ROOT / "examples/mitdb/stored.tflite"


def int4(folder, *arguments, model=STORED) -> str:
    return refused("int4", model, f"--out={folder}/x.tflite", *arguments)


@PACKING.fault("a layer that is not there")
def unknown_layer(folder):
    return int4(folder, "--layers", "stem", "pointwise_9")


@PACKING.fault("a layer whose kernel is generated")
def generated_layer(folder):
    return int4(folder, "--layers", "pointwise_1", model=EXAMPLE)


@PACKING.fault("a model without kernels")
def no_kernels(folder):
    pack_int4(tiny_models.build_add_model(output_scale=0.1))


@PACKING.fault("inputs of another shape")
def input_shape(folder):
    np.save(folder / "x.npy", np.zeros((9, 7)))
    return int4(folder, f"--inputs={folder}/x.npy")


@PACKING.fault("inputs that are not there")
def missing_inputs(folder):
    return int4(folder, f"--inputs={folder}/x.npy")


@PACKING.fault("no inputs at all")
def no_inputs(folder):
    with Interpreter(STORED.read_bytes()) as interpreter:
        shape = (0, *interpreter.input_shape[1:])
    np.save(folder / "x.npy", np.zeros(shape))
    return int4(folder, f"--inputs={folder}/x.npy")


@PACKING.fault("a packed kernel of too few bytes")
def short_kernel(folder):
    model = read_model(pack_int4(STORED.read_bytes()))
    kernel = next(iter(find_kernels(model).values()))
    buffer = model.buffers[kernel.tensor.buffer]
    buffer.data = buffer.data[:-1]
    Interpreter(write_model(model))


@PACKING.fault("kernels of three bits, to `quantize_model`")
def three_bits(folder):
    model = keras_models.image_model(keras_models.generator())
    quantize_model(model, kernel_bits=3)


@PACKING.fault("kernels of eight bits with one step, to `quantize_model`")
def one_step_of_eight_bits(folder):
    model = keras_models.image_model(keras_models.generator())
    quantize_model(model, kernel_per_channel=False)


@PACKING.fault("kernels of four bits before a ReLU that is no ReLU6")
def another_relu(folder):
    inputs = keras.Input((8, 3))
    x = keras.layers.Conv1D(4, 1, name="conv")(inputs)
    model = keras.Model(inputs, keras.layers.ReLU(max_value=3.0)(x))
    quantize_model(model, kernel_bits=4)


@PACKING.fault("kernels of three bits, to `train`")
def train_three_bits(folder):
    return refused("train", "--kernel_bits=3", f"--out={folder}")


@PACKING.fault("kernels of eight bits with one step, to `train`")
def train_one_step_of_eight_bits(folder):
    options = ("--kernel_bits=8", "--no-kernel_per_channel")
    return refused("train", *options, f"--out={folder}")
