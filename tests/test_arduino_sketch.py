"""The exported sketch: its data, compiled for the board, replayed here."""

import json

import numpy as np
import pytest
from arduino_exports import MODELS, SKETCH, values_of
from cpp_build import (
    CORTEX_M4,
    REPOSITORY,
    STRICT,
    arm_tool,
    host_compiler,
    run,
    xmos_runtime,
)

from keras_hypertinypw import Interpreter, export_arduino
from keras_hypertinypw.arduino_sketch import MEAN_TOLERANCE

STUB = REPOSITORY / "tests/arduino_stub"
NAMESPACE = "-Dtflite=tflite_micro"  # Renamed in these headers.


def test_the_array_is_the_model(exported):
    content, written = exported
    values = values_of(written.arduino_sketch / "model_data.cpp", "kModelData")
    assert bytes(values) == content


def test_golden_outputs_are_what_tflm_computes(exported):
    content, written = exported
    path = written.arduino_sketch / "golden_data.cpp"
    with Interpreter(content) as interpreter:
        shape = (-1, *interpreter.input_shape[1:])
        inputs = np.array(values_of(path, "kGoldenInputs"), np.int8)
        outputs = interpreter.predict(inputs.reshape(shape))
    assert values_of(path, "kGoldenOutputs") == outputs.reshape(-1).tolist()
    assert len(np.unique(outputs)) > 4


def compile_for_board(written, sources, output):
    """Compiles sources; returns sections and bytes of the objects by name."""
    sizes = {}
    for source in sources:
        target = output / f"{source.name}.o"
        # Without TF_LITE_STATIC_MEMORY, which the Arduino IDE does not define.
        run(
            [
                *(arm_tool("g++"), *CORTEX_M4, *STRICT),
                # Arduino's cores have none either.
                "-fno-threadsafe-statics",
                *(f"-I{STUB}", f"-I{written.arduino_library / 'src'}"),
                *("-isystem", xmos_runtime() / "include", NAMESPACE),
                *("-isystem", STUB / "gemmlowp"),
                # As the Arduino IDE puts it in front of a sketch.
                *("-include", "Arduino.h", "-x", "c++", "-c", source),
                *("-o", target),
            ]
        )
        columns = run([arm_tool("size"), target]).splitlines()[1].split()
        names = ("text", "data", "bss")
        sizes[source.name] = dict(
            zip(names, map(int, columns[:3]), strict=True)
        )
    print(json.dumps(sizes))  # `pytest -s` shows it.
    return sizes


def test_what_all_sketches_share_compiles_for_the_board(tiny_export, tmp_path):
    sources = sorted((tiny_export.arduino_library / "src").glob("*.cpp"))
    sources.append(tiny_export.arduino_sketch / "self_test.cpp")
    sizes = compile_for_board(tiny_export, sources, tmp_path)
    assert set(sizes) == {path.name for path in sources}
    # All of it is in flash.
    assert {size["data"] for size in sizes.values()} == {0}


def test_the_sketch_compiles_for_the_board(exported, tmp_path):
    _, written = exported
    sources = [
        path
        for path in sorted(written.arduino_sketch.iterdir())
        if path.suffix in (".cpp", ".ino") and path.stem != "self_test"
    ]
    sizes = compile_for_board(written, sources, tmp_path)
    # Constants are in flash, the arena in SRAM.
    in_flash = {"text": written.model_size, "data": 0, "bss": 0}
    assert sizes["model_data.cpp"] == in_flash
    assert sizes["golden_data.cpp"] == {
        **in_flash,
        "text": written.golden_size,
    }
    assert written.arena_size <= sizes[f"{SKETCH}.ino"]["bss"]


def test_the_smallest_build_compiles_for_the_board(tmp_path):
    content = MODELS["generated"]()
    usual, compact = (
        export_arduino(content, tmp_path / build, op_build=build)
        for build in ("fastest", "compact")
    )

    def sizes(written):
        library = written.arduino_library / "src"
        sources = [
            *library.glob("*.cpp"),
            *written.arduino_sketch.glob("*.ino"),
        ]
        return compile_for_board(written, sorted(sources), tmp_path)

    before, after = sizes(usual), sizes(compact)
    op, widen = "generate_pw_compact_op.cpp", "widen_bias_op.cpp"
    # It checks nothing anyway.
    assert after[op] == before[op]
    usual_op = sum(
        size["text"]
        for name, size in before.items()
        if name.startswith("generate_pw") and name != op
    )
    assert after[op]["text"] < usual_op / 4
    assert after[widen]["text"] < before[widen]["text"]


def test_the_model_lies_at_a_multiple_of_16(tiny_export, tmp_path):
    source = tiny_export.arduino_sketch / "model_data.cpp"
    compile_for_board(tiny_export, [source], tmp_path)
    sections = run(
        [arm_tool("readelf"), "-SW", tmp_path / "model_data.cpp.o"]
    ).splitlines()
    (constants,) = [line for line in sections if " .rodata" in line]
    assert constants.split()[-1] == "16"


def run_on_host(written, tmp_path, fault, step=1):
    """Compiles the sketch around a fake interpreter; returns what it prints."""
    program = tmp_path / "sketch"
    run(
        [
            *(host_compiler(), *STRICT, f"-DFAULT={fault}", f"-DSTEP={step}"),
            *(
                f"-I{STUB}",
                f"-I{STUB / 'fake_tflm'}",
                f"-I{written.arduino_sketch}",
            ),
            f"-I{written.arduino_library / 'src'}",
            *("-include", "Arduino.h", "-x", "c++", STUB / "main.cc"),
            *sorted(written.arduino_sketch.glob("*.ino")),
            *sorted(written.arduino_sketch.glob("*.cpp")),
            *("-o", program),
        ]
    )
    return run([program])


def test_the_sketch_passes_where_outputs_are_right(exported, tmp_path):
    _, written = exported
    lines = run_on_host(written, tmp_path, 0).splitlines()
    count = written.num_cases
    expected = [f"case {i + 1}: PASS" for i in range(count)]
    assert lines[2 : 2 + count] == expected
    assert lines[0] == "AllocateTensors: 1000 us"
    assert lines[1] == f"arena in use: {written.arena_size} B"
    times = ["first Invoke: 1000 us", "latest Invoke: 1000 us"]
    assert lines[2 + count :] == [*times, "PASS"]


def test_the_sketch_of_the_compact_op_passes(tmp_path):
    content = MODELS["generated"]()
    written = export_arduino(content, tmp_path / "out", op_build="compact")
    assert run_on_host(written, tmp_path, 0).endswith("\nPASS\n")


FAULTS = {
    1: "FAIL: AllocateTensors; a larger kArenaSize may help",
    2: "FAIL: Invoke",
    3: "FAIL: outputs differ",
    4: "FAIL: types or sizes of input and output",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sketch_fails_where_something_is_wrong(
    fault, tiny_export, tmp_path
):
    lines = run_on_host(tiny_export, tmp_path, fault).splitlines()
    assert lines[-2:] == [FAULTS[fault], "FAIL"]


def test_one_wrong_value_of_one_case_is_seen(tiny_export, tmp_path):
    printed = run_on_host(tiny_export, tmp_path, 3)
    assert printed.count(": PASS") == tiny_export.num_cases - 1
    assert "  largest difference: 1\n" in printed


@pytest.mark.parametrize("model", ["generated", "tiny"])
def test_only_a_mean_may_differ(model, tmp_path):
    written = export_arduino(MODELS[model](), tmp_path / "out")
    header = (written.arduino_sketch / "golden_data.h").read_text()
    tolerance = MEAN_TOLERANCE if model == "generated" else 0
    assert f"kTolerance = {tolerance};" in header


@pytest.mark.parametrize("step, verdict", [(2, "PASS"), (3, "FAIL")])
def test_a_mean_may_differ_by_its_tolerance(step, verdict, tmp_path):
    written = export_arduino(MODELS["stored"](), tmp_path / "out")
    assert MEAN_TOLERANCE == 2
    printed = run_on_host(written, tmp_path, 3, step)
    assert f"  largest difference: {step}\n" in printed
    assert printed.splitlines()[-1] == verdict
