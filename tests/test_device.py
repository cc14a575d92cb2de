import dataclasses
import json

import arena_models
import pytest

from keras_hypertinypw import cli, cost_model, device
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.cost_model import (
    inference_instructions,
    synthesis_instructions,
)
from keras_hypertinypw.device import NOT_MEASURED, device_footprint
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import (
    generate_operators,
    read_spec,
    read_specs,
)


@pytest.fixture(scope="module")
def content():
    return arena_models.example()


def synthesis(content):
    return sum(map(synthesis_instructions, read_specs(content)))


def at_boot(content):
    model = read_model(content)
    for operator in generate_operators(model):
        spec = dataclasses.replace(read_spec(model, operator), synthesis="boot")
        operator.customOptions = list(spec.options_to_bytes())
    return write_model(model)


def test_cached_kernels_cost_the_first_inference_only(content):
    found = device_footprint(content)
    steady = inference_instructions(content)
    assert found.steady_instructions == steady
    assert found.first_instructions == steady + synthesis(content)


def test_kernels_of_boot_cost_no_inference(content):
    found = device_footprint(at_boot(content))
    assert found.first_instructions == found.steady_instructions


def test_kernels_made_per_invoke_cost_every_inference(content):
    content = arena_models.with_residency(content, "per_invoke")
    found = device_footprint(content)
    assert found.steady_instructions == found.first_instructions
    steady = inference_instructions(content)
    assert found.steady_instructions == steady + synthesis(content)


def test_arenas_are_those_of_the_prediction(content):
    found = device_footprint(content)
    assert found.host == predict_arena(content, "host")
    assert found.board == predict_arena(content, "board")


def write_errors(monkeypatch, tmp_path, errors):
    values = json.loads(cost_model.COEFFICIENTS.read_text())
    values.pop("errors", None)
    path = tmp_path / "coefficients.json"
    path.write_text(json.dumps({**values, **errors}))
    monkeypatch.setattr(cost_model, "COEFFICIENTS", path)


def test_the_error_of_the_cost_model_is_printed(content, monkeypatch, tmp_path):
    errors = {"errors": {"conv": 0.031, "depthwise": 0.0125}}
    write_errors(monkeypatch, tmp_path, errors)
    last = str(device_footprint(content)).splitlines()[-1]
    assert last.split()[-1] == "3.1%"


def test_an_error_that_nobody_measured_is_no_number(
    content, monkeypatch, tmp_path
):
    write_errors(monkeypatch, tmp_path, {})
    last = str(device_footprint(content)).splitlines()[-1]
    assert last.endswith(NOT_MEASURED)


def test_the_table_prints_every_part(content):
    found = device_footprint(content)
    text = str(found)
    for name, host, board in found.arena_rows():
        row = [line for line in text.splitlines() if line.startswith(name)]
        assert row[0].split()[-2:] == [f"{host:,}", f"{board:,}"]
    assert f"{found.steady_instructions:,}" in text


def test_the_dictionary_survives_json(content):
    found = device_footprint(content)
    record = json.loads(json.dumps(found.to_dict()))
    assert record["board"]["used_bytes"] == found.board.used_bytes
    assert record["first_instructions"] == found.first_instructions


def test_a_model_that_cannot_be_predicted_is_still_counted(
    content, tmp_path, monkeypatch, capsys
):
    def refuse(content):
        raise ConversionError("Expected known operators. Received: COS.")

    monkeypatch.setattr(device, "device_footprint", refuse)
    page = tmp_path / "page.html"
    path = tmp_path / "unknown.tflite"
    path.write_bytes(content)
    assert cli.main(["footprint", str(path), f"--report={page}"]) == 0
    printed = capsys.readouterr().out
    assert f"{len(content):,}" in printed
    assert "none. Expected known operators. Received: COS." in printed
    assert "Not predicted" in page.read_text(encoding="utf-8")
