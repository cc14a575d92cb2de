"""When kernels are synthesized, and what it costs, in instructions."""

import importlib.util
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from keras_hypertinypw import native

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
COLUMNS = (
    *("allocate", "allocate_op", "first", "first_op", "later", "later_op"),
    *("syntheses", "arena"),
)
NUM_OPS = 3
NUM_INVOKES = 3

# AllocateTensors on the host includes malloc, of the wheel and of the records
# that the op's registration keeps for Python. It depends on the heap: 1,200 of
# 255,000 instructions have been seen.
MALLOC_TOLERANCE = 0.01


def read_table(text):
    """Returns the rows by name, as numbers by column."""
    rows = {}
    for line in text.splitlines()[2:]:
        name, *cells = line.strip("| ").split(" | ")
        numbers = [int(re.sub(r"\D", "", cell)) for cell in cells]
        rows[name] = dict(zip(COLUMNS, numbers, strict=True))
    return rows


@pytest.fixture(scope="module")
def printed():
    if shutil.which("valgrind") is None:
        pytest.skip("No valgrind: install the Debian package valgrind.")
    result = subprocess.run(
        [sys.executable, ROOT / "benchmarks/boot_lazy.py"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def rows(printed):
    return read_table(printed)


@pytest.fixture(scope="module")
def stored(rows):
    return rows["stored"]


@pytest.fixture(scope="module")
def lazy(rows):
    return rows["cached, lazy"]


@pytest.fixture(scope="module")
def boot(rows):
    return rows["cached, boot"]


@pytest.fixture(scope="module")
def per_invoke(rows):
    return rows["per_invoke"]


def test_cached_kernels_are_synthesized_once(stored, lazy, boot, per_invoke):
    rows = (stored, lazy, boot, per_invoke)
    counts = [row["syntheses"] for row in rows]
    assert counts == [0, NUM_OPS, NUM_OPS, NUM_OPS * NUM_INVOKES]


def test_stored_kernels_run_nothing_of_the_op(stored):
    assert [stored[c] for c in COLUMNS if c.endswith("_op")] == [0, 0, 0]
    assert stored["first"] == stored["later"]


def test_later_invokes_are_those_of_stored_kernels(stored, lazy, boot):
    assert lazy["later"] == boot["later"]
    per_op, rest = divmod(lazy["later"] - stored["later"], NUM_OPS)
    # TFLM's step to the op, and its one question.
    assert 0 < per_op <= 100
    assert rest == 0


def test_lazy_pays_in_the_first_invoke(lazy):
    paid = lazy["first"] - lazy["later"]
    assert paid == lazy["first_op"] - lazy["later_op"]
    assert paid > 0.01 * lazy["later"]


def test_boot_pays_in_allocate_tensors_and_no_more(boot, lazy):
    assert boot["first"] == boot["later"]
    paid = boot["allocate_op"] - lazy["allocate_op"]
    saved = lazy["first_op"] - lazy["later_op"]
    # Lazily, each op reads the generator's header once more.
    assert 0 <= saved - paid <= 500 * NUM_OPS
    assert boot["allocate"] - lazy["allocate"] == pytest.approx(
        paid, rel=MALLOC_TOLERANCE
    )


def test_per_invoke_pays_every_time(per_invoke, lazy):
    # The first time, the host allocates memory to keep a copy for Python.
    assert per_invoke["later_op"] >= lazy["first_op"]
    assert per_invoke["later"] == pytest.approx(
        per_invoke["first"], rel=MALLOC_TOLERANCE
    )


def test_per_invoke_lies_between_in_arena(stored, lazy, boot, per_invoke):
    assert stored["arena"] < per_invoke["arena"] < lazy["arena"]
    assert boot["arena"] == lazy["arena"]
    record = json.loads((ROOT / "examples/mitdb/generated.json").read_text())
    assert lazy["arena"] == record["footprint"]["arena_bytes"]


def test_the_wheel_runs_reference_kernels():
    spec = importlib.util.find_spec("tflite_micro.python.tflite_micro._runtime")
    symbols = pathlib.Path(spec.origin).read_bytes()
    assert b"reference_integer_ops14ConvPerChannel" in symbols
    assert b"arm_convolve" not in symbols
    assert b"xtensa" not in symbols


@pytest.fixture(scope="module")
def quoted():
    """Skips where other tools than those that the README names count."""
    for command, version in (
        (native.find_compiler(), " 12.2."),  # GCC; no Clang has this number.
        (["valgrind"], "valgrind-3.19"),
    ):
        output = subprocess.check_output([*command, "--version"], text=True)
        line = output.splitlines()[0]
        if version not in line:
            pytest.skip(f"The README quotes {version}. This is {line}.")
    (text,) = re.findall(
        r"<!-- boot table: .*? -->\n\n(.*?)\n\n<!--", README, re.DOTALL
    )
    return text


def test_readme_table_is_current(printed, rows, quoted):
    assert printed.splitlines()[:2] == quoted.splitlines()[:2]
    expected = read_table(quoted)
    assert list(rows) == list(expected)
    for name, row in rows.items():
        assert row == pytest.approx(expected[name], rel=MALLOC_TOLERANCE)


def test_readme_says_what_the_table_says(stored, lazy, quoted):
    text = " ".join(README.split())
    share = (lazy["first"] - lazy["later"]) / stored["later"]
    assert f"as much as {share:.0%}".replace("%", " %") in text
    per_op = (lazy["later"] - stored["later"]) // NUM_OPS
    assert f"with {per_op} instructions per op more" in text
