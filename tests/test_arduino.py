"""What `export_arduino` writes: accepted by Arduino, compiled, and replayed."""

import json
import os
import pathlib
import re
import subprocess

import arduino_rules
import numpy as np
import pytest
import tiny_models
from cpp_build import (
    CORTEX_M4,
    REPOSITORY,
    STRICT,
    arm_tool,
    host_compiler,
    run,
    xmos_runtime,
)

from keras_hypertinypw import (
    ConversionError,
    Interpreter,
    cli,
    export_arduino,
    native,
)
from keras_hypertinypw.arduino import ARENA_MARGIN_PERCENT, NANO_33_BLE_SRAM
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.golden_cases import golden_cases
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.tflm_resolver import known_operators

EXAMPLES = REPOSITORY / "examples/mitdb"
STUB = REPOSITORY / "tests/arduino_stub"
SKETCH = "hypertinypw"
NAMESPACE = "-Dtflite=tflite_micro"  # Renamed in these headers.


def tiny_model(**options) -> bytes:
    rng = np.random.default_rng(4)
    generator = tiny_models.random_generator(rng)
    return tiny_models.build_model(
        [tiny_models.random_spec(rng, generator, **options)]
    )


MODELS = {
    "generated": (EXAMPLES / "generated.tflite").read_bytes,
    "stored": (EXAMPLES / "stored.tflite").read_bytes,
    "tiny": tiny_model,
}


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """Content of a model, and what was written for it."""
    folder = tmp_path_factory.mktemp("arduino") / request.param
    content = MODELS[request.param]()
    return content, export_arduino(content, folder)


@pytest.fixture
def tiny_export(tmp_path):
    return export_arduino(tiny_model(), tmp_path / "out")


def values_of(path, name):
    """Returns the numbers of an array in a C++ source."""
    body = path.read_text().split(f" {name}[", 1)[1].split(";", 1)[0]
    return [int(x) for x in re.findall(r"-?\d+", body.split("=", 1)[1])]


def test_arduino_accepts_the_library(exported):
    _, written = exported
    assert arduino_rules.problems_of_library(written.library) == []


def test_arduino_accepts_the_sketch_and_the_example(exported):
    _, written = exported
    example = written.library / "examples" / SKETCH
    for sketch in (written.sketch, example):
        assert arduino_rules.problems_of_sketch(sketch) == []


def test_names_fit_every_system(exported):
    _, written = exported
    assert arduino_rules.problems_of_files(written.sketch.parent) == []


def test_every_include_is_there(exported):
    _, written = exported
    sources = written.library / "src"
    for folder in (sources, written.sketch):
        assert arduino_rules.missing_includes(folder, sources) == []


def test_those_rules_would_notice(tiny_export):
    library = tiny_export.library
    properties = library / "library.properties"
    text = properties.read_text()
    properties.write_text(text.replace("Data Processing", "Magic"))
    (library / "src/HyperTinyPW.h").unlink()
    found = arduino_rules.problems_of_library(library)
    assert found == ["category", "includes", "header of its name"]
    sketch = tiny_export.sketch.rename(tiny_export.sketch.with_name("a b"))
    assert arduino_rules.problems_of_sketch(sketch) == ["name", "main file"]
    assert "a b" in arduino_rules.problems_of_files(sketch.parent)
    assert arduino_rules.missing_includes(sketch) == [
        "hypertinypw.ino: HyperTinyPW.h"
    ]


def test_the_library_has_the_sources_of_the_op(exported):
    _, written = exported
    originals = {
        path.name.replace(".cc", ".cpp"): path.read_bytes()
        for path in native.source_dir().iterdir()
        if path.suffix in (".h", ".cc")
    }
    copies = {
        path.name: path.read_bytes()
        for path in (written.library / "src").iterdir()
        if path.name != "HyperTinyPW.h"
    }
    assert copies == originals


def test_the_library_has_the_license_of_the_project(tiny_export):
    expected = (REPOSITORY / "LICENSE").read_bytes()
    assert (tiny_export.library / "LICENSE").read_bytes() == expected


def test_the_example_is_the_sketch(exported):
    _, written = exported
    example = written.library / "examples" / SKETCH
    assert {p.name: p.read_bytes() for p in example.iterdir()} == {
        p.name: p.read_bytes() for p in written.sketch.iterdir()
    }


def test_the_array_is_the_model(exported):
    content, written = exported
    values = values_of(written.sketch / "model_data.cpp", "kModelData")
    assert bytes(values) == content


def test_golden_outputs_are_what_tflm_computes(exported):
    content, written = exported
    path = written.sketch / "golden_data.cpp"
    with Interpreter(content) as interpreter:
        shape = (-1, *interpreter.input_shape[1:])
        inputs = np.array(values_of(path, "kGoldenInputs"), np.int8)
        outputs = interpreter.predict(inputs.reshape(shape))
    assert values_of(path, "kGoldenOutputs") == outputs.reshape(-1).tolist()
    assert len(np.unique(outputs)) > 4


def test_the_resolver_has_exactly_the_operators():
    content = MODELS["generated"]()
    with Interpreter(content):  # It is a model that runs.
        pass
    from keras_hypertinypw.flatbuffer import read_model
    from keras_hypertinypw.tflm_resolver import resolver_calls

    calls = resolver_calls(read_model(content))
    names = [call.split("(")[0] for call in calls]
    assert names == [
        "AddConv2D",
        "AddCustom",
        "AddDepthwiseConv2D",
        "AddFullyConnected",
        "AddMean",
        "AddReshape",
    ]


def test_tflm_has_every_method_that_a_sketch_may_call():
    header = "include/tensorflow/lite/micro/micro_mutable_op_resolver.h"
    text = (xmos_runtime() / header).read_text()
    defined = dict(
        reversed(pair)
        for pair in re.findall(
            r"TfLiteStatus (Add\w+)\([^{]*\{\s*return AddBuiltin\("
            r"\s*BuiltinOperator_(\w+)",
            text,
        )
    )
    ours = known_operators()
    assert len(ours) == 94
    assert ours.items() <= defined.items()


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
                *(f"-I{STUB}", f"-I{written.library / 'src'}"),
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
    sources = sorted((tiny_export.library / "src").glob("*.cpp"))
    sources.append(tiny_export.sketch / "self_test.cpp")
    sizes = compile_for_board(tiny_export, sources, tmp_path)
    assert set(sizes) == {path.name for path in sources}
    # All of it is in flash.
    assert {size["data"] for size in sizes.values()} == {0}


def test_the_sketch_compiles_for_the_board(exported, tmp_path):
    _, written = exported
    sources = [
        path
        for path in sorted(written.sketch.iterdir())
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


def test_the_model_lies_at_a_multiple_of_16(tiny_export, tmp_path):
    source = tiny_export.sketch / "model_data.cpp"
    compile_for_board(tiny_export, [source], tmp_path)
    sections = run(
        [arm_tool("readelf"), "-SW", tmp_path / "model_data.cpp.o"]
    ).splitlines()
    (constants,) = [line for line in sections if " .rodata" in line]
    assert constants.split()[-1] == "16"


def run_on_host(written, tmp_path, fault):
    """Compiles the sketch around a fake interpreter; returns what it prints."""
    program = tmp_path / "sketch"
    run(
        [
            *(host_compiler(), *STRICT, f"-DFAULT={fault}"),
            *(f"-I{STUB}", f"-I{STUB / 'fake_tflm'}", f"-I{written.sketch}"),
            f"-I{written.library / 'src'}",
            *("-include", "Arduino.h", "-x", "c++", STUB / "main.cc"),
            *sorted(written.sketch.glob("*.ino")),
            *sorted(written.sketch.glob("*.cpp")),
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
    assert "  values that differ: 1\n" in printed


def test_the_arena_is_the_prediction_and_a_margin(exported):
    content, written = exported
    needed = predict_arena(content, "board").required_bytes
    margin = written.arena_size / needed - 1
    assert abs(margin - ARENA_MARGIN_PERCENT / 100) < 16 / needed
    assert f"{needed} B predicted" in written.arena_comment
    ino = (written.sketch / f"{SKETCH}.ino").read_text()
    assert f"// {written.arena_comment}\n" in ino
    assert f"kArenaSize = {written.arena_size};" in ino


def test_an_arena_size_is_taken_as_it_is(tmp_path):
    written = export_arduino(tiny_model(), tmp_path / "a", arena_size=20001)
    assert written.arena_size == 20001


@pytest.mark.parametrize(
    "size, text", [(100, "smaller than"), (NANO_33_BLE_SRAM + 1, "not fit")]
)
def test_an_arena_that_cannot_work_is_a_warning(size, text, tmp_path):
    with pytest.warns(UserWarning, match=text):
        export_arduino(tiny_model(), tmp_path / "a", arena_size=size)


@pytest.mark.parametrize("synthesis", ["lazy", "boot"])
def test_the_model_of_the_sketch_has_the_synthesis_asked_for(
    synthesis, tmp_path
):
    other = {"lazy": "boot", "boot": "lazy"}[synthesis]
    content = tiny_model(synthesis=other)
    written = export_arduino(content, tmp_path / "a", synthesis=synthesis)
    values = values_of(written.sketch / "model_data.cpp", "kModelData")
    (spec,) = read_specs(bytes(values))
    assert spec.synthesis == synthesis


def test_synthesis_without_a_cached_kernel_is_an_error(tmp_path):
    content = tiny_model(residency="per_invoke")
    with pytest.raises(ConversionError, match="cached kernels"):
        export_arduino(content, tmp_path / "a", synthesis="boot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["", "a b", "é", "../x", "a/b", ".a", "a.", "-a", "tools", "Libraries"]
    + ["a" * 64, "a;b", "a\n"],
)
def test_a_sketch_name_that_arduino_refuses_is_an_error(name, tmp_path):
    with pytest.raises(ValueError, match="sketch_name"):
        export_arduino(tiny_model(), tmp_path / "a", sketch_name=name)


def test_the_sketch_has_the_name_asked_for(tmp_path):
    written = export_arduino(
        tiny_model(), tmp_path / "a", sketch_name="ecg-1.2"
    )
    assert written.sketch == tmp_path / "a/ecg-1.2"
    assert arduino_rules.problems_of_sketch(written.sketch) == []


def test_a_folder_with_something_in_it_stays_what_it_is(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(FileExistsError, match="Choose another"):
        export_arduino(tiny_model(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_an_empty_folder_is_filled(tmp_path):
    export_arduino(tiny_model(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {SKETCH, "libraries"}


def test_an_interrupted_export_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(source, target):
        if pathlib.Path(target) == tmp_path / "out":
            raise KeyboardInterrupt
        return os.rename(source, target)

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_arduino(tiny_model(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_tflm_lacks_is_named(tmp_path, monkeypatch):
    from keras_hypertinypw import tflm_resolver

    known = tflm_resolver._OPERATORS - {"CONV_2D"}
    monkeypatch.setattr(tflm_resolver, "_OPERATORS", known)
    with pytest.raises(ConversionError, match="Received: CONV_2D"):
        export_arduino(tiny_model(), tmp_path / "a")


def test_a_large_input_gets_fewer_cases(monkeypatch):
    from keras_hypertinypw import golden_cases as module

    monkeypatch.setattr(module, "MAX_BYTES", 1)
    assert len(golden_cases(tiny_model()).inputs) == module.MIN_CASES


def test_the_command_prints_what_it_wrote(tmp_path, capsys):
    model = tmp_path / "model.tflite"
    model.write_bytes(tiny_model())
    arguments = ["export_arduino", str(model), f"--out={tmp_path}/a", "--json"]
    assert cli.main(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert pathlib.Path(record["sketch"], f"{SKETCH}.ino").is_file()
    assert record["model_size"] == len(tiny_model())


def test_the_command_refuses_a_folder_that_is_there(tmp_path, capsys):
    model = tmp_path / "model.tflite"
    model.write_bytes(tiny_model())
    assert cli.main(["export_arduino", str(model), f"--out={tmp_path}"]) == 2
    assert "Choose another one" in capsys.readouterr().err


def test_the_templates_are_installed():
    setup = (REPOSITORY / "setup.cfg").read_text()
    assert "    arduino_files/*\n" in setup
    tracked = subprocess.check_output(
        ["git", "ls-files", "keras_hypertinypw/arduino_files"],
        cwd=REPOSITORY,
        text=True,
    )
    assert len(tracked.split()) == 10
