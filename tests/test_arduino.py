"""What `export_arduino` writes, and what it refuses."""

import configparser
import json
import os
import pathlib
import warnings

import arduino_rules
import dense_models
import pytest
from arduino_exports import MODELS, SKETCH, tiny_model, values_of
from cpp_build import REPOSITORY

from keras_hypertinypw import (
    ConversionError,
    Interpreter,
    arduino,
    cli,
    export_arduino,
    native,
    tflm_resolver,
)
from keras_hypertinypw.arduino import (
    ARENA_ERROR_BYTES,
    ARENA_MARGIN_BYTES,
    NANO_33_BLE_SRAM,
    UNPREDICTED_PERCENT,
)
from keras_hypertinypw.arduino_sketch import TEMPLATES
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.op_builds import BUILDS, MACROS
from keras_hypertinypw.op_insertion import read_specs


def test_arduino_accepts_the_library(exported):
    _, written = exported
    assert arduino_rules.problems_of_library(written.arduino_library) == []


def test_arduino_accepts_the_sketch_and_the_example(exported):
    _, written = exported
    example = written.arduino_library / "examples" / SKETCH
    for sketch in (written.arduino_sketch, example):
        assert arduino_rules.problems_of_sketch(sketch) == []


def test_names_fit_every_system(exported):
    _, written = exported
    assert arduino_rules.problems_of_files(written.arduino_sketch.parent) == []


def test_every_include_is_there(exported):
    _, written = exported
    sources = written.arduino_library / "src"
    for folder in (sources, written.arduino_sketch):
        assert arduino_rules.missing_includes(folder, sources) == []


def test_those_rules_would_notice(tiny_export):
    library = tiny_export.arduino_library
    properties = library / "library.properties"
    text = properties.read_text()
    properties.write_text(text.replace("Data Processing", "Magic"))
    (library / "src/HyperTinyPW.h").unlink()
    found = arduino_rules.problems_of_library(library)
    assert found == ["category", "includes", "header of its name"]
    sketch = tiny_export.arduino_sketch.rename(
        tiny_export.arduino_sketch.with_name("a b")
    )
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
        for path in (written.arduino_library / "src").iterdir()
        if path.name != "HyperTinyPW.h"
    }
    assert copies == originals


def test_the_library_has_the_license_of_the_project(tiny_export):
    expected = (REPOSITORY / "LICENSE").read_bytes()
    assert (tiny_export.arduino_library / "LICENSE").read_bytes() == expected


def test_the_example_is_the_sketch(exported):
    _, written = exported
    example = written.arduino_library / "examples" / SKETCH
    assert {p.name: p.read_bytes() for p in example.iterdir()} == {
        p.name: p.read_bytes() for p in written.arduino_sketch.iterdir()
    }


def test_a_dense_layer_with_several_scales_is_refused(tmp_path):
    content = dense_models.stock_model()
    with pytest.raises(ConversionError, match="reads only the first"):
        export_arduino(content, tmp_path / "out")


def test_the_arena_is_the_prediction_and_a_margin(exported):
    content, written = exported
    needed = predict_arena(content, "arduino").required_bytes
    assert 0 <= written.arena_size - needed - ARENA_MARGIN_BYTES < 16
    assert f"{needed:,} B predicted" in written.arena_comment
    ino = (written.arduino_sketch / f"{SKETCH}.ino").read_text()
    assert f"// {written.arena_comment}\n" in ino
    assert f"kArenaSize = {written.arena_size};" in ino


def test_an_arena_size_is_taken_as_it_is(tmp_path):
    written = export_arduino(tiny_model(), tmp_path / "a", arena_size=20001)
    assert written.arena_size == 20001


def test_what_cannot_be_predicted_is_measured_with_room(tmp_path, monkeypatch):
    def unknown(content, target):
        raise ConversionError("Expected operators whose memory is known.")

    monkeypatch.setattr(arduino, "predict_arena", unknown)
    content = tiny_model()
    written = export_arduino(content, tmp_path / "a")
    with Interpreter(content) as interpreter:
        used = interpreter.arena_used_bytes
    room = written.arena_size - used - ARENA_MARGIN_BYTES
    assert 0 <= room - used * UNPREDICTED_PERCENT / 100 < 16
    assert f"and {UNPREDICTED_PERCENT} % more" in written.arena_comment


@pytest.mark.parametrize("missing, warned", [(0, 0), (1, 1)])
def test_an_arena_without_room_for_errors_is_a_warning(
    missing, warned, tmp_path
):
    content = tiny_model()
    needed = predict_arena(content, "arduino").required_bytes
    size = needed + ARENA_ERROR_BYTES - missing
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_arduino(content, tmp_path / "a", arena_size=size)
    texts = [str(warning.message) for warning in caught]
    assert sum("The sketch may print FAIL" in text for text in texts) == warned


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
    values = values_of(written.arduino_sketch / "model_data.cpp", "kModelData")
    (spec,) = read_specs(bytes(values))
    assert spec.synthesis == synthesis


def test_synthesis_without_a_cached_kernel_is_an_error(tmp_path):
    content = tiny_model(residency="per_invoke")
    with pytest.raises(ConversionError, match="cached kernels"):
        export_arduino(content, tmp_path / "a", synthesis="boot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("op_build", BUILDS)
def test_sources_of_a_build_begin_with_its_macros(op_build, tmp_path):
    written = export_arduino(tiny_model(), tmp_path / "a", op_build=op_build)
    text = "".join(
        f"#define {name} {value}\n" for name, value in MACROS[op_build].items()
    )
    sources = [
        path for path in native.source_dir().iterdir() if path.suffix == ".cc"
    ]
    assert len(sources) > 5
    for path in sources:
        copy = written.arduino_library / "src" / f"{path.stem}.cpp"
        assert copy.read_text() == text + path.read_text()


def test_the_compact_op_is_registered_and_makes_every_kernel_at_boot(tmp_path):
    content = tiny_model(residency="per_invoke")
    with pytest.warns(UserWarning, match="keeps every kernel in the .* 1 of"):
        written = export_arduino(content, tmp_path / "a", op_build="compact")
    ino = (written.arduino_sketch / f"{SKETCH}.ino").read_text()
    assert "hypertinypw::Register_GENERATE_PW_COMPACT());" in ino
    assert "Register_GENERATE_PW()" not in ino
    values = values_of(written.arduino_sketch / "model_data.cpp", "kModelData")
    (spec,) = read_specs(bytes(values))
    assert (spec.residency, spec.synthesis) == ("cached", "boot")
    # For what the compact op keeps, not for what the file said.
    kept = predict_arena(bytes(values), "arduino").required_bytes
    assert written.arena_size > kept
    assert f"{kept:,} B predicted" in written.arena_comment


def test_a_stored_model_has_a_compact_export_too(tmp_path):
    content = MODELS["stored"]()
    written = export_arduino(content, tmp_path / "a", op_build="compact")
    values = values_of(written.arduino_sketch / "model_data.cpp", "kModelData")
    assert bytes(values) == content


@pytest.mark.parametrize("residency", ["cached", "per_invoke"])
@pytest.mark.filterwarnings("ignore:The compact op keeps every kernel")
def test_the_compact_op_may_be_told_what_it_does(residency, tmp_path):
    content = tiny_model(residency=residency)
    for folder, options in (("a", {}), ("b", {"synthesis": "boot"})):
        export_arduino(
            content, tmp_path / folder, op_build="compact", **options
        )
    models = [
        (tmp_path / folder / SKETCH / "model_data.cpp").read_text()
        for folder in "ab"
    ]
    assert models[0] == models[1]


def test_the_compact_op_makes_no_kernel_lazily(tmp_path):
    with pytest.raises(ValueError, match="synthesis='lazy'"):
        export_arduino(
            tiny_model(), tmp_path / "a", op_build="compact", synthesis="lazy"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_build_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="op_build='tiny'"):
        export_arduino(tiny_model(), tmp_path / "a", op_build="tiny")


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
    assert written.arduino_sketch == tmp_path / "a/ecg-1.2"
    assert arduino_rules.problems_of_sketch(written.arduino_sketch) == []


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
    known = tflm_resolver._OPERATORS - {"CONV_2D"}
    monkeypatch.setattr(tflm_resolver, "_OPERATORS", known)
    with pytest.raises(ConversionError, match="Received: CONV_2D"):
        export_arduino(tiny_model(), tmp_path / "a")


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
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    data = config["options.package_data"]["keras_hypertinypw"].split()
    assert f"{TEMPLATES.name}/*" in data
    assert all(path.is_file() for path in TEMPLATES.iterdir())
