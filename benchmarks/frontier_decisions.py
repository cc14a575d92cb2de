"""What each network of the frontier decided on the test set, kept for good.

A row of `frontier.py` has a file in `results/decisions/` with the class of
every test window, so that networks that were trained on different days and
machines can be compared window by window.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import frontier_tasks

from keras_hypertinypw.datasets.windows import Windows  # isort: skip
import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent / "results" / "decisions"
Row = Mapping[str, Any]


def path_of(row: Row) -> pathlib.Path:
    """Returns where the decisions of a row are, or would be."""
    name = "-".join(
        str(row[key]) for key in ("task", "contender", "width", "seed")
    )
    return FOLDER / f"{name}.npz"


def keep(
    rows: Sequence[Row],
    data: Mapping[str, Windows],
    logits: Mapping[str, np.ndarray],
) -> None:
    """Writes the decisions of a network.

    Args:
        rows: Those of one training: task, contender, width and seed.
        data: Windows of the trained task, by split.
        logits: Of validation and test windows.
    """
    decided = frontier_tasks.decide(
        frontier_tasks.trained_task(rows[0]["task"]),
        data["validation"],
        logits["validation"],
        data["test"],
        logits["test"],
    )
    FOLDER.mkdir(exist_ok=True)
    for row in rows:
        decisions = decided[row["task"]].test[1].astype(np.uint8)
        np.savez_compressed(path_of(row), decisions=decisions)


def read(row: Row) -> np.ndarray | None:
    """Returns the class of every test window, None if none were kept."""
    path = path_of(row)
    if not path.exists():
        return None
    with np.load(path) as file:
        return file["decisions"].astype(np.int64)
