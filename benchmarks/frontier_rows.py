"""The rows that `frontier.py` left, and what tables and the plot show of them.

Of several generators at a budget the one with the best macro-F1 on validation
is shown, of several seeds the one in the middle, of two the lower one.
"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics
from typing import Any

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
RESULTS = FOLDER / "frontier.jsonl"
DIFFERENCES = FOLDER / "frontier_differences.jsonl"
MEANS = FOLDER / "frontier_means.jsonl"
TITLES = {
    "arabic_40": "Arabic speech commands, 40 words",
    "speech_v1": "Speech Commands v1, 9 words",
    "mitdb": "MIT-BIH, inter-patient, 4 classes",
    "mitdb_v": "MIT-BIH, inter-patient, V or not, at t*",
    "mitdb_beats": "MIT-BIH, beats split at random (capacity only)",
    "arabic_40_wide": "Arabic speech commands, 40 words, 16 epochs",
}
FAMILIES = (
    *("stored_int8", "int4", "generated", "tied", "low_rank", "lut"),
    "entropy",
)
Row = dict[str, Any]


def read_rows() -> list[Row]:
    """Returns the cells that something fitted in."""
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return [row for row in rows if row.get("fits", True)]


def summarize(rows: list[Row]) -> list[Row]:
    """Returns one row for each task, family and budget.

    For the given network one for each contender. Its scores are those of the
    seed in the middle, of two the lower one, `seeds` says of how many, and
    `low` and `high` are the least and the greatest macro-F1.
    """
    contenders = collections.defaultdict(list)
    for row in rows:
        key = (row["task"], row["family"], row["budget_kb"], row["contender"])
        contenders[key].append(row)
    best: dict[tuple[Any, ...], Row] = {}
    for (*place, _), seeds in contenders.items():
        ordered = sorted(seeds, key=lambda row: row["macro_f1"])
        summary = {
            **ordered[(len(ordered) - 1) // 2],
            "seeds": len(ordered),
            "low": ordered[0]["macro_f1"],
            "high": ordered[-1]["macro_f1"],
            "val_macro_f1": statistics.median(
                row["val_macro_f1"] for row in seeds
            ),
        }
        if summary["budget_kb"] is None:
            place.append(summary["contender"])
        known = best.setdefault(tuple(place), summary)
        if summary["val_macro_f1"] > known["val_macro_f1"]:
            best[tuple(place)] = summary
    return list(best.values())


def read_differences() -> list[Row]:
    """Returns generated minus stored: a line for each budget and seed."""
    return [json.loads(line) for line in DIFFERENCES.read_text().splitlines()]


def read_means() -> list[Row]:
    """Returns means of several seeds, generated and stored, by budget."""
    return [json.loads(line) for line in MEANS.read_text().splitlines()]
