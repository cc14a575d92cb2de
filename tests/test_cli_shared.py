"""Commands that take files whose generator is another file."""

import pytest
from cli_runs import EXAMPLE, run_json

from keras_hypertinypw import cli, embed_generator, pack_int4


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A model that refers to a generator, and the flag that names it."""
    out = tmp_path_factory.mktemp("shared") / "out"
    assert cli.main(["share", str(EXAMPLE), f"--out={out}"]) == 0
    return out / EXAMPLE.name, f"--generator={out}/generator.bin"


def test_evaluate_scores_the_file_alone(shared, capsys):
    path, flag = shared
    arguments = ("evaluate", str(path), "--dataset=synthetic", flag)
    alone = run_json(capsys, "evaluate", str(EXAMPLE), "--dataset=synthetic")
    assert run_json(capsys, *arguments) == alone


def test_int4_writes_a_file_that_still_refers(shared, tmp_path, capsys):
    path, flag = shared
    out = tmp_path / "packed.tflite"
    arguments = (f"--out={out}", "--layers", "logits")
    status, record = run_json(capsys, "int4", str(path), *arguments, flag)
    assert status == 0
    assert record["cost"]["num_values"] > 1000
    content = pack_int4(path.read_bytes(), layers=["logits"])
    assert out.read_bytes() == content
    assert len(content) < EXAMPLE.stat().st_size - 1000


def test_int4_takes_labelled_data_too(shared, tmp_path, capsys):
    path, flag = shared
    arguments = (f"--out={tmp_path}/x.tflite", "--dataset=synthetic", flag)
    status, record = run_json(capsys, "int4", str(path), *arguments)
    assert status == 0
    assert record["cost"]["before"]["num_beats"] > 0


def test_a_sketch_holds_the_generator(shared, tmp_path, capsys):
    path, flag = shared
    generator = path.with_name("generator.bin").read_bytes()
    size = len(embed_generator(path.read_bytes(), generator))
    out = f"--out={tmp_path}/sketchbook"
    status, record = run_json(capsys, "export_arduino", str(path), out, flag)
    assert status == 0
    assert record["model_size"] == size


@pytest.mark.parametrize("command", ["evaluate", "int4", "export_arduino"])
def test_without_it_the_flag_is_named(command, shared, tmp_path, capsys):
    path, _ = shared
    is_read_only = command == "evaluate"
    extra = "--dataset=synthetic" if is_read_only else f"--out={tmp_path}/out"
    assert cli.main([command, str(path), extra]) == 2
    assert "--generator" in capsys.readouterr().err


def test_a_generator_that_nothing_refers_to_is_refused(shared, capsys):
    _, flag = shared
    arguments = ["evaluate", str(EXAMPLE), "--dataset=synthetic", flag]
    assert cli.main(arguments) == 2
    assert "needs no other" in capsys.readouterr().err


def test_share_names_files(tmp_path, capsys):
    paths = [EXAMPLE, EXAMPLE.with_name("stored.tflite")]
    arguments = ["share", *map(str, paths), f"--out={tmp_path}/out"]
    assert cli.main(arguments) == 2
    assert "'stored.tflite' without any" in capsys.readouterr().err
