"""Every notebook runs from a clean kernel, and shows what it printed."""

import json
import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_OUTPUT_BYTES = 100_000

# What each must have said, in fast mode too.
SAID = {
    "01_train": ["macro-F1", "4 patients"],
    "02_convert_and_verify": [
        "identical",
        "0 different (by at most 0)",
        "identical: True",
        "3 syntheses in 3 inferences",
        "macro-F1",
        "equal: True",
    ],
    "03_nano33ble": ["arena to load", "ecg/ecg.ino", "AddCustom"],
    "04_frontier": ["trainings", "mitdb", "generated, slimmed"],
}


@pytest.fixture(scope="module")
def execute():
    """Returns `execute` of notebooks/execute.py."""
    sys.path.insert(0, str(ROOT / "notebooks"))
    try:
        from execute import execute
    finally:
        del sys.path[0]
    return execute


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Notebooks beside what they read, where they may write."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("benchmarks", "examples"):
        (root / name).symlink_to(ROOT / name)
    return shutil.copytree(ROOT / "notebooks", root / "notebooks")


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    return [out for cell in code_cells(notebook) for out in cell["outputs"]]


def printed(notebook):
    return "".join("".join(out.get("text", "")) for out in outputs(notebook))


def num_pictures(notebook):
    return sum("image/png" in out.get("data", {}) for out in outputs(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, folder, execute, monkeypatch):
    monkeypatch.setenv("HYPERTINYPW_FAST", "1")
    done = execute(folder / path.name)
    for text in SAID[path.stem]:
        assert text in printed(done)
    assert num_pictures(done) == num_pictures(json.loads(path.read_text())) > 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_its_outputs(path):
    notebook = json.loads(path.read_text())
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    for text in SAID[path.stem]:
        assert text in printed(notebook)
    for output in outputs(notebook):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr"
        assert len(json.dumps(output)) < MAX_OUTPUT_BYTES
    # Nothing of the machine that ran them.
    for name in ("/tmp/", "/home/", "/root/", str(ROOT.parent)):
        assert name not in json.dumps(outputs(notebook))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == sorted(SAID)
