"""The rows that `frontier.py` left, and what tables and the plot show of them.

Of several contenders of a family at a budget one is shown, see `summarize`, and
of several seeds the mean.
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
_SCORES = ("macro_f1", "ci_low", "ci_high", "val_macro_f1")


def read_rows() -> list[Row]:
    """Returns the cells that something fitted in."""
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return [row for row in rows if row.get("fits", True)]


def summarize(rows: list[Row]) -> list[Row]:
    """Returns one row for each task, family and budget.

    For the given network one for each contender. Scores are means over seeds,
    and `seeds` says how many there are. Contenders of several seeds go before
    those of one, and then the best on validation is shown.
    """
    contenders = collections.defaultdict(list)
    for row in rows:
        key = ("task", "family", "budget_kb", "contender", "width")
        contenders[tuple(row[name] for name in key)].append(row)
    best: dict[tuple[Any, ...], Row] = {}
    for (*place, contender, _), seeds in contenders.items():
        means = {
            name: statistics.fmean(row[name] for row in seeds)
            for name in _SCORES
        }
        summary = {**seeds[0], **means, "seeds": len(seeds)}
        if summary["budget_kb"] is None:
            place.append(contender)
        known = best.setdefault(tuple(place), summary)
        if _rank(summary) > _rank(known):
            best[tuple(place)] = summary
    return list(best.values())


def _rank(summary: Row) -> tuple[bool, float]:
    return summary["seeds"] > 1, summary["val_macro_f1"]


def read_differences() -> list[Row]:
    """Returns generated minus stored: a line for each budget and seed."""
    return [json.loads(line) for line in DIFFERENCES.read_text().splitlines()]


def read_means() -> list[Row]:
    """Returns means of several seeds, generated and stored, by budget."""
    return [json.loads(line) for line in MEANS.read_text().splitlines()]
