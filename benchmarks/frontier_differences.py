"""Generated minus stored at equal bytes, with paired intervals.

    python benchmarks/frontier_differences.py

Reads the rows of `frontier.py` and what their networks decided
(`results/decisions/`), and writes `results/frontier_differences.jsonl`. At
each budget the generated contender and the stored one that are best on
validation meet on the same resampled patients or speakers of the test set;
each seed is a line. Decisions are kept since 2026-11-29: a pair without keeps
the interval that it had then if its rows are still those, or else has none.

`results/frontier_means.jsonl` has the same of all seeds together: contenders
are chosen by their mean on validation, those of several seeds before those of
one, and the interval of the difference of their means resamples seeds, too.
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
from frontier_rows import (
    DIFFERENCES,
    MEANS,
    by_contender,
    mean,
    rank,
    read_differences,
    read_rows,
)
from tqdm import tqdm

from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_runs_difference
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
                [row for row in rivals if _is_generated(row)],
                [row for row in rivals if not _is_generated(row)],
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
    interval = _interval([generated], [stored])
    if interval is None:
        known = earlier.get(_key(found), {})
        interval = tuple(map(known.get, _INTERVAL))
    return {**found, **dict(zip(_INTERVAL, interval, strict=True))}


def mean_pairs(rows: list[Row]) -> list[tuple[list[Row], list[Row]]]:
    """Returns the seeds of a generated and of a stored contender, by cell."""
    cells = collections.defaultdict(lambda: {True: [], False: []})
    for seeds in by_contender(rows):
        cell = cells[seeds[0]["task"], seeds[0]["budget_kb"]]
        cell[_is_generated(seeds[0])].append(seeds)
    return [
        (max(sides[True], key=rank), max(sides[False], key=rank))
        for sides in cells.values()
        if all(sides.values())
    ]


def _is_generated(row: Row) -> bool:
    return row["family"] == "generated"


def compare_means(generated: list[Row], stored: list[Row]) -> Row:
    """Returns the difference of two means, in macro-F1 on the test set."""
    means = [mean(side, "macro_f1") for side in (generated, stored)]
    interval = _interval(generated, stored) or (None, None)
    return {
        **{key: generated[0][key] for key in ("task", "budget_kb")},
        "generated": generated[0]["contender"],
        "stored": stored[0]["contender"],
        "seeds": [len(generated), len(stored)],
        "means": means,
        "difference": means[0] - means[1],
        **dict(zip(_INTERVAL, interval, strict=True)),
    }


def _interval(
    generated: list[Row], stored: list[Row]
) -> tuple[float, float] | None:
    """Returns that of the difference, None where decisions are not kept."""
    runs_a, runs_b = (
        [frontier_decisions.read(row) for row in side]
        for side in (generated, stored)
    )
    if any(run is None for run in (*runs_a, *runs_b)):
        return None
    task = generated[0]["task"]
    test = frontier.load(frontier_tasks.trained_task(task))["test"]
    y, num_classes = frontier_tasks.truth(task, test)
    interval = bootstrap_runs_difference(
        metrics.macro_f1.over(num_classes),
        y,
        runs_a,
        runs_b,
        groups=test.groups,
        rng=np.random.default_rng(frontier_tasks.BOOTSTRAP_SEED),
    )
    return interval.low, interval.high


def _key(line: Row) -> tuple[Any, ...]:
    """Returns a line without its interval; rows that changed have another."""
    place = ("task", "budget_kb", "seed", "generated", "stored", "difference")
    return tuple(line[name] for name in place)


def main() -> None:
    """Writes the differences, and prints them."""
    rows = read_rows()
    earlier = {_key(line): line for line in read_differences()}
    found = [
        compare(*pair, earlier) for pair in tqdm(pairs(rows), desc="Pairs")
    ]
    means = [compare_means(*pair) for pair in mean_pairs(rows)]
    for path, lines in ((DIFFERENCES, found), (MEANS, means)):
        content = "".join(json.dumps(line) + "\n" for line in lines)
        write_atomically(path, content.encode())
        sys.stdout.write(content)


if __name__ == "__main__":
    main()
