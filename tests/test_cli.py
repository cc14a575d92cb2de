"""The command line: exit status, JSON, messages, files."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from cli_runs import EXAMPLE, run_json, run_process

from keras_hypertinypw import cli, commands, html_report
from keras_hypertinypw.verification import NUM_INVOKES

COMMANDS = (
    "demo",
    "train",
    "fit",
    "reproduce",
    "convert",
    "evaluate",
    "footprint",
    "verify",
    "materialize",
    "int4",
    "narrow",
    "slim",
    "share",
    "patch",
    "export_arduino",
)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and stdout of a short training on synthetic beats."""
    out = tmp_path_factory.mktemp("run")
    result = run_process(
        "train",
        *("--dataset=synthetic", f"--out={out}", "--width=16", "--code_bits=4"),
        *("--float_epochs=2", "--quantized_epochs=1", "--json"),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return out, result


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "--json" in text and len(text) > 200


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["verify"], ["train", "--width=wide"]]
)
def test_bad_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        *("verify", "footprint", "evaluate", "materialize", "int4", "narrow"),
        "slim",
    ],
)
def test_a_truncated_file_is_one_clear_error(command, tmp_path, capsys):
    path = tmp_path / "short.tflite"
    path.write_bytes(EXAMPLE.read_bytes()[:5000])
    out = str(tmp_path / "o")
    extra = {
        "materialize": ["--out", out],
        "int4": ["--out", out],
        "narrow": ["--out", out],
        "slim": [out],
    }.get(command, [])
    assert cli.main([command, str(path), *extra]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Expected" in error and "Received" in error
    assert not (tmp_path / "o").exists()


def test_a_missing_file_is_named(capsys):
    assert cli.main(["verify", "nowhere.tflite"]) == 2
    assert "nowhere.tflite" in capsys.readouterr().err


def test_train_writes_model_result_and_picture(finished_run):
    out, result = finished_run
    record = json.loads(result.stdout.splitlines()[-1])
    assert record == json.loads((out / "result.json").read_text())
    assert record["verification"]["identical"]
    assert (out / "result.png").read_bytes().startswith(b"\x89PNG")
    size = (out / "model.tflite").stat().st_size
    assert record["footprint"]["flash_bytes"] == size
    assert record["command"].startswith("hypertinypw train --dataset=synthetic")
    assert "step" in result.stderr  # Progress.


def test_stderr_holds_progress_and_nothing_else(finished_run):
    _, result = finished_run
    ours = r"(Starting TensorFlow|float|quantized|Converting|TFLM, \w+): "
    assert result.stderr
    for line in result.stderr.splitlines():
        assert re.match(ours, line), line


def test_train_writes_the_report_of_its_result(finished_run):
    out, _ = finished_run
    result = json.loads((out / "result.json").read_text())
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page == html_report.run_page(result)
    assert set(result["kernel_errors"]) == {
        "pointwise_0",
        "pointwise_1",
        "pointwise_2",
        "pointwise_3",
    }


def test_a_finished_training_is_not_repeated(finished_run):
    out, result = finished_run
    again = run_process(*json.loads(result.stdout)["command"].split()[1:])
    assert again.returncode == 0
    assert json.loads(again.stdout)["test"] == json.loads(result.stdout)["test"]
    assert "float:" not in again.stderr


def test_convert_repeats_the_file_of_a_run(finished_run, tmp_path):
    out, _ = finished_run
    path = tmp_path / "again.tflite"
    # A process of its own, where tfmot numbers its layers from the start.
    result = run_process("convert", str(out), "--out", str(path))
    assert result.returncode == 0, result.stderr[-3000:]
    assert path.read_bytes() == (out / "model.tflite").read_bytes()


def test_convert_keeps_to_an_arena_budget(finished_run, tmp_path, capsys):
    out, result = finished_run
    arena = json.loads(result.stdout)["footprint"]["arena_bytes"]
    path = tmp_path / "smaller.tflite"
    flag = f"--arena_budget={arena - 1}"
    status, _ = run_json(capsys, "convert", str(out), f"--out={path}", flag)
    assert status == 0
    _, record = run_json(capsys, "footprint", str(path))
    assert record["arena_bytes"] < arena
    assert record["device"]["host"]["used_bytes"] == record["arena_bytes"]
    assert record["device"]["host"]["required_bytes"] < arena


def test_convert_says_what_an_arena_budget_came_to(
    finished_run, tmp_path, capsys
):
    out, _ = finished_run
    path = tmp_path / "roomy.tflite"
    arguments = ["convert", str(out), f"--out={path}", "--arena_budget=99999"]
    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    assert "4 of 4 kernels stay there" in text
    needed = int(re.search(r"arena of ([\d,]+) B", text)[1].replace(",", ""))
    assert 0 < needed <= 99999


def test_evaluate_repeats_the_scores_of_a_run(finished_run, capsys):
    out, result = finished_run
    status, record = run_json(
        capsys, "evaluate", str(out / "model.tflite"), "--dataset=synthetic"
    )
    assert status == 0
    expected = json.loads(result.stdout)
    assert record.pop("dataset") == "synthetic"
    assert record.pop("arena_bytes") == expected["footprint"]["arena_bytes"]
    assert record == expected["test"]


def test_convert_takes_a_float_keras_file(tmp_path, capsys):
    import tf_keras as keras

    from keras_hypertinypw import WeightGenerator
    from keras_hypertinypw.models import ecg_network

    path, data = tmp_path / "float.keras", tmp_path / "inputs.npy"
    keras.utils.set_random_seed(1)
    model = ecg_network((64, 3), 4, width=16, generator=WeightGenerator())
    model.save(path)
    rng = np.random.default_rng(0)
    np.save(data, rng.normal(size=(200, 64, 3)).astype(np.float32))
    out = tmp_path / "model.tflite"
    arguments = ["convert", str(path), "--out", str(out)]
    assert cli.main(arguments) == 2
    assert "--calibration_data" in capsys.readouterr().err
    arguments += ["--calibration_data", str(data)]
    assert cli.main(arguments) == 0, capsys.readouterr().err
    assert b"GeneratePW" in out.read_bytes()


def test_convert_refuses_a_folder_without_training(tmp_path, capsys):
    assert cli.main(["convert", str(tmp_path), "--out", "x.tflite"]) == 2
    assert "hypertinypw train" in capsys.readouterr().err


def test_train_without_data_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("HYPERTINYPW_DATA", raising=False)
    status = cli.main(["train", "--dataset=mitdb", f"--out={tmp_path}"])
    assert status == 2
    error = capsys.readouterr().err
    assert "data_dir" in error and "HYPERTINYPW_DATA" in error


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("--width=1", "width"),
        ("--width=0", "width"),
        ("--float_epochs=0", "float_epochs"),
        ("--quantized_epochs=-2", "quantized_epochs"),
        ("--code_bits=3", "code_bits"),
        ("--block_size=100000", "block_size"),
    ],
)
def test_a_bad_number_is_one_line_that_names_the_flag(
    flag, name, tmp_path, capsys
):
    out = tmp_path / "out"
    assert cli.main(["train", flag, f"--out={out}"]) == 2
    error = capsys.readouterr().err
    assert f"`{name}`" in error and "Received" in error
    assert "Traceback" not in error
    assert not (out / "config.json").exists()


def test_convert_refuses_a_config_it_cannot_read(
    finished_run, tmp_path, capsys
):
    out, _ = finished_run
    copy = tmp_path / "copy"
    (copy / "checkpoints").mkdir(parents=True)
    (copy / "checkpoints/quantized.npz").write_bytes(b"")
    (copy / "config.json").write_text('{"width": 16}')
    assert cli.main(["convert", str(copy), "--out", "x.tflite"]) == 2
    assert "config.json" in capsys.readouterr().err


def test_convert_refuses_several_arrays(tmp_path, capsys):
    (tmp_path / "m.keras").write_bytes(b"no archive")
    np.savez(tmp_path / "two.npz", a=np.zeros(3), b=np.zeros(3))
    status = cli.main(
        [
            *("convert", str(tmp_path / "m.keras"), "--out", "x.tflite"),
            *("--calibration_data", str(tmp_path / "two.npz")),
        ]
    )
    assert status == 2
    assert "numpy.save" in capsys.readouterr().err


def test_convert_refuses_a_keras_3_file(tmp_path, capsys):
    script = (
        "import keras\n"
        "i = keras.Input((8, 2))\n"
        "keras.Model(i, keras.layers.Conv1D(3, 1)(i)).save('k3.keras')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    np.save(tmp_path / "x.npy", np.ones((4, 8, 2)))
    status = cli.main(
        [
            *("convert", str(tmp_path / "k3.keras"), "--out", "x.tflite"),
            *("--calibration_data", str(tmp_path / "x.npy")),
        ]
    )
    assert status == 2
    assert "Keras 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "every_time"),
    [("--residency=per_invoke", True), ("--synthesis=boot", False)],
)
def test_residency_and_synthesis_can_be_chosen(
    finished_run, flag, every_time, tmp_path, capsys
):
    out, _ = finished_run
    path = tmp_path / "model.tflite"
    arguments = ["convert", str(out), "--out", str(path), flag]
    assert cli.main(arguments) == 0
    capsys.readouterr()
    status, record = run_json(capsys, "verify", str(path))
    assert status == 0
    # More inputs are drawn where outputs hardly vary, as a training may end.
    count = NUM_INVOKES * record["num_inputs"] if every_time else 1
    assert set(record["generate_counts"].values()) == {count}


def test_boot_synthesis_needs_cached_kernels(finished_run, tmp_path, capsys):
    out, _ = finished_run
    arguments = ["convert", str(out), "--out", str(tmp_path / "m.tflite")]
    flags = ["--residency=per_invoke", "--synthesis=boot"]
    assert cli.main([*arguments, *flags]) == 2
    assert "residency" in capsys.readouterr().err


def test_an_interruption_says_how_to_continue(capsys, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_read", interrupt)
    assert cli.main(["verify", str(EXAMPLE)]) == 130
    assert "same command" in capsys.readouterr().err
