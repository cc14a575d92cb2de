"""The command line: exit status, JSON, messages, files."""

import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_hypertinypw import cli, commands, html_report, pack_int4, slim
from keras_hypertinypw.datasets import synthetic

EXAMPLE = (
    pathlib.Path(__file__).resolve().parent.parent
    / "examples/mitdb/generated.tflite"
)
COMMANDS = (
    "demo",
    "train",
    "convert",
    "evaluate",
    "footprint",
    "verify",
    "materialize",
    "int4",
    "slim",
    "share",
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


def run_process(*arguments):
    """Runs the command as a user would, in a process of its own."""
    command = [sys.executable, "-m", "keras_hypertinypw", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def run_json(capsys, *arguments):
    status = cli.main([*arguments, "--json"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return status, json.loads(lines[0])


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


def test_verify_compares_and_counts(capsys):
    status, record = run_json(capsys, "verify", str(EXAMPLE))
    assert status == 0
    assert record["identical"]
    assert record["num_values"] >= 1000 and record["num_distinct"] >= 50
    assert set(record["generate_counts"].values()) == {1}
    assert len(record["generate_counts"]) == record["num_kernels"] == 3


def test_verify_prints_its_verdict(capsys):
    assert cli.main(["verify", str(EXAMPLE)]) == 0
    assert capsys.readouterr().out.startswith("identical\n")


def test_a_negative_result_exits_with_1(capsys, monkeypatch):
    from keras_hypertinypw import verification

    # The dense twin computes with one changed weight.
    materialize = verification.materialize

    def damaged(content, **options):
        dense = bytearray(materialize(content, **options))
        spec = verification.read_specs(content)[0]
        data = verification.integer.synthesize(spec).tobytes()
        dense[dense.index(data)] ^= 0x40
        return bytes(dense)

    monkeypatch.setattr(verification, "materialize", damaged)
    status, record = run_json(capsys, "verify", str(EXAMPLE))
    assert status == 1
    assert not record["identical"] and record["num_differences"] > 0


@pytest.mark.parametrize(
    "command",
    ["verify", "footprint", "evaluate", "materialize", "int4", "slim"],
)
def test_a_truncated_file_is_one_clear_error(command, tmp_path, capsys):
    path = tmp_path / "short.tflite"
    path.write_bytes(EXAMPLE.read_bytes()[:5000])
    out = str(tmp_path / "o")
    extra = {
        "materialize": ["--out", out],
        "int4": ["--out", out],
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


def test_a_model_without_generated_kernels_is_refused_by_verify(
    tmp_path, capsys
):
    stored = EXAMPLE.with_name("stored.tflite")
    assert cli.main(["verify", str(stored)]) == 2
    assert "GeneratePW" in capsys.readouterr().err


def test_footprint_parts_add_up(capsys):
    status, record = run_json(capsys, "footprint", str(EXAMPLE))
    assert status == 0
    assert sum(record["by_part"].values()) == EXAMPLE.stat().st_size
    assert record["cached_kernel_bytes"] == 3 * 64 * 64
    assert record["arena_bytes"] > record["cached_kernel_bytes"]


def test_materialize_writes_a_plain_file(tmp_path, capsys):
    out = tmp_path / "plain.tflite"
    status, record = run_json(
        capsys, "materialize", str(EXAMPLE), "--out", str(out)
    )
    assert status == 0
    content = out.read_bytes()
    assert record["num_bytes"] == len(content)
    assert b"GeneratePW" not in content


STORED = EXAMPLE.with_name("stored.tflite")


def int4(capsys, out, *arguments):
    status, record = run_json(
        capsys, "int4", str(STORED), f"--out={out}", *arguments
    )
    assert status == 0
    assert record["num_bytes"] == out.stat().st_size
    assert record["num_bytes_before"] == STORED.stat().st_size
    return record


def test_int4_packs_and_says_how_outputs_differ(tmp_path, capsys):
    record = int4(capsys, tmp_path / "packed.tflite")
    assert record["cost"]["inputs"] == "random"
    assert record["cost"]["num_differences"] > 0
    assert record["num_bytes"] < record["num_bytes_before"] - 8000


def test_int4_packs_the_layers_that_are_named(tmp_path, capsys):
    np.save(tmp_path / "x.npy", np.zeros((3, 256, 3), np.float32))
    out = tmp_path / "packed.tflite"
    arguments = ("--layers", "stem", "logits", f"--inputs={tmp_path}/x.npy")
    record = int4(capsys, out, *arguments)
    cost = record["cost"]
    assert (cost["inputs"], cost["num_inputs"]) == ("given", 3)
    layers = ["stem", "logits"]
    assert out.read_bytes() == pack_int4(STORED.read_bytes(), layers=layers)


def test_int4_scores_both_files_on_a_data_set(tmp_path, capsys, monkeypatch):
    load = functools.partial(synthetic.load, beats_per_patient=20)
    monkeypatch.setattr(synthetic, "load", lambda split, **_: load(split))
    arguments = ("--dataset=synthetic",)
    before, after = int4(capsys, tmp_path / "x.tflite", *arguments)[
        "cost"
    ].values()
    assert before["num_beats"] == after["num_beats"] > 0
    assert before["metrics"] != after["metrics"]


def test_footprint_says_what_int4_means_for_its_figures(tmp_path, capsys):
    path = tmp_path / "packed.tflite"
    path.write_bytes(pack_int4(STORED.read_bytes()))
    _, record = run_json(capsys, "footprint", str(path))
    device = record["device"]
    assert device["num_int4_kernels"] == 10
    assert device["host"]["used_bytes"] == record["arena_bytes"]
    # The largest kernel, unpacked.
    assert device["host"]["scratch"] == 64 * 64 > device["board"]["scratch"]
    report = tmp_path / "report.html"
    arguments = ["footprint", str(path), "--report", str(report)]
    assert cli.main(arguments) == 0
    note = "Kernels of four bits: 10. The reference kernels"
    assert note in capsys.readouterr().out
    assert note in report.read_text(encoding="utf-8")
    assert cli.main(["footprint", str(STORED)]) == 0
    assert "four bits" not in capsys.readouterr().out


def test_slim_writes_what_it_compared(tmp_path, capsys):
    out = tmp_path / "slim.tflite"
    status, record = run_json(capsys, "slim", str(EXAMPLE), str(out))
    assert status == 0
    assert record["num_bytes"] == record["bytes_after"] == out.stat().st_size
    assert record["bytes_before"] == EXAMPLE.stat().st_size
    assert record["comparison"]["num_values"]["TFLM"] > 0
    assert out.read_bytes() == slim(EXAMPLE.read_bytes(), verify=False)


def test_slim_reports_every_kind_of_byte(tmp_path, capsys):
    out = tmp_path / "slim.tflite"
    arguments = ["slim", str(EXAMPLE), str(out), "--report", "--desktop"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"Wrote {out}, {out.stat().st_size:,} B." in printed
    for text in ("zero points", "values compared in LiteRT", "left: "):
        assert text in printed


def test_share_writes_models_and_one_generator(tmp_path, capsys):
    slimmed, out = tmp_path / "slim.tflite", tmp_path / "out"
    slimmed.write_bytes(slim(EXAMPLE.read_bytes()))
    status, record = run_json(
        capsys, "share", str(EXAMPLE), str(slimmed), f"--out={out}"
    )
    assert status == 0
    names = [EXAMPLE.name, slimmed.name]
    generator = out / "generator.bin"
    sizes = {name: (out / name).stat().st_size for name in names}
    assert record["models"] == sizes
    assert record["generator_bytes"] == generator.stat().st_size
    assert record["num_bytes"] == sum(sizes.values()) + len(
        generator.read_bytes()
    )
    before = EXAMPLE.stat().st_size + slimmed.stat().st_size
    assert record["num_bytes"] < record["num_bytes_before"] == before


@pytest.fixture
def shared(tmp_path):
    """A model without its generator, and the flag that names that."""
    out = tmp_path / "shared"
    assert cli.main(["share", str(EXAMPLE), f"--out={out}"]) == 0
    return out / EXAMPLE.name, f"--generator={out / 'generator.bin'}"


def test_verify_and_materialize_take_a_shared_generator(
    shared, tmp_path, capsys
):
    model, flag = shared
    capsys.readouterr()
    status, record = run_json(capsys, "verify", str(model), flag)
    assert status == 0 and record["identical"] and record["num_kernels"] == 3
    plain, expected = tmp_path / "plain.tflite", tmp_path / "alone.tflite"
    cli.main(["materialize", str(model), flag, f"--out={plain}"])
    cli.main(["materialize", str(EXAMPLE), f"--out={expected}"])
    assert plain.read_bytes() == expected.read_bytes()


def test_footprint_and_slim_take_a_shared_generator(shared, tmp_path, capsys):
    model, flag = shared
    capsys.readouterr()
    _, alone = run_json(capsys, "footprint", str(EXAMPLE))
    report = tmp_path / "report.html"
    _, record = run_json(
        capsys, "footprint", str(model), flag, f"--report={report}"
    )
    assert record["by_part"]["generator"] == 8
    assert record["flash_bytes"] == model.stat().st_size
    assert record["arena_bytes"] == alone["arena_bytes"]
    assert record["device"] == alone["device"]
    assert f"{record['flash_bytes']:,} B" in report.read_text(encoding="utf-8")
    out = tmp_path / "slim.tflite"
    _, record = run_json(capsys, "slim", str(model), str(out), flag)
    assert record["comparison"]["num_values"]["TFLM"] > 0
    assert record["bytes_after"] == record["num_bytes"] == out.stat().st_size


def test_a_new_model_is_shared_for_an_old_firmware(shared, tmp_path, capsys):
    _, flag = shared
    capsys.readouterr()
    out = tmp_path / "update"
    status, record = run_json(
        capsys, "share", str(EXAMPLE), flag, f"--out={out}"
    )
    assert status == 0
    model = out / EXAMPLE.name
    assert cli.main(["verify", str(model), flag]) == 0


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


def test_train_writes_the_report_of_its_result(finished_run):
    out, _ = finished_run
    result = json.loads((out / "result.json").read_text())
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page == html_report.run_page(result)
    assert set(result["kernel_errors"]) == {
        "pointwise_1",
        "pointwise_2",
        "pointwise_3",
    }


def test_footprint_writes_a_report_where_asked(tmp_path, capsys):
    path = tmp_path / "new folder" / "footprint.html"
    arguments = ("footprint", str(EXAMPLE), "--report", str(path))
    _, record = run_json(capsys, *arguments)
    page = path.read_text(encoding="utf-8")
    assert f"{record['flash_bytes']:,} B" in page
    assert f"{record['arena_bytes']:,} B" in page
    assert page.count("64 × 1 × 1 × 64, kept in the arena") == 3


def test_footprint_says_what_would_save_bytes(tmp_path, capsys):
    path = tmp_path / "report.html"
    arguments = ("footprint", str(STORED), "--report", str(path))
    _, record = run_json(capsys, *arguments)
    savings = record["savings"]
    assert cli.main(["footprint", str(STORED)]) == 0
    printed = capsys.readouterr().out
    for form in ("slimmed", "int4", "generated"):
        size = savings[f"{form}_bytes"]
        assert size < record["flash_bytes"]
        assert f"{size:,}" in printed
        assert f"{size:,} B" in path.read_text(encoding="utf-8")


def test_footprint_predicts_what_it_measures(capsys):
    _, record = run_json(capsys, "footprint", str(EXAMPLE))
    device = record["device"]
    assert device["host"]["used_bytes"] == record["arena_bytes"]
    cached = record["cached_kernel_bytes"]
    assert device["board"]["cached_kernels"] == cached
    assert device["first_instructions"] > device["steady_instructions"] > 0


def test_footprint_prints_where_its_instructions_come_from(capsys):
    _, record = run_json(capsys, "footprint", str(EXAMPLE))
    assert cli.main(["footprint", str(EXAMPLE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("error against QEMU")
    errors = record["device"]["cost_errors"]
    assert lines[-1].endswith("not measured") == (not errors)
    steady = f"{record['device']['steady_instructions']:,}"
    assert lines[-2].split()[-1] == steady


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


def test_evaluate_repeats_the_scores_of_a_run(finished_run, capsys):
    out, result = finished_run
    status, record = run_json(
        capsys, "evaluate", str(out / "model.tflite"), "--dataset=synthetic"
    )
    assert status == 0
    expected = json.loads(result.stdout)
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
    ("flags", "count"),
    [
        (["--residency=per_invoke"], 309),
        (["--synthesis=boot"], 1),
    ],
)
def test_residency_and_synthesis_can_be_chosen(
    finished_run, flags, count, tmp_path, capsys
):
    out, _ = finished_run
    path = tmp_path / "model.tflite"
    arguments = ["convert", str(out), "--out", str(path), *flags]
    assert cli.main(arguments) == 0
    capsys.readouterr()
    status, record = run_json(capsys, "verify", str(path))
    assert status == 0
    # 103 inputs, three times.
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
