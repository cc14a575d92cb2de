import gc
import os
import pathlib
import re
import signal

import numpy as np
import pytest
import tiny_models

from keras_hypertinypw import flatbuffer, integer, tflm_process
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"


@pytest.fixture(scope="module")
def interpreter(tiny_model):
    with Interpreter(tiny_model) as interpreter:
        yield interpreter


def child_of(interpreter: Interpreter) -> int:
    return interpreter._backend._process._process.pid


def test_generated_equals_dense_in_both_runtimes(
    interpreter, tiny_dense_model, tiny_inputs
):
    outputs = interpreter.predict(tiny_inputs)
    assert outputs.dtype == np.int8
    assert len(np.unique(outputs)) >= 50
    for runtime in ("tflm", "litert"):
        with Interpreter(tiny_dense_model, runtime=runtime) as dense:
            expected = dense.predict(tiny_inputs)
        np.testing.assert_array_equal(outputs, expected)


def test_counts_follow_residency_and_synthesis(tiny_model, tiny_inputs):
    with Interpreter(tiny_model) as interpreter:
        counts = {"lazy/kernel": 0, "fresh/kernel": 0, "boot/kernel": 1}
        assert interpreter.generate_counts == counts
        first = interpreter.predict(tiny_inputs)
        interpreter.reset()
        second = interpreter.predict(tiny_inputs)
        np.testing.assert_array_equal(first, second)
        counts = {"lazy/kernel": 1, "fresh/kernel": 40, "boot/kernel": 1}
        assert interpreter.generate_counts == counts
        assert interpreter.generate_count == 40
        interpreter.reset_generate_counts()
        interpreter.predict(tiny_inputs[:3])
        counts = {"lazy/kernel": 0, "fresh/kernel": 3, "boot/kernel": 0}
        assert interpreter.generate_counts == counts


def test_second_predict_reuses_the_cached_kernel(tiny_specs, tiny_inputs):
    with Interpreter(tiny_models.build_model(tiny_specs[:1])) as interpreter:
        first = interpreter.predict(tiny_inputs)
        second = interpreter.predict(tiny_inputs)
        np.testing.assert_array_equal(first, second)
        assert interpreter.generate_count == 1


def test_kernels_equal_integer_synthesis(interpreter, tiny_specs, tiny_inputs):
    interpreter.predict(tiny_inputs)
    kernels = interpreter.kernels
    for kernel, spec in zip(kernels, tiny_specs, strict=True):
        expected = integer.synthesize(spec)
        assert len(np.unique(expected)) > 20
        np.testing.assert_array_equal(kernel, expected)


def test_lazy_kernels_need_a_predict(tiny_model):
    with Interpreter(tiny_model) as interpreter:
        with pytest.raises(ValueError, match="'lazy/kernel'.*`predict`"):
            _ = interpreter.kernels


def test_cached_kernels_and_state_are_what_the_arena_grows_by(
    interpreter, tiny_specs, tiny_dense_model
):
    cached = sum(
        spec.num_weights for spec in tiny_specs if spec.residency == "cached"
    )
    with Interpreter(tiny_dense_model) as dense:
        growth = interpreter.arena_used_bytes - dense.arena_used_bytes
    # Three more nodes and seven more tensors with their bookkeeping.
    assert cached < growth < cached + 1024


def test_float_input_is_quantized_and_output_dequantized(
    interpreter, tiny_inputs
):
    real = (tiny_inputs.astype(np.float32) - tiny_models.INPUT_ZERO_POINT) * (
        np.float32(tiny_models.INPUT_SCALE)
    )
    outputs = interpreter.predict(real)
    steps = interpreter.predict(tiny_inputs).astype(np.float32)
    expected = (steps - tiny_models.OUTPUT_ZERO_POINT) * np.float32(
        tiny_models.OUTPUT_SCALE
    )
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(outputs, expected)


def test_float_input_saturates(interpreter, tiny_inputs):
    huge = np.full(tiny_inputs[:1].shape, 1e9, np.float32)
    largest = np.full(tiny_inputs[:1].shape, 127, np.int8)
    steps = interpreter.predict(largest).astype(np.float32)
    expected = (steps - tiny_models.OUTPUT_ZERO_POINT) * np.float32(
        tiny_models.OUTPUT_SCALE
    )
    np.testing.assert_array_equal(interpreter.predict(huge), expected)


@pytest.mark.parametrize("runtime", ["tflm", "litert"])
def test_an_empty_batch_gives_an_empty_batch(
    tiny_dense_model, tiny_inputs, runtime
):
    with Interpreter(tiny_dense_model, runtime=runtime) as dense:
        assert dense.predict(tiny_inputs[:0]).shape == (0, 4, 4, 32)


def test_predict_error_names_the_expected_shape(interpreter, tiny_inputs):
    with pytest.raises(
        ValueError, match=r"\(num_samples, 4, 4, 12\).*Received"
    ):
        interpreter.predict(tiny_inputs[0])


def test_predict_error_names_the_expected_type(interpreter, tiny_inputs):
    with pytest.raises(ValueError, match="int8.*Received: dtype=int64"):
        interpreter.predict(tiny_inputs.astype(np.int64))


@pytest.mark.parametrize("arena_size", [1, 600, 2000])
def test_an_arena_too_small_is_a_clear_error(tiny_model, arena_size):
    with pytest.raises(ConversionError, match=f"arena_size={arena_size}"):
        Interpreter(tiny_model, arena_size=arena_size)


def example(name):
    return lambda tiny_model: (EXAMPLES / name).read_bytes()


@pytest.mark.parametrize(
    "content_of",
    [lambda tiny: tiny, example("generated.tflite"), example("stored.tflite")],
    ids=["tiny", "generated", "stored"],
)
def test_the_arena_that_the_error_names_is_the_smallest(tiny_model, content_of):
    content = content_of(tiny_model)
    needed = named_arena_size(content, 1000)
    with Interpreter(content) as roomy:
        shape = (10, *roomy.input_shape[1:])
        inputs = np.random.default_rng(3).integers(-128, 128, shape)
        expected = roomy.predict(inputs.astype(np.int8))
    with Interpreter(content, arena_size=needed) as interpreter:
        outputs = interpreter.predict(inputs.astype(np.int8))
    np.testing.assert_array_equal(outputs, expected)
    assert len(np.unique(outputs)) > 20
    assert named_arena_size(content, needed - 1) == needed


def named_arena_size(content: bytes, too_small: int) -> int:
    with pytest.raises(ConversionError) as error:
        Interpreter(content, arena_size=too_small)
    return int(re.findall(r"at least (\d+) bytes", str(error.value))[0])


def test_an_arena_large_enough_is_used(tiny_model, tiny_inputs, interpreter):
    size = interpreter.arena_used_bytes + 1024
    with Interpreter(tiny_model, arena_size=size) as other:
        np.testing.assert_array_equal(
            other.predict(tiny_inputs), interpreter.predict(tiny_inputs)
        )


@pytest.mark.parametrize("arena_size", [0, -1])
def test_arena_size_error(tiny_model, arena_size):
    with pytest.raises(ValueError, match="`arena_size`"):
        Interpreter(tiny_model, arena_size=arena_size)


def test_the_arena_grows_until_the_tensors_fit(tiny_model, monkeypatch):
    monkeypatch.setattr(tflm_process, "_ARENA_SIZES", (1, 1000, 20000))
    with Interpreter(tiny_model) as interpreter:
        assert interpreter.arena_used_bytes > 1000


def test_runtime_error(tiny_model):
    with pytest.raises(ValueError, match="Received: runtime='tpu'"):
        Interpreter(tiny_model, runtime="tpu")


@pytest.mark.parametrize("damage", ["empty", "garbage", "half", "cut"])
@pytest.mark.parametrize("runtime", ["tflm", "litert"])
def test_a_damaged_file_is_an_error(tiny_model, runtime, damage):
    content = {
        "empty": b"",
        "garbage": bytes(range(256)) * 8,
        "half": tiny_model[: len(tiny_model) // 2],
        "cut": tiny_model[:-64],
    }[damage]
    with pytest.raises(ConversionError):
        Interpreter(content, runtime=runtime)


def test_a_kernel_that_a_reset_would_clear_is_an_error(tiny_model):
    model = flatbuffer.read_model(tiny_model)
    graph = model.subgraphs[0]
    flatbuffer.find_tensor(graph, "lazy/kernel").isVariable = True
    with pytest.raises(ConversionError, match="only source.*a variable"):
        Interpreter(flatbuffer.write_model(model))


def test_a_constant_that_does_not_fill_its_shape_is_an_error(tiny_specs):
    spec = tiny_specs[0]
    model = tiny_models.build_model([spec], short_bias=True)
    with pytest.raises(ConversionError, match="lazy/bias"):
        Interpreter(model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": b"\1\2\0\0\2\0\0\0"}, "reserved bits"),
        ({"options": b"\1\2\0"}, "8 bytes"),
        ({"codes": b"\0"}, "codes' size"),
        ({"blob": bytes(64)}, "unknown version"),
    ],
)
def test_what_the_op_refuses_reaches_the_user(tiny_specs, changes, message):
    model = tiny_models.build_model(tiny_specs[:1], **changes)
    with pytest.raises(ConversionError, match=f"GeneratePW: .*{message}"):
        Interpreter(model)


def test_litert_says_to_materialize(tiny_model):
    with pytest.raises(ConversionError, match="materialize"):
        Interpreter(tiny_model, runtime="litert")


def test_litert_has_no_arena_and_no_ops(tiny_dense_model):
    with Interpreter(tiny_dense_model, runtime="litert") as dense:
        assert dense.arena_used_bytes is None
        assert dense.generate_counts == {}
        assert dense.generate_count == 0
        assert dense.kernels == []


def test_a_model_that_aborts_the_wheel_is_a_clear_error():
    # TFLM checks that ADD's multipliers are below 1.
    model = tiny_models.build_add_model(output_scale=1e-15)
    with pytest.raises(ConversionError, match="died .SIGABRT. at 'load'"):
        Interpreter(model)


def test_a_killed_child_is_a_clear_error_and_no_zombie(tiny_model, tiny_inputs):
    interpreter = Interpreter(tiny_model)
    child = child_of(interpreter)
    os.kill(child, signal.SIGKILL)
    with pytest.raises(ConversionError, match="died .SIGKILL. at 'predict'"):
        interpreter.predict(tiny_inputs)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    with pytest.raises(RuntimeError, match="closed"):
        interpreter.predict(tiny_inputs)


def test_a_silent_child_times_out(tiny_model, tiny_inputs, monkeypatch):
    interpreter = Interpreter(tiny_model)
    monkeypatch.setattr(tflm_process, "SILENCE_SECONDS", 0.2)
    os.kill(child_of(interpreter), signal.SIGSTOP)
    with pytest.raises(TimeoutError, match="nothing for 0.2 s"):
        interpreter.predict(tiny_inputs)


def test_ctrl_c_in_the_terminal_does_not_reach_the_child(interpreter):
    assert os.getsid(child_of(interpreter)) != os.getsid(0)


def test_the_context_manager_ends_the_child(tiny_model):
    with Interpreter(tiny_model) as interpreter:
        child = child_of(interpreter)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    interpreter.close()


def test_a_forgotten_interpreter_ends_its_child(tiny_model):
    interpreter = Interpreter(tiny_model)
    child = child_of(interpreter)
    del interpreter
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_wheel_prints_nothing_of_ours(tiny_model, tiny_inputs, capfd):
    with Interpreter(tiny_model) as interpreter:
        interpreter.predict(tiny_inputs)
        assert interpreter.arena_used_bytes
    assert capfd.readouterr() == ("", "")


def test_a_missing_symbol_is_a_clear_error(tiny_model, monkeypatch, tmp_path):
    """As with a wheel of another layout: the registration refuses."""
    script = tmp_path / "tflm_worker.py"
    source = tflm_process.WORKER.read_text()
    promotion = "_runtime.__file__, ctypes.RTLD_GLOBAL"
    assert source.count(promotion) == 1
    script.write_text(source.replace(promotion, "_runtime.__file__"))
    monkeypatch.setattr(tflm_process, "WORKER", script)
    with pytest.raises(ConversionError, match="does not export what the op"):
        Interpreter(tiny_model)
