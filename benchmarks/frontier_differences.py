"""Generated minus stored at equal bytes, with paired intervals.

    python benchmarks/frontier_differences.py

Reads the rows of `frontier.py` and the logits that it left in
`build/frontier/`, and writes `benchmarks/results/frontier_differences.jsonl`.
At each budget the generated contender and the stored one that are best on
validation meet on the same resampled patients or speakers of the test set;
each seed is a line.
"""

from __future__ import annotations

import collections
import json
import sys
from typing import Any

import frontier
import frontier_tasks
from frontier_report import DIFFERENCES, read_rows

from keras_hypertinypw.datasets.windows import Windows  # isort: skip
import numpy as np
from tqdm import tqdm

from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_difference
from keras_hypertinypw.files import write_atomically

_TRAINED = {"mitdb_v": "mitdb"}  # Tasks that another one's training serves.
Row = dict[str, Any]


def pairs(rows: list[Row]) -> list[tuple[Row, Row]]:
    """Returns a generated and a stored row for each budget, task and seed."""
    cells = collections.defaultdict(list)
    for row in rows:
        cells[row["task"], row["budget_kb"], row["seed"]].append(row)
    found = []
    for rivals in cells.values():
        best = [
            max(side, key=lambda row: row["val_macro_f1"], default=None)
            for side in (
                [row for row in rivals if row["family"] == "generated"],
                [row for row in rivals if row["family"] != "generated"],
            )
        ]
        if None not in best:
            found.append((best[0], best[1]))
    return found


def compare(generated: Row, stored: Row) -> Row:
    """Returns the difference of two rows, in macro-F1 on the test set."""
    task = _TRAINED.get(generated["task"], generated["task"])
    data = frontier.load(task)
    decided = [_decide(row, task, data) for row in (generated, stored)]
    y = decided[0].test[0]
    interval = bootstrap_difference(
        metrics.macro_f1.over(decided[0].num_classes),
        y,
        *(found.test[1] for found in decided),
        groups=data["test"].groups,
        rng=np.random.default_rng(frontier_tasks.BOOTSTRAP_SEED),
    )
    return {
        **{key: generated[key] for key in ("task", "budget_kb", "seed")},
        "generated": generated["contender"],
        "stored": stored["contender"],
        "difference": generated["macro_f1"] - stored["macro_f1"],
        "ci_low": interval.low,
        "ci_high": interval.high,
    }


def _decide(
    row: Row, task: str, data: dict[str, Windows]
) -> frontier_tasks.Decided:
    folder = frontier.folder(task, row["contender"], row["width"], row["seed"])
    with np.load(folder / "logits.npz") as logits:
        decided = frontier_tasks.decide(
            task,
            data["validation"],
            logits["validation"],
            data["test"],
            logits["test"],
        )
    return decided[row["task"]]


def main() -> None:
    """Writes the differences, and prints them."""
    rows = read_rows()
    found = [compare(*pair) for pair in tqdm(pairs(rows), desc="Pairs")]
    content = "".join(json.dumps(row) + "\n" for row in found)
    write_atomically(DIFFERENCES, content.encode())
    sys.stdout.write(content)


if __name__ == "__main__":
    main()
