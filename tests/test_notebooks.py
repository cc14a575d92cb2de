"""Every notebook runs from top to bottom, in an interpreter of its own."""

import json
import pathlib
import subprocess
import sys

import pytest

NOTEBOOKS = sorted(
    (pathlib.Path(__file__).resolve().parent.parent / "notebooks").glob(
        "*.ipynb"
    )
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    cells = json.loads(path.read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(code))
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "identical" in result.stdout
    assert "macro-F1" in result.stdout


def test_notebooks_hold_no_output():
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs")


def test_there_are_notebooks():
    assert NOTEBOOKS
