"""Generated minus stored at equal bytes, with paired intervals.

    python benchmarks/frontier_differences.py

Reads the rows of `frontier.py` and what their networks decided
(`results/decisions/`), and writes `results/frontier_differences.jsonl`. At
each budget the generated contender and the stored one that are best on
validation meet on the same resampled patients or speakers of the test set;
each seed is a line. Decisions are kept since 2026-11-29: a pair without keeps
the line that it had then if its rows are still those, or else has a difference
without an interval.
"""

from __future__ import annotations

import collections
import json
import sys
from typing import Any

import frontier
import frontier_decisions
import frontier_tasks
import numpy as np
from frontier_rows import DIFFERENCES, read_differences, read_rows
from tqdm import tqdm

from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_difference
from keras_hypertinypw.files import write_atomically

Row = dict[str, Any]
_INTERVAL = ("ci_low", "ci_high")


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


def compare(
    generated: Row, stored: Row, earlier: dict[tuple[Any, ...], Row]
) -> Row:
    """Returns the difference of two rows, in macro-F1 on the test set.

    Args:
        generated: A row.
        stored: Another one, of the same task and seed.
        earlier: Lines by `_key`, for a pair whose decisions are not there.
    """
    found = {
        **{key: generated[key] for key in ("task", "budget_kb", "seed")},
        "generated": generated["contender"],
        "stored": stored["contender"],
        "difference": generated["macro_f1"] - stored["macro_f1"],
        "code_recipe": generated["code_recipe"],
    }
    decisions = [frontier_decisions.read(row) for row in (generated, stored)]
    if decisions[0] is None or decisions[1] is None:
        known = earlier.get(_key(found), {})
        return {**found, **{key: known.get(key) for key in _INTERVAL}}
    task = found["task"]
    test = frontier.load(frontier_tasks.trained_task(task))["test"]
    y, num_classes = frontier_tasks.truth(task, test)
    interval = bootstrap_difference(
        metrics.macro_f1.over(num_classes),
        y,
        *decisions,
        groups=test.groups,
        rng=np.random.default_rng(frontier_tasks.BOOTSTRAP_SEED),
    )
    ends = (interval.low, interval.high)
    return {**found, **dict(zip(_INTERVAL, ends, strict=True))}


def _key(line: Row) -> tuple[Any, ...]:
    """Returns a line without its interval; rows that changed have another."""
    place = ("task", "budget_kb", "seed", "generated", "stored", "difference")
    return tuple(line[name] for name in place)


def main() -> None:
    """Writes the differences, and prints them."""
    earlier = {_key(line): line for line in read_differences()}
    found = [
        compare(*pair, earlier)
        for pair in tqdm(pairs(read_rows()), desc="Pairs")
    ]
    content = "".join(json.dumps(row) + "\n" for row in found)
    write_atomically(DIFFERENCES, content.encode())
    sys.stdout.write(content)


if __name__ == "__main__":
    main()
