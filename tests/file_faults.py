"""Faults in `.tflite` files, and in how they are run."""

from __future__ import annotations

import functools
import os
import pathlib
import re
import signal
from unittest import mock

import numpy as np
import tiny_models
from ai_edge_litert import schema_py_generated as schema
from faults import Registry, refused

from keras_hypertinypw import Interpreter, native, tflm_process, verify
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import insert_generate_ops

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
EXAMPLE = EXAMPLES / "generated.tflite"

FILES = Registry()
RUNNING = Registry()


@functools.cache
def tiny_spec():
    rng = np.random.default_rng(7)
    generator = tiny_models.random_generator(rng)
    return tiny_models.random_spec(rng, generator, name="layer", code_bits=4)


@functools.cache
def tiny_model(**damage) -> bytes:
    return tiny_models.build_model([tiny_spec()], **damage)


@functools.cache
def tiny_inputs() -> np.ndarray:
    rng = np.random.default_rng(8)
    return rng.integers(-128, 128, (5, 4, 4, 12)).astype(np.int8)


def blob(position: int, value: int) -> bytes:
    """Returns the generator with one byte changed."""
    damaged = bytearray(tiny_spec().generator.to_bytes())
    damaged[position] ^= value
    return bytes(damaged)


def verify_file(folder, content: bytes) -> str:
    (folder / "model.tflite").write_bytes(content)
    return refused("verify", folder / "model.tflite")


@FILES.fault("a file that is not there")
def missing(folder):
    return refused("verify", folder / "model.tflite")


@FILES.fault("a folder in the place of a file")
def a_folder(folder):
    return refused("footprint", folder)


@FILES.fault("an empty file")
def empty(folder):
    return verify_file(folder, b"")


@FILES.fault("a text file")
def text(folder):
    return verify_file(folder, b"Not a model, but some text.\n" * 20)


@FILES.fault("a file that was cut off")
def truncated(folder):
    return verify_file(folder, EXAMPLE.read_bytes()[:5000])


@FILES.fault("a damaged generator, to TFLM")
def damaged_generator(folder):
    Interpreter(tiny_model(blob=blob(-1, 1)))


@FILES.fault("a damaged generator, to `verify`")
def damaged_generator_to_verify(folder):
    return verify_file(folder, tiny_model(blob=blob(-1, 1)))


@FILES.fault("a generator of a version from the future, to TFLM")
def future_generator(folder):
    Interpreter(tiny_model(blob=blob(0, 3)))


@FILES.fault("a generator of a version from the future, to `verify`")
def future_generator_to_verify(folder):
    return verify_file(folder, tiny_model(blob=blob(0, 3)))


@FILES.fault("an op of a version from the future, to TFLM")
def future_op(folder):
    options = bytearray(tiny_spec().options_to_bytes())
    options[0] = 2
    Interpreter(tiny_model(options=bytes(options)))


@FILES.fault("an op of a version from the future, to `verify`")
def future_op_to_verify(folder):
    options = bytearray(tiny_spec().options_to_bytes())
    options[0] = 2
    return verify_file(folder, tiny_model(options=bytes(options)))


@FILES.fault("codes that are a byte too short, to TFLM")
def short_codes(folder):
    Interpreter(tiny_model(codes=tiny_spec().codes_to_bytes()[:-1]))


@FILES.fault("codes that are a byte too short, to `verify`")
def short_codes_to_verify(folder):
    codes = tiny_spec().codes_to_bytes()[:-1]
    return verify_file(folder, tiny_model(codes=codes))


def retyped(name: str, tensor_type: int) -> bytes:
    model = read_model(tiny_model())
    for tensor in model.subgraphs[0].tensors:
        if tensor.name.decode() == name:
            tensor.type = tensor_type
    return write_model(model)


@FILES.fault("codes of a wrong type, to TFLM")
def codes_type(folder):
    Interpreter(retyped("layer/codes", schema.TensorType.INT8))


@FILES.fault("codes of a wrong type, to `verify`")
def codes_type_to_verify(folder):
    return verify_file(folder, retyped("layer/codes", schema.TensorType.INT8))


@FILES.fault("a kernel of a wrong type, to TFLM")
def kernel_type(folder):
    Interpreter(retyped("layer/kernel", schema.TensorType.INT16))


@FILES.fault("a kernel of a wrong type, to `verify`")
def kernel_type_to_verify(folder):
    return verify_file(folder, retyped("layer/kernel", schema.TensorType.INT16))


@FILES.fault("a bias that does not fill its shape")
def short_bias(folder):
    Interpreter(tiny_model(short_bias=True))


@FILES.fault("a spec whose kernel is not the dense model's")
def another_kernel(folder):
    rng = np.random.default_rng(9)
    other = tiny_models.random_spec(
        rng, tiny_spec().generator, name="layer", code_bits=4
    )
    insert_generate_ops(tiny_model(generated=False), [other])


@RUNNING.fault("an arena one byte too small")
def small_arena(folder):
    needed = smallest_arena(tiny_model())
    Interpreter(tiny_model(), arena_size=needed - 1)


def smallest_arena(content: bytes) -> int:
    """Reads from the error how many bytes it takes."""
    try:
        Interpreter(content, arena_size=1000)
    except ValueError as error:
        return int(re.findall(r"at least (\d+) bytes", str(error))[0])
    raise AssertionError("1,000 B of arena were enough.")


@RUNNING.fault("`arena_size` below 1")
def no_arena(folder):
    Interpreter(tiny_model(), arena_size=0)


@RUNNING.fault("an unknown runtime")
def unknown_runtime(folder):
    Interpreter(tiny_model(), runtime="tpu")


@RUNNING.fault("GeneratePW in desktop TensorFlow Lite")
def litert(folder):
    Interpreter(tiny_model(), runtime="litert")


@RUNNING.fault("inputs of another shape")
def input_shape(folder):
    with Interpreter(tiny_model()) as interpreter:
        interpreter.predict(tiny_inputs()[:, :3])


@RUNNING.fault("inputs of another type")
def input_type(folder):
    with Interpreter(tiny_model()) as interpreter:
        interpreter.predict(tiny_inputs().astype(np.int64))


@RUNNING.fault("NaN in the inputs")
def nan_inputs(folder):
    with Interpreter(tiny_model()) as interpreter:
        interpreter.predict(np.full((2, 4, 4, 12), np.nan, np.float32))


@RUNNING.fault("`kernels` before the first `predict`")
def kernels_too_early(folder):
    with Interpreter(tiny_model()) as interpreter:
        _ = interpreter.kernels


@RUNNING.fault("an interpreter that was closed")
def closed(folder):
    interpreter = Interpreter(tiny_model())
    interpreter.close()
    interpreter.predict(tiny_inputs())


@RUNNING.fault("a model that aborts TFLM")
def abort(folder):
    Interpreter(tiny_models.build_add_model(output_scale=1e-15))


@RUNNING.fault("a TFLM process that is killed")
def killed(folder):
    with Interpreter(tiny_model()) as interpreter:
        os.kill(interpreter._backend._process._process.pid, signal.SIGKILL)
        interpreter.predict(tiny_inputs())


@RUNNING.fault("a TFLM process that hangs")
def hangs(folder):
    with (
        Interpreter(tiny_model()) as interpreter,
        mock.patch.object(tflm_process, "SILENCE_SECONDS", 0.2),
    ):
        os.kill(interpreter._backend._process._process.pid, signal.SIGSTOP)
        interpreter.predict(tiny_inputs())


@RUNNING.fault("no C++ compiler")
def no_compiler(folder):
    with mock.patch.dict(os.environ, {"PATH": str(folder), "CXX": ""}):
        native.find_compiler()


@RUNNING.fault("outputs that hardly vary, to `verify`")
def constant_outputs(folder):
    rng = np.random.default_rng(1)
    generator = tiny_models.random_generator(rng, block_size=1)
    spec = tiny_models.random_spec(rng, generator, kernel_shape=(1, 1, 1, 1))
    verify(tiny_models.build_model([spec]))
