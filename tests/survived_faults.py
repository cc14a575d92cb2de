"""Faults that must be survived; each returns what happens instead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from unittest import mock

import file_faults
import numpy as np
import tiny_models
import tiny_training
from faults import Registry
from file_faults import EXAMPLE, tiny_inputs, tiny_model

from keras_hypertinypw import Interpreter, integer, interruption, native
from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.op_insertion import insert_generate_ops
from keras_hypertinypw.spec import CODE_BITS
from keras_hypertinypw.tflm_process import WORKER
from keras_hypertinypw.training import checkpoint_path

SURVIVED = Registry(is_refused=False)
RESIDENCIES = (("cached", "lazy"), ("per_invoke", "lazy"), ("cached", "boot"))


def dense_outputs() -> np.ndarray:
    dense = tiny_model(generated=False)
    with Interpreter(dense, runtime="litert") as oracle:
        return oracle.predict(tiny_inputs())


@SURVIVED.fault("`Reset()` between inferences")
def reset(folder):
    expected = dense_outputs()
    with Interpreter(tiny_model()) as interpreter:
        for sample, output in zip(tiny_inputs(), expected, strict=True):
            np.testing.assert_array_equal(
                interpreter.predict(sample[None]), output[None]
            )
            interpreter.reset()
        assert interpreter.generate_counts == {"layer/kernel": 1}
    return "the same outputs; the kernel is made once"


@SURVIVED.fault("two `Interpreter` objects of one model, in turns")
def two_interpreters(folder):
    expected = dense_outputs()
    with Interpreter(tiny_model()) as one, Interpreter(tiny_model()) as two:
        for sample, output in zip(tiny_inputs(), expected, strict=True):
            for interpreter in (one, two):
                np.testing.assert_array_equal(
                    interpreter.predict(sample[None]), output[None]
                )
            one.reset()
        assert one.generate_count == two.generate_count == 1
    return "the same outputs; each makes its kernel once"


# In TFLM's own process, where they share the registration.
_SCRIPT = """
import sys
import numpy as np
sys.path[:0] = [sys.argv[1]]
import tflm_worker
worker = tflm_worker.Worker(sys.argv[2], lambda: None)
content = open("model.tflite", "rb").read()
inputs, expected = np.load("inputs.npy"), np.load("expected.npy")
interpreters = []
for _ in range(2):
    assert worker.load({"arena_size": 100_000}, content)[0]["status"] == "ok"
    interpreters.append(worker._interpreter)
for sample, output in zip(inputs, expected):
    for interpreter in interpreters:
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        np.testing.assert_array_equal(interpreter.get_output(0)[0], output)
    interpreters[0].reset()
print(worker.ops({}, b"")[0]["counts"])
"""


@SURVIVED.fault("two TFLM interpreters of one model in one process, in turns")
def two_in_one_process(folder):
    (folder / "model.tflite").write_bytes(tiny_model())
    np.save(folder / "inputs.npy", tiny_inputs())
    np.save(folder / "expected.npy", dense_outputs())
    library = native.compiled_library()
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, WORKER.parent, library],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["[1, 1]"], done.stderr[-2000:]
    return "the same outputs; each makes its kernel once"


def run_every_way(size: int, block_size: int, code_bits: int) -> None:
    """Runs a square kernel in TFLM, one layer for each way to keep it."""
    rng = np.random.default_rng(size + code_bits)
    generator = tiny_models.random_generator(
        rng, block_size=block_size, max_code=128 if code_bits == 8 else 15
    )
    specs = [
        tiny_models.random_spec(
            rng,
            generator,
            name=f"{residency}_{synthesis}",
            kernel_shape=(size, 1, 1, size),
            code_bits=code_bits,
            residency=residency,
            synthesis=synthesis,
        )
        for residency, synthesis in RESIDENCIES
    ]
    dense = tiny_models.build_model(specs, generated=False)
    shape = (3, tiny_models.HEIGHT, tiny_models.WIDTH, size)
    inputs = rng.integers(-128, 128, shape).astype(np.int8)
    with Interpreter(dense, runtime="litert") as oracle:
        expected = oracle.predict(inputs)
    with Interpreter(insert_generate_ops(dense, specs)) as interpreter:
        np.testing.assert_array_equal(interpreter.predict(inputs), expected)
        kernels, counts = interpreter.kernels, interpreter.generate_counts
    assert list(counts.values()) == [1, len(inputs), 1]
    for kernel, spec in zip(kernels, specs, strict=True):
        np.testing.assert_array_equal(kernel, integer.synthesize(spec))


_EVERY = "at 1, 2, 4 and 8 bits, cached, at boot and per inference"


@SURVIVED.fault(f"kernels of 1x1 weights, {_EVERY}")
def one_weight(folder):
    for code_bits in CODE_BITS:
        run_every_way(1, 1, code_bits)
    return "kernels as integer.py defines them, outputs as the dense model's"


@SURVIVED.fault(f"kernels of 512x512 weights, {_EVERY}")
def many_weights(folder):
    for code_bits in CODE_BITS:
        run_every_way(512, 64, code_bits)
    return "kernels as integer.py defines them, outputs as the dense model's"


@SURVIVED.fault("the smallest arena that TFLM loads a model in")
def smallest_arena(folder):
    content = EXAMPLE.read_bytes()
    needed = file_faults.smallest_arena(content)
    with Interpreter(content, arena_size=needed) as interpreter:
        shape = (5, *interpreter.input_shape[1:])
        inputs = np.random.default_rng(3).integers(-128, 128, shape)
        outputs = interpreter.predict(inputs.astype(np.int8))
    with Interpreter(content) as roomy:
        expected = roomy.predict(inputs.astype(np.int8))
    np.testing.assert_array_equal(outputs, expected)
    return f"the example runs in {needed:,} B as in any larger arena"


@SURVIVED.fault("Ctrl-C in a training, and the same call again")
def resume(folder):
    uninterrupted = tiny_training.run(folder / "one")

    def stop_after_two(self, path):
        save(self, path)
        if len(self.records) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    save = Checkpoint.save
    other = folder / "other"
    with (
        interruption.noted(),
        mock.patch.object(Checkpoint, "save", stop_after_two),
    ):
        try:
            tiny_training.run(other)
        except KeyboardInterrupt:
            pass
    assert len(Checkpoint.load(checkpoint_path(other, "float")).records) == 2
    tiny_training.require_same(tiny_training.run(other), uninterrupted)
    return "no finished epoch runs again; the same history and weights"
