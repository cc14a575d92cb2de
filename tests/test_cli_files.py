"""The subcommands that read a `.tflite`: JSON, messages, files."""

import functools

import numpy as np
import pytest
from cli_runs import EXAMPLE, STORED, run_json

from keras_hypertinypw import apply_patch, cli, pack_int4, slim
from keras_hypertinypw.datasets import synthetic


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


def test_verify_takes_a_file_without_generated_kernels(capsys):
    status, record = run_json(capsys, "verify", str(STORED))
    assert status == 0
    assert record["identical"] and record["num_kernels"] == 0
    assert record["num_values"] >= 1000 and record["num_distinct"] >= 50


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


def test_patch_is_of_the_two_files(tmp_path, capsys):
    old, new, out = (tmp_path / name for name in ("old", "new", "patch"))
    content = EXAMPLE.read_bytes()
    old.write_bytes(content)
    new.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    status, record = run_json(
        capsys, "patch", str(old), str(new), f"--out={out}"
    )
    assert status == 0
    assert record["num_bytes"] == out.stat().st_size == 16 + 8 + 1
    assert apply_patch(content, out.read_bytes()) == new.read_bytes()


def test_patch_refuses_files_of_other_sizes(tmp_path, capsys):
    out = tmp_path / "patch"
    assert cli.main(["patch", str(EXAMPLE), str(STORED), f"--out={out}"]) == 2
    assert "same size" in capsys.readouterr().err
    assert not out.exists()
