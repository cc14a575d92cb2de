"""What the README says is what the repository does."""

import ast
import json
import pathlib
import re
import subprocess
import sys

import cpp_build
import pytest

from keras_hypertinypw.op_size import op_code_bytes

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def run_python(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run_example(code, folder):
    script = folder / "example.py"
    script.write_text(code)
    result = run_python(script, cwd=folder)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_the_first_example_trains_a_classifier(tmp_path):
    macro_f1 = float(run_example(EXAMPLES[0], tmp_path).split()[-1])
    # Well above 0.22, the score of calling every beat normal.
    assert macro_f1 > 0.35
    assert (tmp_path / "model.tflite").read_bytes()[4:8] == b"TFL3"


def test_the_second_example_swaps_all_layers_but_one(tmp_path):
    printed = run_example(EXAMPLES[1], tmp_path)
    errors = ast.literal_eval(printed.splitlines()[-1])
    assert list(errors) == [f"conv_pw_{index}" for index in range(2, 14)]


@pytest.mark.parametrize(
    ("command", "num_lines"),
    [
        ("mitdb_table.py", 4),
        ("codes_update.py --table_only", 7),
        ("several_models.py --table_only", 2 + 3 * 4),
        ("data_table.py", 6),
    ],
)
def test_a_table_is_current(command, num_lines):
    result = run_python(*f"benchmarks/{command}".split())
    assert result.stdout.count("\n") == num_lines
    assert result.stdout in README


def test_size_of_the_op_is_current():
    cpp_build.require_quoted_compiler()
    sizes = json.loads(run_python("benchmarks/op_size.py").stdout)["objects"]
    assert sizes["sum"] == op_code_bytes()
    assert f"{sizes['sum']:,} B of flash on Cortex-M4" in README
    smaller = sizes["sum"] - op_code_bytes("small")
    assert f"of which {smaller:,} B make synthesis faster" in README
    assert f"without checks, takes {op_code_bytes('compact')} B" in README


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README)))
)
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_named_files_exist():
    # What commands write is below `build/`.
    for path in re.findall(r"`((?!build/)(?:\w+/)+[\w.]*)`", README):
        assert (ROOT / path).exists(), path
