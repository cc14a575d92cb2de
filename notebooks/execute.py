"""Runs the notebooks from clean kernels and keeps their outputs.

    python notebooks/execute.py
    python notebooks/execute.py notebooks/04_frontier.ipynb

What they print on stderr, mostly TensorFlow's greetings, is not kept. With
HYPERTINYPW_FAST=1 in the environment they train for an epoch only.
"""

from __future__ import annotations

import pathlib
import sys

import nbclient
import nbformat
from tqdm import tqdm

from keras_hypertinypw import files

FOLDER = pathlib.Path(__file__).resolve().parent
_TIMEOUT = 3600  # Seconds for a cell.


def execute(path: pathlib.Path) -> nbformat.NotebookNode:
    """Returns a notebook with the outputs of running it where it lies.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook,
        timeout=_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    # The version of Python would change it each time.
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("name") != "stderr"
            ]
    return notebook


def main() -> None:
    """Runs those that are named, or all."""
    paths = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    for path in tqdm(paths or sorted(FOLDER.glob("*.ipynb"))):
        text = nbformat.writes(execute(path)) + "\n"
        files.write_atomically(path, text.encode())


if __name__ == "__main__":
    main()
