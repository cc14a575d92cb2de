"""Whole models in TFLM's interpreter.

The library is not in the repository. Without it: the firmware compiles with
TFLM's headers, and what is wrong is said.
"""

import os
import pathlib

import board
import board_interpreter
import board_tflm
import numpy as np
import pytest
from board_interpreter import MODELS
from cpp_build import REPOSITORY, arm_tool, run, xmos_runtime

from keras_hypertinypw import materialize
from keras_hypertinypw.golden_cases import GoldenCases

# In these headers the namespace is renamed, and what TFLM's build defines is
# broken.
RENAMED = ("-Dtflite=tflite_micro", "-UTF_LITE_STATIC_MEMORY")
QUICK = ("-O0", "-fmax-errors=1")
CASES = GoldenCases(np.zeros((2, 4), np.int8), np.ones((2, 3), np.int8), 0)


@pytest.fixture
def includes():
    folders = (
        xmos_runtime() / "include",
        REPOSITORY / "tests/arduino_stub/gemmlowp",
    )
    return ":".join(map(str, folders))


@pytest.fixture
def library(tmp_path):
    """One with nothing in it."""
    path = tmp_path / "libtensorflow-microlite.a"
    run([arm_tool("ar"), "rc", path])
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "build"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "op", [(), (board.COMPACT_FLAG,)], ids=["usual", "compact"]
)
def test_the_firmware_compiles_and_what_the_library_lacks_is_named(
    includes, library, folder, op
):
    tflm = board_tflm.find_tflm(str(library), includes)
    flags = (*RENAMED, *QUICK, *op)
    with pytest.raises(ValueError, match="to link") as raised:
        board_tflm.build(folder, MODELS[0].read_bytes(), tflm, flags=flags)
    text = str(raised.value)
    assert str(library) in text and "undefined reference to `" in text
    assert "TARGET_ARCH=cortex-m4+fp" in text
    assert "\n" not in text


def test_headers_of_something_else_are_named(includes, library, folder):
    tflm = board_tflm.find_tflm(str(library), includes)
    with pytest.raises(ValueError, match="TFLM_INCLUDE .* error: "):
        board_tflm.build(folder, MODELS[0].read_bytes(), tflm, flags=QUICK)


@pytest.mark.parametrize("name", ["", "missing.a", "."])
def test_a_library_that_is_not_there_is_an_error(name):
    with pytest.raises(ValueError, match=f"TFLM_LIB .* '{name}'"):
        board_tflm.find_tflm(name, ".")


@pytest.mark.parametrize(
    "include, text",
    [
        ("", "folders that exist"),
        (".:missing", "Received: 'missing'"),
        (".", "Expected tensorflow/lite/micro/micro_interpreter.h"),
    ],
)
def test_headers_that_are_not_there_are_an_error(include, text, library):
    with pytest.raises(ValueError, match=text):
        board_tflm.find_tflm(str(library), include)


def make_checkout(folder, *absent):
    """Makes empty headers where TFLM's own build has them."""
    downloads = "tensorflow/lite/micro/tools/make/downloads"
    first, second, third, fourth = board_tflm.HEADERS
    headers = (
        *(first, second, f"{downloads}/flatbuffers/include/{third}"),
        f"{downloads}/gemmlowp/{fourth}",
    )
    for header in headers:
        path = folder / header
        if path.name not in absent:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def test_a_checkout_that_was_built_in_is_enough(folder, library):
    make_checkout(folder)
    found = board_tflm.find_tflm(str(library), str(folder))
    assert [path.name for path in found.includes] == [
        *("build", "include", "gemmlowp")
    ]


def test_a_checkout_before_its_build_lacks_headers(folder, library):
    make_checkout(folder, "flatbuffers.h")
    with pytest.raises(ValueError, match="Expected flatbuffers/flatbuffers.h"):
        board_tflm.find_tflm(str(library), str(folder))


def test_the_command_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setenv("TFLM_LIB", "missing.a")
    with pytest.raises(SystemExit) as raised:
        board_interpreter.main([])
    assert raised.value.code == 2
    assert "Received: 'missing.a'" in capsys.readouterr().err


PRINTED = "1 900 0\n1 700 3\n1 500 0\n1 500 0\n1024\n"


def run_printed(printed, tmp_path, monkeypatch):
    """Reads what a program would print."""
    monkeypatch.setattr(board, "run", lambda *_: printed)
    program = tmp_path / "interpreter.elf"
    return board_interpreter.run(program, b"model", CASES)


def test_what_the_program_prints_is_read(tmp_path, monkeypatch):
    found = run_printed(PRINTED, tmp_path, monkeypatch)
    assert found.allocation.instructions == 900
    assert [step.syntheses for step in found.inferences] == [3, 0, 0]
    assert found.arena_used_bytes == 1024


def test_a_wrong_output_is_an_error(tmp_path, monkeypatch):
    printed = PRINTED.replace("1 500", "0 500", 1)
    with pytest.raises(RuntimeError, match=r"at inferences \[1\] of 3"):
        run_printed(printed, tmp_path, monkeypatch)


def test_the_table_has_the_relative_errors(tmp_path, monkeypatch):
    counted = run_printed(PRINTED, tmp_path, monkeypatch)
    found = board_interpreter.Comparison(counted, None).rows()
    assert found["arena in use, B"] == "1,024"
    assert found["arena in use, B, predicted"] == "-"
    content = MODELS[0].read_bytes()
    predicted = board_interpreter.device_footprint(content)
    rows = board_interpreter.Comparison(counted, predicted).rows()
    error = predicted.board.used_bytes / 1024 - 1
    expected = f"{predicted.board.used_bytes:,} ({error:+.2%})"
    assert rows["arena in use, B, predicted"] == expected
    assert rows["syntheses, step by step"] == "0 + 3 + 0 + 0"


if "TFLM_LIB" in os.environ:
    # The cost model knows neither what the interpreter does between the ops,
    # nor what TFLM's build checks in a MEAN.
    MAX_INSTRUCTIONS_ERROR = 0.03

    @pytest.fixture(scope="module")
    def measured():
        tflm = board_tflm.find_tflm(
            os.environ["TFLM_LIB"], os.environ.get("TFLM_INCLUDE", "")
        )
        return lambda content: board_interpreter.measure(content, tflm)

    @pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
    def test_a_whole_model_is_what_is_predicted(model: pathlib.Path, measured):
        found = measured(model.read_bytes())
        first, _, later = found.run.inferences
        predicted = found.predicted
        assert found.run.arena_used_bytes == predicted.board.used_bytes
        assert [first.instructions, later.instructions] == pytest.approx(
            [predicted.first_instructions, predicted.steady_instructions],
            rel=MAX_INSTRUCTIONS_ERROR,
        )

    def test_the_steady_state_is_that_of_stored_kernels(measured):
        content = MODELS[0].read_bytes()
        generated, stored = (
            measured(content).run,
            measured(materialize(content)).run,
        )
        made = [step.syntheses for step in generated.inferences]
        assert made == [3, 0, 0]
        later, expected = (
            run.inferences[2].instructions for run in (generated, stored)
        )
        assert later == pytest.approx(expected, rel=0.005)
